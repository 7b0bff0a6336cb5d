package page

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"sluice/exposer/api"
	"sluice/store"
)

// What is quoted comes out of a shell as it went in.
func TestShellQuote(t *testing.T) {
	for _, word := range []string{"", "plain", "~", "a b", "it's", `"$(id)" \ ` + "`id`", "a\nb", "!x", "=x", "*", "/job/a;b&c|d", "Köln", "''", "-n"} {
		out, err := exec.Command("sh", "-c", "printf %s "+shellQuote(word)).Output()
		if word == "-n" { // an option is one, quoted or not
			continue
		}
		if err != nil || string(out) != word {
			t.Errorf("%q is quoted as %s, which is read as %q (%v)", word, shellQuote(word), out, err)
		}
	}
}

func TestLines(t *testing.T) {
	key, err := store.NewKey("it's", store.Label{Name: "path", Value: "/var/a b"}, store.Label{Name: "empty"})
	if err != nil {
		t.Fatal(err)
	}
	f := func(cfg Config, flags map[string]string, ttl string, want ...string) {
		t.Helper()
		p := &Page{cfg: cfg}
		r := httptest.NewRequest(http.MethodGet, "http://gw:9091/", nil)
		l := p.lines(r, flags, key.Path(), ttl)
		var got []string
		for _, c := range append(l.Push, l.Delete...) {
			got = append(got, strings.TrimPrefix(c.Line(), sample))
		}
		got = append(got, l.NATSNote)
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%v:\n%s\nwant\n%s", flags, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	path := `/job/it'\''s/empty@base64/=/path@base64/L3Zhci9hIGI`
	f(Config{Prefix: "/pg"}, nil, "",
		`curl --data-binary @- 'http://gw:9091/pg/metrics`+path+`'`,
		`sluice push --url http://gw:9091/pg --group '`+path+`'`,
		`curl -X DELETE 'http://gw:9091/pg/metrics`+path+`'`,
		`sluice delete --url http://gw:9091/pg --group '`+path+`'`,
		"The built-in server takes no NATS clients. To accept them, set --bus.listen.")
	f(Config{External: &url.URL{Scheme: "https", Host: "push.example.org", Path: "/gw/"}, Prefix: "/pg"}, map[string]string{"bus.listen": "0.0.0.0:4222", "bus.prefix": "test"}, "",
		`curl --data-binary @- 'https://push.example.org/gw/metrics`+path+`'`,
		`sluice push --url https://push.example.org/gw --group '`+path+`'`,
		`nats --server nats://push.example.org:4222 request test.push.post -H 'Sluice-Group:`+path+`'`,
		`curl -X DELETE 'https://push.example.org/gw/metrics`+path+`'`,
		`sluice delete --url https://push.example.org/gw --group '`+path+`'`,
		`nats --server nats://push.example.org:4222 request test.push.delete -H 'Sluice-Group:`+path+`' ''`,
		"")
	f(Config{}, map[string]string{"bus.listen": "gw:4222"}, "1h30m",
		`curl --data-binary @- 'http://gw:9091/metrics`+path+`?ttl=1h30m'`,
		`sluice push --url http://gw:9091 --group '`+path+`' --ttl 1h30m`,
		`nats --server nats://gw:4222 request sluice.push.post -H 'Sluice-Group:`+path+`' -H Nats-TTL:1h30m`,
		`curl -X DELETE 'http://gw:9091/metrics`+path+`'`,
		`sluice delete --url http://gw:9091 --group '`+path+`'`,
		`nats --server nats://gw:4222 request sluice.push.delete -H 'Sluice-Group:`+path+`' ''`,
		"")
}

// A pasted line leaves the group the time to live that it has.
func TestTTLText(t *testing.T) {
	pushed := now
	f := func(g api.GroupSummary, flags map[string]string, want string) {
		t.Helper()
		if got := ttlText(g, flags); got != want {
			t.Errorf("%+v, %v: got %q, want %q", g, flags, got, want)
		}
	}
	f(api.GroupSummary{TTL: 600, PushTime: &pushed}, nil, "10m")
	f(api.GroupSummary{TTL: 90.5, PushTime: &pushed}, nil, "1m30s500ms")
	f(api.GroupSummary{TTL: 90000, PushTime: &pushed}, map[string]string{"group.ttl": "5m"}, "1d1h")
	f(api.GroupSummary{PushTime: &pushed}, nil, "")
	f(api.GroupSummary{PushTime: &pushed}, map[string]string{"group.ttl": "never", "group.rules": ""}, "")
	f(api.GroupSummary{PushTime: &pushed}, map[string]string{"group.ttl": "1h"}, "never")
	f(api.GroupSummary{PushTime: &pushed}, map[string]string{"group.rules": "r.yml"}, "never")
	f(api.GroupSummary{}, map[string]string{"group.ttl": "1h"}, "") // never accepted
}

func TestScrapeConfig(t *testing.T) {
	f := func(base, metrics, want string) {
		t.Helper()
		_, got, _ := strings.Cut(scrapeConfig(base, metrics), "push\n")
		if got != want {
			t.Errorf("%s:\n%s", base, got)
		}
	}
	f("http://gw:9091", "/metrics", "    static_configs:\n      - targets: [\"gw:9091\"]\n")
	f("https://gw/pg", "/scrape", "    scheme: https\n    metrics_path: \"/pg/scrape\"\n    static_configs:\n      - targets: [\"gw:443\"]\n")
}
