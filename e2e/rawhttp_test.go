package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A rawConn is a connection on which the test writes bytes that no client library would
// write.
type rawConn struct {
	t *testing.T
	net.Conn
	answers *bufio.Reader
}

func (g *sluice) dialRaw(t *testing.T) *rawConn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(g.url, "http://"), requestBound)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(requestBound)); err != nil {
		t.Fatal(err)
	}
	return &rawConn{t, conn, bufio.NewReader(conn)}
}

func (c *rawConn) write(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads the next answer, which must have this code.
func (c *rawConn) answer(code int) answer {
	c.t.Helper()
	resp, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		c.t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != code {
		c.t.Errorf("answered by %d %q, want %d", resp.StatusCode, body, code)
	}
	return answer{resp.StatusCode, string(body), resp.Header}
}

// closed reports whether the gateway has closed the connection after its answers.
func (c *rawConn) closed() bool {
	_, err := c.answers.ReadByte()
	return err == io.EOF
}

// request writes a request with a body and its length.
func request11(method, path, body string, headers ...string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n%s\r\n%s", method, path, len(body), strings.Join(append(headers, ""), "\r\n"), body)
}

// What devices, proxies and old programs write on a connection. Each case
// starts with an empty gateway and ends with what it shows.
func TestTransportHabits(t *testing.T) {
	g := newSite(t).start("--web.enable-admin-api")
	f := func(name string, talk func(*rawConn), shows ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			g.must(http.StatusAccepted, http.MethodPut, "/api/v1/admin/wipe", "")
			talk(g.dialRaw(t))
			if lines, _ := g.scrape().withoutTimes(); !slices.Equal(lines, shows) {
				t.Errorf("shown is %q, want %q", lines, shows)
			}
		})
	}
	const head = "POST /metrics/job/x HTTP/1.1\r\nHost: gateway\r\n"
	one := "a" + jobX() + " 1"

	f("HTTP/1.0 of old shells: the connection is closed after the answer", func(c *rawConn) {
		c.write("POST /metrics/job/x HTTP/1.0\r\nContent-Length: 4\r\n\r\na 1\n")
		c.answer(200)
		if !c.closed() {
			c.t.Error("the connection is open")
		}
	}, one)
	f("HTTP/1.0 with keep-alive: the connection stays", func(c *rawConn) {
		for range 2 {
			c.write("POST /metrics/job/x HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\na 1\n")
			c.answer(200)
		}
	}, one)
	f("bare line feeds instead of CR LF in the head", func(c *rawConn) {
		c.write("POST /metrics/job/x HTTP/1.1\nHost: gateway\nContent-Length: 4\n\na 1\n")
		c.answer(200)
	}, one)
	f("Content-Length smaller than the body: the first bytes count", func(c *rawConn) {
		c.write(head + "Content-Length: 4\r\nConnection: close\r\n\r\na 1\nb 2\n")
		c.answer(200)
	}, one)
	f("no body and no length", func(c *rawConn) {
		c.write(head + "\r\n")
		c.answer(200)
	})
	f("a broken line: the body ends early, the old state stays", func(c *rawConn) {
		c.write(request11("POST", "/metrics/job/x", "a 1\n"))
		c.answer(200)
		c.write(head + "Content-Length: 100\r\n\r\na 2\n")
		c.closeWrite()
		c.answer(400)
	}, one)
	f("a broken line: a chunked body ends early, the old state stays", func(c *rawConn) {
		c.write(request11("POST", "/metrics/job/x", "a 1\n"))
		c.answer(200)
		c.write(head + "Transfer-Encoding: chunked\r\n\r\n4\r\na 2\n\r\n")
		c.closeWrite()
		c.answer(400)
	}, one)
	f("a chunk whose size is no number is refused", func(c *rawConn) {
		c.write(head + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nxyz\r\na 2\n\r\n0\r\n\r\n")
		c.answer(400)
	})
	f("chunks in the middle of words", func(c *rawConn) {
		c.write(head + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\n 1\r\n1\r\n\n\r\n0\r\n\r\n")
		c.answer(200)
	}, one)
	f("prom-client's chunks with an extension and a trailer field", func(c *rawConn) {
		c.write(head + "Transfer-Encoding: chunked\r\nTrailer: X-Check\r\n\r\n4;name=value\r\na 1\n\r\n0\r\nX-Check: 1\r\n\r\n")
		c.answer(200)
		c.write(request11("POST", "/metrics/job/x", "a 1\n")) // the trailer was read to its end
		c.answer(200)
	}, one)
	f("both a length and chunks: the chunks count and the connection ends", func(c *rawConn) {
		c.write(head + "Content-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n0\r\n\r\n")
		c.answer(200)
	}, one)
	f("two different lengths are refused", func(c *rawConn) {
		c.write(head + "Content-Length: 4\r\nContent-Length: 5\r\n\r\na 1\n")
		c.answer(400)
	})

	f("Expect: 100-continue is answered before the body", func(c *rawConn) {
		c.write(head + "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n")
		c.answer(100)
		c.write("a 1\n")
		c.answer(200)
	}, one)
	f("Expect: 100-continue on a wrong path: refused without asking for the body", func(c *rawConn) {
		c.write("PUT /metrics/job/x/a HTTP/1.1\r\nHost: gateway\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
		c.answer(400)
	})
	f("Expect: 100-continue on an unknown path: not found without asking for the body", func(c *rawConn) {
		c.write("PUT /metrics/metrics/job/x HTTP/1.1\r\nHost: gateway\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
		c.answer(404)
	})
	f("any other expectation fails", func(c *rawConn) {
		c.write(head + "Content-Length: 4\r\nExpect: foo\r\n\r\n")
		c.answer(417)
	})

	f("keep-alive after a refusal: the connection stays usable", func(c *rawConn) {
		for _, refused := range []string{"bad", "a 2", "a 2 1000\n", "\xff\n"} {
			c.write(request11("POST", "/metrics/job/x", refused))
			c.answer(400)
		}
		c.write(request11("GET", "/nowhere", ""))
		c.answer(404)
		c.write(request11("POST", "/metrics/job/x/odd", "a 2\n"))
		c.answer(400)
		c.write(request11("POST", "/metrics/job/x", "a 1\n"))
		c.answer(200)
	}, one)
	f("pipelining: the answers come in order", func(c *rawConn) {
		c.write(request11("PUT", "/metrics/job/x", "a 1\n") + request11("DELETE", "/metrics/job/x", "") + request11("PUT", "/metrics/job/x/b", "a 2\n") + request11("PUT", "/metrics/job/x", "a 3\n"))
		for _, code := range []int{200, 202, 400, 200} {
			c.answer(code)
		}
	}, "a"+jobX()+" 3")
	f("a proxy's absolute form of the target", func(c *rawConn) {
		c.write(request11("PUT", "http://gateway/metrics/job/x", "a 1\n"))
		c.answer(200)
	}, one)
	f("an absolute form with another host and scheme", func(c *rawConn) {
		c.write(request11("PUT", "https://elsewhere:1234/metrics/job/x?query=1", "a 1\n"))
		c.answer(200)
	}, one)
	f("an absolute form with an encoded slash is the path as it stands", func(c *rawConn) {
		c.write(request11("PUT", "http://gateway/metrics/job/x/p@base64/YS9i", "a 1\n"))
		c.answer(200)
	}, "a"+jobX(`p="a/b"`)+" 1")
	f("no Host header in HTTP/1.1 is refused", func(c *rawConn) {
		c.write("POST /metrics/job/x HTTP/1.1\r\nContent-Length: 4\r\n\r\na 1\n")
		c.answer(400)
	})
	f("a method in lower case is not allowed", func(c *rawConn) {
		for _, method := range []string{"put", "post", "delete"} {
			c.write(request11(method, "/metrics/job/x", "a 1\n"))
			c.answer(405)
		}
	})
	f("2 MB of headers are too many", func(c *rawConn) {
		// The gateway closes the connection before it has read the headers, so a slow
		// client may see the end before the answer. Then the test asks again.
		for attempt := 1; ; attempt++ {
			written := make(chan struct{})
			go func() {
				defer close(written)
				io.WriteString(c, head+"X-Long: "+strings.Repeat("a", 2<<20)+"\r\nContent-Length: 4\r\n\r\na 1\n") // fails when the gateway has had enough
			}()
			resp, err := http.ReadResponse(c.answers, nil)
			c.Close()
			<-written
			if err == nil && resp.StatusCode == http.StatusRequestHeaderFieldsTooLarge {
				return
			}
			if err == nil || attempt == 5 {
				c.t.Fatalf("answered by %+v, %v", resp, err)
			}
			c = g.dialRaw(c.t)
		}
	})
	f("noise instead of HTTP is refused", func(c *rawConn) {
		c.write("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
		c.answer(400)
	})
	f("a version that does not exist is refused", func(c *rawConn) {
		c.write("POST /metrics/job/x HTTP/9.9\r\nHost: gateway\r\nContent-Length: 4\r\n\r\na 1\n")
		c.answer(505)
	})
	f("OPTIONS of a browser on a group: what is allowed, no CORS header", func(c *rawConn) {
		c.write(request11("OPTIONS", "/metrics/job/x", "", "Origin: http://page", "Access-Control-Request-Method: PUT"))
		a := c.answer(200)
		if a.header.Get("Allow") == "" || a.header.Get("Access-Control-Allow-Origin") != "" {
			c.t.Errorf("headers are %v", a.header)
		}
	})
	f("OPTIONS of a browser on the API: CORS headers", func(c *rawConn) {
		c.write(request11("OPTIONS", "/api/v1/metrics", "", "Origin: http://page", "Access-Control-Request-Method: GET"))
		if a := c.answer(200); a.header.Get("Access-Control-Allow-Origin") == "" {
			c.t.Errorf("headers are %v", a.header)
		}
	})
}

// closeWrite closes the writing side of the connection. The client can still read.
func (c *rawConn) closeWrite() {
	c.t.Helper()
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		c.t.Fatal(err)
	}
}

// A client that never finishes its headers is cut off.
func TestHeadersThatNeverEndAreCutOff(t *testing.T) {
	t.Parallel()
	c := newSite(t).start().dialRaw(t)
	c.write("POST /metrics/job/x HTTP/1.1\r\nHost: gateway\r\nX-Slow: ")
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if _, err := io.Copy(io.Discard, c); err != nil { // until it is closed from the other side
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}

// Of two conflicting pushes at the same time one wins, and the scrape stays consistent,
// as with Pushgateway.
func TestOfClashingPushesAtOnceOneSideWins(t *testing.T) {
	g := newSite(t).start("--web.enable-admin-api")
	for range 5 {
		g.must(http.StatusAccepted, http.MethodPut, "/api/v1/admin/wipe", "")
		codes := make(chan [2]int, 20)
		for k := range cap(codes) {
			go func() {
				kind := []string{"counter", "gauge"}[k%2]
				a, err := g.do(http.MethodPut, fmt.Sprintf("/metrics/job/c%d", k), "# TYPE z "+kind+"\nz 1\n")
				if err != nil {
					a.code = 0
				}
				codes <- [2]int{k % 2, a.code}
			}()
		}
		seen := map[[2]int]int{}
		for range cap(codes) {
			seen[<-codes]++
		}
		counters := seen[[2]int{0, 200}] == 10 && seen[[2]int{1, 400}] == 10
		gauges := seen[[2]int{1, 200}] == 10 && seen[[2]int{0, 400}] == 10
		if !counters && !gauges {
			t.Errorf("side and code, and how often: %v, want 10 of one side accepted and 10 of the other refused", seen)
		}
		if lines, _ := g.scrape().withoutTimes(); len(lines) != 10 {
			t.Errorf("%d series are shown, want 10", len(lines))
		}
	}
}

// A whole page of another program is a normal push. Here it is the gateway's own page,
// whose families have the types of those that the gateway exposes (vector#20381).
func TestAWholePageIsANormalPush(t *testing.T) {
	g := newSite(t).start()
	own := g.must(http.StatusOK, http.MethodGet, "/metrics", "").body
	for _, path := range []string{"/metrics/job/node/instance/h1", "/metrics/job/node/instance/h2"} {
		g.must(http.StatusOK, http.MethodPut, path, own)
	}
	var page strings.Builder
	for i := range 100 {
		fmt.Fprintf(&page, "# HELP node_f%d family %d\n# TYPE node_f%d gauge\n", i, i, i)
		for k := range 10 {
			fmt.Fprintf(&page, "node_f%d{cpu=\"%d\"} %d\n", i, k, i*k)
		}
	}
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/node/instance/h3", page.String())
	e := g.scrape()
	if e.samples[`go_goroutines{instance="h1",job="node"}`] == "" || len(e.of("instance", "h3")) != 1000+2 {
		t.Errorf("shown are %d series of the page and %q goroutines", len(e.of("instance", "h3")), e.samples[`go_goroutines{instance="h1",job="node"}`])
	}
}
