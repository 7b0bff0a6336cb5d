package ingest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestClientBehindProxies(t *testing.T) {
	proxies, err := ParseProxies([]string{"10.0.0.0/8", " 192.168.1.1", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	f := func(peer, headers, want string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPut, "/metrics/job/x", nil)
		r.RemoteAddr = peer
		for _, line := range strings.Split(headers, "\n") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				r.Header.Add(name, value)
			}
		}
		var got string
		Identify(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = originHTTP(r) }), proxies,
			func(*http.Request) string { return "" }).ServeHTTP(httptest.NewRecorder(), r)
		if got != "http "+want {
			t.Errorf("%s with %q: got %q, want %q", peer, headers, got, "http "+want)
		}
	}
	f("10.1.1.1:5", "", "10.1.1.1")
	f("10.1.1.1:5", "X-Forwarded-For: 203.0.113.7", "203.0.113.7")
	f("[::ffff:10.1.1.1]:5", "X-Forwarded-For: 203.0.113.7", "203.0.113.7")
	f("[fd00::1]:5", "X-Forwarded-For: 2001:db8::7", "2001:db8::7")
	f("10.1.1.1:5", "x-forwarded-for: 203.0.113.7:1234", "203.0.113.7")
	// Another peer says anything.
	f("203.0.113.9:5", "X-Forwarded-For: 203.0.113.7", "203.0.113.9")
	f("203.0.113.9:5", "Forwarded: for=203.0.113.7", "203.0.113.9")
	f("192.168.1.2:5", "X-Forwarded-For: 203.0.113.7", "192.168.1.2")
	// The client has written what is left of the rightmost untrusted address.
	f("10.1.1.1:5", "X-Forwarded-For: 1.1.1.1, 203.0.113.7", "203.0.113.7")
	f("10.1.1.1:5", "X-Forwarded-For: 1.1.1.1\nX-Forwarded-For: 203.0.113.7, 192.168.1.1", "203.0.113.7")
	f("10.1.1.1:5", "X-Forwarded-For: 10.2.2.2, 10.3.3.3", "10.2.2.2")
	f("10.1.1.1:5", "X-Forwarded-For: 1.1.1.1, unknown, 10.3.3.3", "10.3.3.3")
	f("10.1.1.1:5", "X-Forwarded-For: nonsense", "10.1.1.1")
	f("10.1.1.1:5", "X-Forwarded-For: 203.0.113.7,", "10.1.1.1")
	// RFC 7239, section 4 and 6.
	f("10.1.1.1:5", "Forwarded: for=203.0.113.7;proto=http;by=203.0.113.43", "203.0.113.7")
	f("10.1.1.1:5", `Forwarded: For="[2001:db8:cafe::17]:4711"`, "2001:db8:cafe::17")
	f("10.1.1.1:5", `Forwarded: for=1.1.1.1, for=203.0.113.7 ; host="a,b;for=9.9.9.9", for=10.9.9.9`, "203.0.113.7")
	f("10.1.1.1:5", `Forwarded: host="a\",for=9.9.9.9";for="203.0.113.7:80"`, "203.0.113.7")
	f("10.1.1.1:5", "Forwarded: for=_hidden", "10.1.1.1")
	f("10.1.1.1:5", "Forwarded: for=1.1.1.1, proto=https", "10.1.1.1")
	f("10.1.1.1:5", `Forwarded: for="1.1.1.1`, "10.1.1.1")
	f("10.1.1.1:5", "Forwarded: for=1.1.1.1;x=\"\nForwarded: for=203.0.113.7", "10.1.1.1")
	// One of two headers that differ may be the client's.
	f("10.1.1.1:5", "Forwarded: for=1.1.1.1\nX-Forwarded-For: 203.0.113.7", "10.1.1.1")
	f("10.1.1.1:5", "Forwarded: for=203.0.113.7\nX-Forwarded-For: 203.0.113.7", "203.0.113.7")
}

func TestParseProxies(t *testing.T) {
	for _, text := range []string{"", "proxy", "10.0.0.0/33", "10.0.0.0-10.0.0.9"} {
		if p, err := ParseProxies([]string{text}); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got %v, %v", text, p, err)
		}
	}
	if p, err := ParseProxies(nil); err != nil || p.Trusts("127.0.0.1:1") {
		t.Errorf("without proxies: %v, %v", p, err)
	}
}

// The user is part of the origin, and cannot forge the text.
func TestUserInOrigin(t *testing.T) {
	f := func(user, want string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPut, "/metrics/job/x", nil)
		r.RemoteAddr = "192.0.2.1:5"
		var got string
		Identify(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = originHTTP(r) }), nil,
			func(*http.Request) string { return user }).ServeHTTP(httptest.NewRecorder(), r)
		if got != want {
			t.Errorf("%q: got %q, want %q", user, got, want)
		}
	}
	f("", "http 192.0.2.1")
	f("alice", "http 192.0.2.1 alice")
	f("db1.example.org", "http 192.0.2.1 db1.example.org")
	f("two words", `http 192.0.2.1 "two words"`)
	f("a\nb", `http 192.0.2.1 "a\nb"`)
	f(strings.Repeat("x", 500), `http 192.0.2.1 "`+strings.Repeat("x", 80)+`"...`)
}
