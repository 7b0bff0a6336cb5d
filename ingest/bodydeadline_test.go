package ingest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/bus"
)

// chunkedHead begins a push whose body comes in chunks.
const chunkedHead = "POST /metrics/job/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

// dial opens a connection and sends the beginning of a request.
func dial(t *testing.T, server *httptest.Server, head string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, head); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Bodies that do not come in time are answered, whichever gateway they are for.
func TestSlowBodiesAreRefused(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	server := httptest.NewServer(BodyDeadline(g.handler, 50*time.Millisecond))
	t.Cleanup(server.Close)
	t.Run("E: a body that never comes is answered by 408", func(t *testing.T) {
		before := g.refused(reasonSlow, viaHTTP)
		answer, err := io.ReadAll(dial(t, server, "POST /metrics/job/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\na 1\n"))
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || !strings.Contains(string(answer), "--web.read-timeout") {
			t.Errorf("%q, %v", answer, err)
		}
		if g.refused(reasonSlow, viaHTTP) != before+1 {
			t.Error("it is not counted")
		}
	})
	t.Run("E: the body of a refused request does not hold its connection", func(t *testing.T) {
		answer, err := io.ReadAll(dial(t, server, strings.Replace(chunkedHead, "job/x", "job/x/odd", 1)))
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
			t.Errorf("%q, %v", answer, err)
		}
	})
}

// pipes is a listener whose connections are in memory, so that their deadlines
// follow the clock of a synctest bubble.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accept:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// bubble calls f in a synctest bubble with a connection to a server, which runs
// the handler behind a BodyDeadline of one minute.
func bubble(t *testing.T, handler http.HandlerFunc, f func(t *testing.T, conn net.Conn, answers *bufio.Reader)) {
	synctest.Test(t, func(t *testing.T) {
		listener := &pipes{accept: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{Handler: BodyDeadline(handler, time.Minute)}
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		conn, far := net.Pipe()
		listener.accept <- far
		f(t, conn, bufio.NewReader(conn))
		conn.Close()
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// readsBody answers as a push does whose body can, or cannot, be read.
func readsBody() http.HandlerFunc {
	b := newBodies(1<<20, 0)
	return func(w http.ResponseWriter, r *http.Request) {
		in, err := b.read(r.Body, "", r.ContentLength, patience)
		var refused *Error
		if errors.As(err, &refused) {
			w.WriteHeader(refused.Status())
			return
		}
		in.free()
	}
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Error(err)
	}
}

// drip sends a push whose body never ends, a chunk each second, until the
// connection fails. The function that it returns closes the connection and waits
// for the sender.
func drip(conn net.Conn, chunk string) (stop func()) {
	var sender sync.WaitGroup
	sender.Go(func() {
		for text := chunkedHead; ; text = fmt.Sprintf("%x\r\n%s\r\n", len(chunk), chunk) {
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	})
	return func() {
		conn.Close()
		sender.Wait()
	}
}

func wantStatus(t *testing.T, answers *bufio.Reader, status int) {
	t.Helper()
	answer, err := http.ReadResponse(answers, nil)
	if err != nil || answer.StatusCode != status {
		t.Errorf("got %v, %v, want %d", answer, err, status)
	}
}

func TestBodyDeadline(t *testing.T) {
	t.Run("E: a body that drips is cut off after its timeout", func(t *testing.T) {
		bubble(t, readsBody(), func(t *testing.T, conn net.Conn, answers *bufio.Reader) {
			start := time.Now()
			defer drip(conn, "#")()
			wantStatus(t, answers, http.StatusRequestTimeout)
			if took := time.Since(start); took != time.Minute {
				t.Errorf("cut off after %s", took)
			}
		})
	})
	t.Run("E: a body that is steady but too slow is cut off later", func(t *testing.T) {
		bubble(t, readsBody(), func(t *testing.T, conn net.Conn, answers *bufio.Reader) {
			start := time.Now()
			defer drip(conn, strings.Repeat("#", minRate/2))()
			wantStatus(t, answers, http.StatusRequestTimeout)
			if took := time.Since(start); took < 115*time.Second || took > 125*time.Second {
				t.Errorf("cut off after %s", took)
			}
		})
	})
	t.Run("E: a slow but steady body is taken", func(t *testing.T) {
		bubble(t, readsBody(), func(t *testing.T, conn net.Conn, answers *bufio.Reader) {
			send(t, conn, chunkedHead)
			text := "# " + strings.Repeat("x", 700) + "\n"
			for range 600 { // ten minutes
				send(t, conn, fmt.Sprintf("%x\r\n%s\r\n", len(text), text))
				time.Sleep(time.Second)
			}
			send(t, conn, "4\r\na 1\n\r\n0\r\n\r\n")
			wantStatus(t, answers, http.StatusOK)
		})
	})
	t.Run("S: a connection is kept for longer than the timeout", func(t *testing.T) {
		bubble(t, readsBody(), func(t *testing.T, conn net.Conn, answers *bufio.Reader) {
			for range 3 {
				send(t, conn, "POST /metrics/job/x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\na 1\n")
				wantStatus(t, answers, http.StatusOK)
				time.Sleep(time.Hour)
			}
		})
	})
	t.Run("S: a handler that has read its body may take its time", func(t *testing.T) {
		handler := func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			ctx, cancel := context.WithTimeout(r.Context(), time.Hour)
			defer cancel()
			<-ctx.Done()
			if r.Context().Err() != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}
		bubble(t, handler, func(t *testing.T, conn net.Conn, answers *bufio.Reader) {
			send(t, conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
			wantStatus(t, answers, http.StatusOK)
		})
	})
}
