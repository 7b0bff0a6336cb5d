package api

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/route"

	"sluice/bus"
	"sluice/store"
)

// A client that closes its side of the connection behind its request, as nc -N
// does, gets its answer (RFC 9112, section 9.6).
func TestHalfClosedClientsAreAnswered(t *testing.T) {
	s := withDead(t)
	h := goldenAPI(t, s, true, bus.Status{Connected: true, Ready: true}, bus.Known{History: 7}, nil)
	server := httptest.NewServer(untilHangup(h))
	t.Cleanup(server.Close)
	f := func(path, want string) {
		t.Helper()
		if got := askHalfClosed(t, server, path); !strings.HasPrefix(got, "HTTP/1.1 "+want) {
			t.Errorf("%s: got %q", path, got)
		}
	}
	for _, path := range []string{"/status", "/metrics", "/refusals", "/groups", "/group?group=/job/a/instance/0", "/history?group=/job/a", "/stream", "/targets", "/cluster"} {
		f(path, "200 ")
	}
	f("/group?group=/job/none", "404 ")
	f("/groups?state=down", "400 ")

	// The source of the history ends with the request's context, if that does.
	r := route.New()
	New(s, Config{
		Stream: StreamSource{Known: func() bus.Known { return bus.Known{} }},
		History: func(ctx context.Context, _ store.Key, _ int) ([]bus.HistoryEntry, uint64, error) {
			select {
			case <-ctx.Done():
				return nil, 0, errors.New("the context has ended")
			case <-time.After(10 * time.Millisecond):
				return nil, 0, nil
			}
		},
	}, promslog.NewNopLogger()).Register(r, func(_ string, h http.HandlerFunc) http.HandlerFunc { return h })
	slow := httptest.NewServer(untilHangup(r))
	t.Cleanup(slow.Close)
	if got := askHalfClosed(t, slow, "/history?group=/job/a"); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
		t.Errorf("got %q", got)
	}
}

// untilHangup calls a handler once net/http has seen that the client closed its side.
func untilHangup(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		h.ServeHTTP(w, r)
	})
}

// askHalfClosed sends a request, closes its side, and reads the answer.
func askHalfClosed(t *testing.T, server *httptest.Server, path string) string {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
	return string(answer)
}
