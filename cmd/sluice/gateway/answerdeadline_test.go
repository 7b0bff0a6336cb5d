package gateway

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"sluice/e2e/testkit"
)

// serveAnswers serves a handler with answer deadlines, and sends one request whose
// answer nobody reads. ended has the error of its last write.
func serveAnswers(t *testing.T, d *answerDeadlines, size int) (conn net.Conn, began chan struct{}, ended chan error) {
	t.Helper()
	began, ended = make(chan struct{}), make(chan error, 1)
	server := httptest.NewServer(d.wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text := []byte(strings.Repeat("x", size))
		if _, err := w.Write(text[:1]); err != nil {
			t.Error(err)
		}
		close(began)
		_, err := w.Write(text[1:])
		ended <- err
	})))
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return conn, began, ended
}

// unread is more than the buffers of a connection hold.
const unread = 64 << 20

// An answer that nobody reads ends after the timeout.
func TestAnswersThatNobodyReadsEnd(t *testing.T) {
	_, _, ended := serveAnswers(t, newAnswerDeadlines(100*time.Millisecond), unread)
	checkDeadline(t, ended)
}

// When the gateway stops they end within the grace, whatever the timeout.
func TestAnswersEndWhenTheGatewayStops(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Hour} {
		d := newAnswerDeadlines(timeout)
		d.grace = 100 * time.Millisecond
		_, began, ended := serveAnswers(t, d, unread)
		<-began
		d.stop()
		checkDeadline(t, ended)
	}
}

func checkDeadline(t *testing.T, ended chan error) {
	t.Helper()
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	case <-time.After(testkit.Patience):
		t.Fatal("the answer did not end")
	}
}

// An answer that is read is whole, however large it is.
func TestAnswersThatAreReadAreWhole(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Hour} {
		for _, size := range []int{1, 100, headBuffer + 1, answerPiece, 3*answerPiece + 5} {
			conn, _, ended := serveAnswers(t, newAnswerDeadlines(timeout), size)
			answer, err := io.ReadAll(conn)
			if err = errors.Join(err, <-ended); err != nil || strings.Count(string(answer), "x") < size {
				t.Errorf("%d bytes: got %d, %v", size, len(answer), err)
			}
			if hasLength := strings.Contains(string(answer), "Content-Length: "); hasLength != (size <= headBuffer) {
				t.Errorf("%d bytes: Content-Length is there: %t", size, hasLength)
			}
		}
	}
}

// A handler that sets deadlines itself keeps them.
func TestAnswersWithDeadlinesOfTheirOwn(t *testing.T) {
	d := newAnswerDeadlines(time.Hour)
	w := &deadlineRecorder{ResponseRecorder: httptest.NewRecorder()}
	d.wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)); err != nil {
			t.Error(err)
		}
		if _, err := w.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		w.(http.Flusher).Flush()
	})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if len(w.deadlines) != 2 || w.deadlines[0] != time.Unix(1, 0) || !w.Flushed || len(d.answers) != 0 {
		t.Errorf("got %v, flushed: %t", w.deadlines, w.Flushed)
	}
}

type deadlineRecorder struct {
	*httptest.ResponseRecorder
	deadlines []time.Time
}

func (w *deadlineRecorder) SetWriteDeadline(t time.Time) error {
	w.deadlines = append(w.deadlines, t)
	return nil
}
