package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/e2e/testkit"
)

// raw opens a connection to the gateway and sends the beginning of a request.
func (g *sluice) raw(head string) net.Conn {
	g.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(requestBound)); err != nil {
		g.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, head); err != nil {
		g.t.Fatal(err)
	}
	return conn
}

func TestConnectionsAreBounded(t *testing.T) {
	const most = 5
	s := newSite(t)
	g := s.start(fmt.Sprintf("--web.max-connections=%d", most), "--web.read-header-timeout=1s", "--web.read-timeout=1s", "--web.idle-timeout=60s")
	s.client.CloseIdleConnections()

	t.Run("E: headers that never end are ended", func(t *testing.T) {
		conn := g.raw("PUT /metrics/job/x HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		start := time.Now()
		answer, err := io.ReadAll(conn)
		t.Logf("after %s: %q, %v", time.Since(start).Round(time.Millisecond), answer, err)
		if err != nil {
			t.Error("the connection was not closed")
		}
	})
	t.Run("E: a body that never ends is answered by 408", func(t *testing.T) {
		answer, err := io.ReadAll(g.raw("PUT /metrics/job/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na 1\n"))
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || !strings.Contains(string(answer), "--web.read-timeout") {
			t.Errorf("%q, %v", answer, err)
		}
		if scraped := g.must(http.StatusOK, "GET", "/metrics", "").body; !strings.Contains(scraped, `sluice_changes_refused_total{reason="body_too_slow",via="http"} 1`) {
			t.Error("it is not counted")
		}
	})
	t.Run("E: connections beyond the limit are answered by 503", func(t *testing.T) {
		s.client.CloseIdleConnections()
		// These have had an answer and are idle. Those of the client may not be closed
		// yet.
		var open []net.Conn
		testkit.Within(t, requestBound, "as many connections are open as may be", func() bool {
			conn := g.raw("GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode == http.StatusOK {
				open = append(open, conn)
				return len(open) == most
			}
			return false
		})
		conn := g.raw("GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" ||
			!strings.Contains(string(text), fmt.Sprint(most)) || !strings.Contains(string(text), "--web.max-connections") {
			t.Errorf("%d %v %q, %v", resp.StatusCode, resp.Header, text, err)
		}
		for _, conn := range open {
			conn.Close()
		}
		testkit.Within(t, requestBound, "there is room again", func() bool {
			a, err := g.do("GET", "/-/healthy", "")
			return err == nil && a.code == http.StatusOK
		})
	})
}

func TestHeadersAreBounded(t *testing.T) {
	g := newSite(t).start()
	conn := g.raw("GET /-/healthy HTTP/1.1\r\nHost: x\r\n")
	go io.WriteString(conn, strings.Repeat("X-Long: "+strings.Repeat("x", 1000)+"\r\n", 2000)+"\r\n") // ends with the connection
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%v, %v, want 431", resp, err)
	}
}

// A whole page of another program, without its types, collides with many families of
// the gateway itself. The refusal begins with their number and stays short.
func TestAPageWithoutTypesIsRefusedInShort(t *testing.T) {
	g := newSite(t).start()
	var page strings.Builder
	for line := range strings.Lines(g.must(http.StatusOK, "GET", "/metrics", "").body) {
		if !strings.HasPrefix(line, "#") {
			page.WriteString(line)
		}
	}
	a := g.must(http.StatusBadRequest, "PUT", "/metrics/job/node", page.String())
	first, rest, _ := strings.Cut(a.body, "\n")
	if !strings.Contains(first, "families of this push collide with the gateway's own: ") || !strings.Contains(rest, "TYPE") || len(a.body) >= 1000 {
		t.Errorf("%d bytes: %s", len(a.body), a.body)
	}
	t.Log(a.body)
	g.scrape()
}

func TestLimitsHaveFlags(t *testing.T) {
	g := newSite(t).start("--push.max-series=3", "--push.max-labels=4", "--push.max-label-bytes=100", "--push.max-bytes=10000")
	f := func(code int, key, body string, flag string) {
		t.Helper()
		if a := g.must(code, "PUT", "/metrics"+key, body); !strings.Contains(a.body, flag) || len(a.body) >= 1000 {
			t.Errorf("%q does not name %s", a.body, flag)
		}
	}
	f(200, "/job/x", "a 1\nb 1\nc 1\n", "")
	f(413, "/job/x", "a 1\nb 1\nc 1\nd 1\n", "--push.max-series")
	f(413, "/job/x", "a{a=\"1\",b=\"2\",c=\"3\",d=\"4\"} 1\n", "--push.max-labels")
	f(413, "/job/x", "a{a=\""+strings.Repeat("x", 101)+"\"} 1\n", "--push.max-label-bytes")
	f(400, "/job/"+strings.Repeat("x", 101), "a 1\n", "--push.max-label-bytes")
	f(413, "/job/x", strings.Repeat("# a\n", 3000), "--push.max-bytes")
}
