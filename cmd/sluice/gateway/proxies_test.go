package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/e2e/testkit"
	"sluice/ingest"
)

// origin returns who has pushed a group last, as the API says.
func (r *running) origin(job string) string {
	r.t.Helper()
	resp, err := http.Get("http://" + r.Addresses()[1].String() + "/api/v1/groups?match[]=job=%22" + job + "%22")
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Groups []struct{ Origin string }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || len(answer.Data.Groups) != 1 {
		r.t.Fatalf("%v: %+v", err, answer)
	}
	return answer.Data.Groups[0].Origin
}

// raw sends bytes to the gateway and returns the status line of the answer.
func (r *running) raw(request string) string {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.Addresses()[0].String())
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(testkit.Patience))
	if _, err := io.WriteString(conn, request); err != nil {
		r.t.Fatal(err)
	}
	answer, _ := io.ReadAll(conn)
	line, _, _ := strings.Cut(string(answer), "\r\n")
	return line
}

func pushOf(job, headers string) string {
	return fmt.Sprintf("PUT /metrics/job/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: 4\r\n\r\na 1\n", job, headers)
}

// proxyV2 is the header of version 2 for TCP over IPv4, from 203.0.113.8:1 to 10.0.0.1:2.
const proxyV2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x08\x0a\x00\x00\x01\x00\x01\x00\x02"

func TestClientAddressBehindAProxy(t *testing.T) {
	f := func(name string, trusted []string, proxyProtocol bool, before, headers, want string) {
		t.Helper()
		cfg := configOf(t)
		var err error
		if cfg.TrustedProxies, err = ingest.ParseProxies(trusted); err != nil {
			t.Fatal(err)
		}
		cfg.ProxyProtocol = proxyProtocol
		g := start(t, cfg)
		defer g.end()
		if status := g.raw(before + pushOf("x", headers)); status != "HTTP/1.1 200 OK" {
			t.Errorf("%s: got %q", name, status)
			return
		}
		if got := g.origin("x"); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	loopback := []string{"127.0.0.0/8"}
	const v1 = "PROXY TCP4 203.0.113.7 10.0.0.1 1 2\r\n"
	f("nothing", nil, false, "", "X-Forwarded-For: 203.0.113.7\r\n", "http 127.0.0.1")
	f("header of a trusted proxy", loopback, false, "", "X-Forwarded-For: 1.1.1.1, 203.0.113.7\r\n", "http 203.0.113.7")
	f("header of another peer", []string{"10.0.0.0/8"}, false, "", "X-Forwarded-For: 203.0.113.7\r\n", "http 127.0.0.1")
	f("PROXY protocol 1", loopback, true, v1, "", "http 203.0.113.7")
	f("PROXY protocol 2", loopback, true, proxyV2, "", "http 203.0.113.8")
	f("no PROXY protocol", loopback, true, "", "", "http 127.0.0.1")
	f("PROXY protocol of another peer", []string{"10.0.0.0/8"}, true, v1, "", "http 127.0.0.1")
	f("claims of an untrusted client of the PROXY protocol", loopback, true, v1, "X-Forwarded-For: 1.1.1.1\r\n", "http 203.0.113.7")
}

// Without the flag a PROXY header is a bad request.
func TestProxyProtocolNeedsItsFlag(t *testing.T) {
	g := start(t, configOf(t))
	defer g.end()
	if status := g.raw("PROXY TCP4 203.0.113.7 10.0.0.1 1 2\r\n" + pushOf("x", "")); !strings.HasPrefix(status, "HTTP/1.1 400") {
		t.Errorf("got %q, want 400", status)
	}
}

// A connection that sends nothing is closed after the time for headers, and holds up no
// other.
func TestSilentConnectionWithProxyProtocol(t *testing.T) {
	cfg := configOf(t)
	cfg.ProxyProtocol, cfg.ReadHeaderTimeout = true, time.Second
	cfg.TrustedProxies, _ = ingest.ParseProxies([]string{"127.0.0.1"})
	g := start(t, cfg)
	defer g.end()
	silent, err := net.Dial("tcp", g.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if status := g.raw(pushOf("x", "")); status != "HTTP/1.1 200 OK" {
		t.Errorf("beside a silent connection: got %q", status)
	}
	silent.SetReadDeadline(time.Now().Add(testkit.Patience))
	if _, err := io.Copy(io.Discard, silent); err != nil {
		t.Errorf("the silent connection stays open: %v", err)
	}
}

// The name in a client certificate counts only if the certificate was verified.
func TestUserOfACertificate(t *testing.T) {
	f := func(cert x509.Certificate, verified bool, want string) {
		t.Helper()
		r := &http.Request{TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{&cert}}}
		if verified {
			r.TLS.VerifiedChains = [][]*x509.Certificate{{&cert}}
		}
		if got := new(webUsers).of(r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(x509.Certificate{Subject: pkix.Name{CommonName: "db1"}}, true, "db1")
	f(x509.Certificate{Subject: pkix.Name{CommonName: "db1"}}, false, "")
	f(x509.Certificate{DNSNames: []string{"db1.example.org"}}, true, "db1.example.org")
	f(x509.Certificate{EmailAddresses: []string{"a@example.org"}}, true, "a@example.org")
	f(x509.Certificate{URIs: []*url.URL{{Scheme: "spiffe", Host: "x", Path: "/db1"}}}, true, "spiffe://x/db1")
	f(x509.Certificate{}, true, "")
}

// A name counts only if the password was checked.
func TestUserOfARequest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.yml")
	const hash = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi" // of any password
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := func(path, name, want string) {
		t.Helper()
		r, err := http.NewRequest(http.MethodPut, "http://x/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(name, "secret")
		if got := (&webUsers{path: path}).of(r); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	f("", "alice", "")
	write("basic_auth_users:\n  alice: " + hash + "\n")
	f(path, "alice", "alice")
	f(path, "bob", "")
	write("{}\n")
	f(path, "alice", "")

	users := &webUsers{path: path}
	r, _ := http.NewRequest(http.MethodPut, "http://x/", nil)
	r.SetBasicAuth("alice", "secret")
	if got := users.of(r); got != "" {
		t.Errorf("without users: got %q", got)
	}
	write("basic_auth_users:\n  alice: " + hash + "\n")
	if got := users.of(r); got != "alice" {
		t.Errorf("after a change of the file: got %q, want alice", got)
	}

	cfg := configOf(t)
	cfg.WebConfigFile = path
	g, err := New(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if g.users.of(r) != "alice" {
		t.Error("the gateway does not know its users")
	}
	if err := g.close(); err != nil {
		t.Error(err)
	}
}
