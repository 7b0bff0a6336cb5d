package ingest

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/route"
)

func TestRedirectsAreCounted(t *testing.T) {
	for _, test := range []struct{ prefix, method, target, kind, counted string }{
		{"", "PUT", "//metrics/job/x", kindFirstSlash, "put"},
		{"/pg", "PUT", "/pg//metrics/job/x", kindFirstSlash, "put"},
		{"", "POST", "/metrics//job/x", kindDouble, "post"},
		{"", "PUT", "/metrics/job//a/b", kindEmptyValue, "put"},
		{"/pg", "DELETE", "/pg/metrics/job/x/a//b/c", kindEmptyValue, "delete"},
		{"", "PUT", "/metrics/./job/x", kindDots, "put"},
		{"", "PUT", "/metrics/job/x/../y", kindDots, "put"},
		{"", "PUT", "/METRICS/job/x", kindOther, "put"},
		{"", "GET", "/metrics/", kindLastSlash, "other"},
		{"", "GET", "/metrics", "", ""},
		{"", "PUT", "/metrics/job/x", "", ""},
		{"", "PUT", "/metrics/job/x/a/", "", ""},
		{"", "PUT", "/nowhere", "", ""},
	} {
		r := route.New()
		ok := func(http.ResponseWriter, *http.Request) {}
		r.Get(test.prefix+"/metrics", ok)
		for _, add := range []func(string, http.HandlerFunc){r.Put, r.Post, r.Del} {
			add(test.prefix+"/metrics/job/:job", ok)
			add(test.prefix+"/metrics/job/:job/*labels", ok)
		}
		mux := http.NewServeMux()
		mux.Handle("/", r)
		m := NewMetrics(nil)
		var log bytes.Buffer
		watch := NewPaths(test.prefix, m, slog.New(slog.NewTextHandler(&log, nil))).Watch(mux)
		for range 2 {
			watch.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(test.method, test.target, nil))
		}
		name := test.method + " " + test.target
		if test.kind == "" {
			n := testutil.ToFloat64(m.redirects.WithLabelValues(kindFirstSlash, "post")) // the only one there before
			if kinds := testutil.CollectAndCount(m.redirects); kinds != 1 || n != 0 || log.Len() > 0 {
				t.Errorf("%s: got %d kinds, %v counts and log %q, want none", name, kinds, n, log.String())
			}
			continue
		}
		if got := testutil.ToFloat64(m.redirects.WithLabelValues(test.kind, test.counted)); got != 2 {
			t.Errorf("%s: counted %v of kind %s, want 2", name, got, test.kind)
		}
		logged := 1
		if test.counted == "other" {
			logged = 0 // nothing is lost
		}
		if got := strings.Count(log.String(), "\n"); got != logged {
			t.Errorf("%s: got log %q, want %d lines", name, log.String(), logged)
		}
	}
}

func TestEncodedSlashIsLogged(t *testing.T) {
	var log bytes.Buffer
	watch := NewPaths("", NewMetrics(nil), slog.New(slog.NewTextHandler(&log, nil))).Watch(http.NotFoundHandler())
	for range 2 {
		watch.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("PUT", "/metrics/job/x/path/%2fvar%2ftmp", nil))
	}
	if strings.Count(log.String(), "label@base64") != 1 || !strings.Contains(log.String(), "%2fvar") {
		t.Errorf("got log %q, want one line", log.String())
	}
}
