package ingest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice/bus"
)

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

func TestSlowBodies(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	const timeout = 300 * time.Millisecond
	server := httptest.NewServer(Paced(g.handler, timeout))
	t.Cleanup(server.Close)
	const chunked = "POST /metrics/job/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

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
	t.Run("E: a body that drips is answered by 408", func(t *testing.T) {
		conn := dial(t, server, chunked)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				if _, err := io.WriteString(conn, "1\r\n#\r\n"); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1 408 ") {
			t.Errorf("%q, %v", line, err)
		}
		conn.Close()
		<-done
	})
	t.Run("E: a slow but steady body is taken", func(t *testing.T) {
		conn := dial(t, server, chunked)
		text := "# " + strings.Repeat("x", 700) + "\n"
		for range 8 {
			if _, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(text), text); err != nil {
				t.Fatal(err)
			}
			time.Sleep(timeout / 2)
		}
		if _, err := io.WriteString(conn, "4\r\na 1\n\r\n0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1 200 ") {
			t.Errorf("%q, %v", line, err)
		}
	})
	t.Run("E: the body of a refused request does not hold its connection", func(t *testing.T) {
		conn := dial(t, server, strings.Replace(chunked, "job/x", "job/x/odd", 1))
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
			t.Errorf("%q, %v", answer, err)
		}
	})
	t.Run("S: a connection is kept for longer than that", func(t *testing.T) {
		conn := dial(t, server, "")
		r := bufio.NewReader(conn)
		for range 3 {
			io.WriteString(conn, "POST /metrics/job/x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\na 1\n")
			resp, err := http.ReadResponse(r, nil)
			if err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
			time.Sleep(timeout * 3 / 2)
		}
	})
}

// A handler that has read its body may take its time.
func TestPacedEndsWithTheBody(t *testing.T) {
	const timeout = 100 * time.Millisecond
	ended := make(chan error, 1)
	server := httptest.NewServer(Paced(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		ctx, cancel := context.WithTimeout(r.Context(), 4*timeout)
		defer cancel()
		<-ctx.Done()
		ended <- r.Context().Err()
	}), timeout))
	defer server.Close()
	resp, err := http.Post(server.URL, "", strings.NewReader("body"))
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if err := <-ended; err != nil {
		t.Errorf("the request has ended: %v", err)
	}
}
