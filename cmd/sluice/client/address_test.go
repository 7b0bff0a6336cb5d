package client

import (
	"net/url"
	"strings"
	"testing"
)

func TestParseAddresses(t *testing.T) {
	f := func(lists []string, want string) {
		t.Helper()
		got, err := ParseAddresses(lists)
		if err != nil {
			t.Errorf("%q: %v", lists, err)
			return
		}
		var all []string
		for _, u := range got {
			all = append(all, u.String())
		}
		if strings.Join(all, " ") != want {
			t.Errorf("%q: got %q, want %q", lists, all, want)
		}
	}
	f([]string{"a:9091"}, "http://a:9091")
	f([]string{"a"}, "http://a")
	f([]string{"a:9091, b:9092,", "c:9093"}, "http://a:9091 http://b:9092 http://c:9093")
	f([]string{"a:1,a:1,http://a:1/"}, "http://a:1")
	f([]string{"[::1]:9091"}, "http://[::1]:9091")
	f([]string{"a:9091/prefix/"}, "http://a:9091/prefix")
	f([]string{"https://u:p%2Cq@gw.example/x/y%20z//"}, "https://u:p,q@gw.example/x/y%20z")

	g := func(list, want string) {
		t.Helper()
		if _, err := ParseAddresses([]string{list}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v, want %q", list, err, want)
		}
	}
	g("", "no address given")
	g(" , ", "no address given")
	g("ftp://u:secret@a", "scheme")
	g("http://u:secret@", "no host")
	g("a:9091?x=y", "more than a path")
	g("http://u:secret@a:port", "invalid port")
	g("http://u:secret@a/%zz", "invalid URL escape")
}

func TestBelow(t *testing.T) {
	f := func(base, path, want string) {
		t.Helper()
		all, err := ParseAddresses([]string{base})
		if err != nil {
			t.Fatal(err)
		}
		got, err := below(all[0], path, url.Values{"ttl": {"1h 1m"}})
		if err != nil || got.String() != want+"?ttl=1h+1m" {
			t.Errorf("%s, %s: got %v, %v, want %s", base, path, got, err, want)
		}
	}
	f("a:1", "/metrics/job/x", "http://a:1/metrics/job/x")
	f("a:1/p", "/metrics/job/x/a/", "http://a:1/p/metrics/job/x/a/")
	f("a:1/p%2Fq/", "/metrics/job/b%20c/a/x%2Fy", "http://a:1/p%2Fq/metrics/job/b%20c/a/x%2Fy")
	f("a:1", "/metrics/job@base64/=", "http://a:1/metrics/job@base64/=")
}
