package ingest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice/bus"
	"sluice/e2e/testkit"
	"sluice/store"
)

// A client that closes its side of the connection behind its request, as nc -N
// does, still listens (RFC 9112, section 9.6): its request is judged and answered.
func TestHalfClosedClientsAreAnswered(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	server := httptest.NewServer(BodyDeadline(g.handler, patience))
	t.Cleanup(server.Close)
	ask := func(request string) string {
		t.Helper()
		conn := dial(t, server, request)
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil {
			t.Errorf("got %q, %v", answer, err)
		}
		return string(answer)
	}
	f := func(request, status string) {
		t.Helper()
		// A machine that stands still for seconds is no reason to fail.
		var answer string
		testkit.Eventually(t, "the gateway judges the push in time", func() bool {
			answer = ask(request)
			return !strings.Contains(answer, "nobody waits")
		})
		if !strings.HasPrefix(answer, "HTTP/1.1 "+status+" ") {
			t.Errorf("got %q, want %s", answer, status)
		}
	}
	for i := range 40 {
		push := fmt.Sprintf("POST /metrics/job/x%d HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\na 1\n", i)
		answer := ask(push)
		if stored := g.store.Groups() > i; stored != strings.HasPrefix(answer, "HTTP/1.1 200 ") {
			t.Fatalf("got %q, though stored is %t", answer, stored)
		}
		f(push, "200")
	}
	if n := g.store.Groups(); n != 40 {
		t.Errorf("got %d groups, want 40", n)
	}
	f("POST /metrics/job/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n0\r\n\r\n", "200")
	f("POST /metrics/job/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\na 1\n", "400") // not complete
	f("DELETE /metrics/job/x0 HTTP/1.1\r\nHost: x\r\n\r\n", "202")
	f("PUT /wipe HTTP/1.1\r\nHost: x\r\n\r\n", "202")
}

// Only a change that has waited long, or over a freeze, is dropped when its client
// has hung up.
func TestAbandonedChanges(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	now := time.Now()
	var frozen freezeDetector
	frozen.tick(now.Add(-time.Hour))
	frozen.tick(now)
	for _, test := range []struct {
		name   string
		ctx    context.Context
		waited time.Duration
		frozen bool
		want   bool
	}{
		{"a client that listens", t.Context(), time.Hour, true, false},
		{"a hangup behind the request", gone, 0, false, false},
		{"a short wait", gone, hangupGrace, false, false},
		{"a long wait", gone, hangupGrace + 1, false, true},
		{"a freeze", gone, 0, true, true},
	} {
		c := NewCommitter(nil, nil, CommitterConfig{Wait: 2 * hangupGrace}, nil, NewMetrics(nil))
		if test.frozen {
			c.freezes.last.Store(frozen.last.Load())
			c.freezes.ended.Store(frozen.ended.Load())
		}
		p := &pending{Change: Change{Op: store.OpPut}, ctx: test.ctx, deadline: now.Add(c.wait - test.waited)}
		if got := c.isAbandoned(p, now); got != test.want {
			t.Errorf("%s: got %t, want %t", test.name, got, test.want)
		}
	}
}

// Submit waits for the verdict although the client has hung up, and tells what has
// become of the change.
func TestSubmitWaitsForTheVerdict(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	accepted := 0
	for i := range 20 {
		if err := g.committer.Submit(ctx, putChange(t, fmt.Sprintf("/job/j%d", i), "a 1\n")); err == nil {
			accepted++
		}
	}
	if n := g.store.Groups(); n != accepted || n == 0 {
		t.Errorf("got %d groups, want the %d that were accepted", n, accepted)
	}
}
