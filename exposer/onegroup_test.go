package exposer

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/promslog"

	"sluice/store"
)

// withDead is a store with a living group with and without a time to live, and a
// dead one.
func withDead(tb testing.TB) *store.Store {
	tb.Helper()
	s := filled(tb, map[string]string{"/job/a/instance/1": "# TYPE t_a gauge\nt_a{instance=\"1\",job=\"a\"} 1\nt_a{instance=\"1\",job=\"a\",x=\"y\"} 2\n"})
	s.Apply(2, store.Event{Op: store.OpPut, Key: keyOf(tb, "/job@base64/YS9i/b/x"), PushTime: 1_500_000_000e9, Expires: 1_500_000_060e9, Origin: "http 1"})
	s.Apply(3, store.Event{Op: store.OpExpire, Key: keyOf(tb, "/job/a/instance/0"), PushTime: 1_500_000_000e9, FailTime: 1_500_000_001e9, Refusal: "why", Expires: 1_500_000_030e9, Forget: 1_500_000_090e9})
	return s
}

func keyOf(tb testing.TB, path string) store.Key {
	tb.Helper()
	key, err := store.ParseKey(path)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// One group alone: its families, 404 for one that is unknown, 410 for a dead one.
func TestOneGroup(t *testing.T) {
	s := withDead(t)
	scraper := newTestScraper(s, true)
	get := func(path string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/group"+path, nil)
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		scraper.Group(func(*http.Request) (store.Key, error) { return store.ParseKey(path) })(w, r)
		return w
	}
	w := get("/job/a/instance/1")
	names := []string{}
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "# TYPE ") {
			names = append(names, strings.Fields(line)[2])
		}
	}
	if w.Code != 200 || !slices.Equal(names, []string{"push_failure_time_seconds", "push_time_seconds", "t_a"}) || strings.Contains(w.Body.String(), "instance=\"0\"") {
		t.Errorf("got %d\n%s", w.Code, w.Body)
	}
	if w := get("/job/a/instance/1", "Accept-Encoding", "gzip"); w.Code != 200 || w.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("gzip: got %d %v", w.Code, w.Header())
	}
	if w := get("/job/a/instance/1", "Accept", protobufHeader); w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/vnd.google.protobuf") {
		t.Errorf("protobuf: got %d %v", w.Code, w.Header())
	}
	if w := get("/job@base64/YS9i/b/x"); w.Code != 200 || !strings.Contains(w.Body.String(), `sluice_group_up{b="x",instance="",job="a/b"} 1`) {
		t.Errorf("a key in base64: got %d %s", w.Code, w.Body)
	}
	for path, want := range map[string]int{"/job/a/instance/0": 410, "/job/none": 404, "/job": 400} {
		if w := get(path); w.Code != want || w.Body.Len() == 0 {
			t.Errorf("%s: got %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
	scraper = newTestScraper(s, false)
	if w := get("/job/a/instance/1"); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("while not ready: got %d", w.Code)
	}
}

// Both ways to the gateway's own families count the living and the dead.
func TestGroupsAreCounted(t *testing.T) {
	s := withDead(t)
	w := httptest.NewRecorder()
	SelfHandler(NewSelfMetrics(), s, promslog.NewNopLogger()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/-/metrics", nil))
	for name, text := range map[string]string{"/-/metrics": w.Body.String(), "/metrics": scrape(newTestScraper(s, true)).Body.String()} {
		if !strings.Contains(text, "\nsluice_groups 2\n") || !strings.Contains(text, "\nsluice_groups_dead 1\n") {
			t.Errorf("%s does not count two groups and a dead one", name)
		}
	}
}
