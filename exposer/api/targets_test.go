package api

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/route"

	"sluice/store"
)

// filled returns a store with the given canonical texts by path of their group.
func filled(tb testing.TB, groups map[string]string) *store.Store {
	tb.Helper()
	s := store.New(store.Settings{})
	seq := uint64(0)
	for path, text := range groups {
		key, err := store.ParseKey(path)
		if err != nil {
			tb.Fatal(err)
		}
		families, err := store.ParseText([]byte(text))
		if err != nil {
			tb.Fatal(err)
		}
		seq++
		s.Apply(seq, store.Event{Op: store.OpPut, Key: key, PushTime: 1_500_000_000_000_000_000, Families: families})
	}
	return s
}

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

func apiOf(s *store.Store, ready bool, reached Address) http.Handler {
	r := route.New()
	cfg := Config{Ready: func() bool { return ready }, Refusals: func() []store.Refusal { return nil }, Address: reached}
	New(s, cfg, promslog.NewNopLogger()).Register(r, func(_ string, h http.HandlerFunc) http.HandlerFunc { return h })
	return r
}

func TestTargets(t *testing.T) {
	s := withDead(t)
	a0 := `{"targets":["gw:9091"],"labels":{"job":"a","instance":"0","__scheme__":"http","__metrics_path__":"/group/job/a/instance/0"}}`
	a1 := strings.ReplaceAll(a0, `0"`, `1"`)
	wantJSON(t, getJSON(t, apiOf(s, true, Address{External: &url.URL{Scheme: "http", Host: "gw:9091"}}), "/targets?match[]={job=\"a\"}"), "["+a0+","+a1+"]")
	for query, want := range map[string]int{
		"":                   3,
		"?match[]=job=\"a\"": 2,
		"?match[]={instance=\"0\"}&match[]={job=\"a/b\"}": 2,
		"?match[]={job=\"none\"}":                         0,
		"?shard=0/1":                                      3,
	} {
		if got := getJSON(t, apiOf(s, true, Address{}), "/targets"+query).([]any); len(got) != want {
			t.Errorf("%s: got %v, want %d targets", query, got, want)
		}
	}
	// Every group is in one shard.
	seen := map[string]int{}
	for _, shard := range []string{"0/3", "1/3", "2/3"} {
		for _, one := range getJSON(t, apiOf(s, true, Address{}), "/targets?shard="+shard).([]any) {
			seen[one.(map[string]any)["labels"].(map[string]any)["__metrics_path__"].(string)]++
		}
	}
	if len(seen) != 3 {
		t.Errorf("got %v, want all groups in one shard each", seen)
	}
	for path, n := range seen {
		if n != 1 {
			t.Errorf("%s is in %d shards", path, n)
		}
	}
	for _, query := range []string{"?shard=3/3", "?shard=-1/3", "?shard=1", "?shard=a/b", "?shard=0/0", "?shard=0/100001", "?match[]=up", "?match[]={"} {
		w := httptest.NewRecorder()
		apiOf(s, true, Address{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/targets"+query, nil))
		if w.Code != 400 || !strings.Contains(w.Body.String(), "bad_data") {
			t.Errorf("%s: got %d %s, want 400", query, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	apiOf(s, false, Address{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/targets", nil))
	if w.Code != 503 {
		t.Errorf("while not ready: got %d, want 503: an empty list would drop all targets", w.Code)
	}
}

// Where the groups are reached: at what the request was sent to, or at the
// external URL.
func TestTargetAddress(t *testing.T) {
	s := withDead(t)
	r := httptest.NewRequest(http.MethodGet, "/targets?match[]={instance=\"1\"}", nil)
	r.Host, r.TLS = "10.0.0.1:9091", &tls.ConnectionState{}
	for want, reached := range map[string]Address{
		"10.0.0.1:9091 https /pg/group/job/a/instance/1": {Prefix: "/pg"},
		"gw.example.org http /group/job/a/instance/1":    {External: &url.URL{Scheme: "http", Host: "gw.example.org"}},
	} {
		w := httptest.NewRecorder()
		apiOf(s, true, reached).ServeHTTP(w, r)
		var got []Target
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got) != 1 {
			t.Fatalf("%v in %s", err, w.Body)
		}
		if have := got[0].Targets[0] + " " + got[0].Labels["__scheme__"] + " " + got[0].Labels["__metrics_path__"]; have != want {
			t.Errorf("got %s, want %s", have, want)
		}
	}
}
