package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/route"

	"sluice/store"
)

func newTestAPI(s *store.Store, recent ...store.Refusal) http.Handler {
	r := route.New()
	status := Status{Build: map[string]string{"version": "1"}, Flags: map[string]string{"a": "b"}, Start: time.Unix(1, 0).UTC()}
	New(s, Config{
		Ready: func() bool { return true }, Refusals: func() []store.Refusal { return recent }, Status: status,
	}, promslog.NewNopLogger()).Register(r, func(_ string, h http.HandlerFunc) http.HandlerFunc { return h })
	return r
}

func getJSON(tb testing.TB, h http.Handler, path string) any {
	tb.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		tb.Fatalf("got %d with %v", w.Code, w.Header())
	}
	var got any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		tb.Fatalf("%v in %s", err, w.Body)
	}
	return got
}

func wantJSON(tb testing.TB, got any, want string) {
	tb.Helper()
	var parsed any
	if err := json.Unmarshal([]byte(want), &parsed); err != nil {
		tb.Fatal(err)
	}
	if !reflect.DeepEqual(got, parsed) {
		text, err := json.Marshal(got)
		tb.Errorf("got %s (%v), want %s", text, err, want)
	}
}

func TestAPIMetrics(t *testing.T) {
	wantJSON(t, getJSON(t, newTestAPI(store.New(store.Settings{})), "/metrics"), `{"status":"success","data":[]}`)
	s := filled(t, map[string]string{"/job/a/z/1": "# HELP t_a help\n# TYPE t_a counter\nt_a{instance=\"\",job=\"a\",z=\"1\"} 1e+06\n" +
		"# TYPE t_h histogram\nt_h_bucket{instance=\"\",job=\"a\",z=\"1\",le=\"1\"} 1\nt_h_bucket{instance=\"\",job=\"a\",z=\"1\",le=\"+Inf\"} 2\nt_h_sum{instance=\"\",job=\"a\",z=\"1\"} 3\nt_h_count{instance=\"\",job=\"a\",z=\"1\"} 2\n" +
		"# TYPE t_s summary\nt_s{instance=\"\",job=\"a\",z=\"1\",quantile=\"0.5\"} NaN\nt_s_sum{instance=\"\",job=\"a\",z=\"1\"} 3\nt_s_count{instance=\"\",job=\"a\",z=\"1\"} 2\n"})
	wantJSON(t, getJSON(t, newTestAPI(s), "/metrics"), `{"status":"success","data":[{
		"labels":{"job":"a","z":"1"},"last_push_successful":true,
		"push_time_seconds":{"time_stamp":"2017-07-14T02:40:00Z","type":"GAUGE","help":"Last Unix time when changing this group in the Pushgateway succeeded.","metrics":[{"labels":{"instance":"","job":"a","z":"1"},"value":"1.5e+09"}]},
		"push_failure_time_seconds":{"time_stamp":"2017-07-14T02:40:00Z","type":"GAUGE","help":"Last Unix time when changing this group in the Pushgateway failed.","metrics":[{"labels":{"instance":"","job":"a","z":"1"},"value":"0"}]},
		"t_a":{"time_stamp":"2017-07-14T02:40:00Z","type":"COUNTER","help":"help","metrics":[{"labels":{"instance":"","job":"a","z":"1"},"value":"1e+06"}]},
		"t_h":{"time_stamp":"2017-07-14T02:40:00Z","type":"HISTOGRAM","metrics":[{"labels":{"instance":"","job":"a","z":"1"},"count":"2","sum":"3","buckets":{"1":"1","+Inf":"2"}}]},
		"t_s":{"time_stamp":"2017-07-14T02:40:00Z","type":"SUMMARY","metrics":[{"labels":{"instance":"","job":"a","z":"1"},"count":"2","sum":"3","quantiles":{"0.5":"NaN"}}]}
	}]}`)
}

func TestAPIStatus(t *testing.T) {
	wantJSON(t, getJSON(t, newTestAPI(store.New(store.Settings{})), "/status"),
		`{"status":"success","data":{"build_information":{"version":"1"},"flags":{"a":"b"},"start_time":"1970-01-01T00:00:01Z"}}`)
}

// The last refusal of each group, from what this gateway remembers and from what
// the groups have noted, the newer one of both.
func TestAPIRefusals(t *testing.T) {
	s := store.New(store.Settings{})
	key := func(path string) store.Key {
		k, err := store.ParseKey(path)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	s.Apply(1, store.Event{Op: store.OpFail, Key: key("/job/noted"), FailTime: 1e9, Refusal: "why"})
	s.Apply(2, store.Event{Op: store.OpFail, Key: key("/job/newer"), FailTime: 5e9, Refusal: "elsewhere"})
	s.Apply(3, store.Event{Op: store.OpFail, Key: key("/job/older"), FailTime: 3e9, Refusal: "the same"})
	s.Apply(4, store.Event{Op: store.OpPut, Key: key("/job/fine"), PushTime: 4e9})
	api := newTestAPI(s,
		store.Refusal{Key: key("/job/older"), Time: 4e9, Status: 400, Reason: "inconsistent", Message: "the same", Origin: "http 1"},
		store.Refusal{Key: key("/job/newer"), Time: 3e9, Status: 400, Message: "here"},
		store.Refusal{Key: key("/job/x/a/b"), Time: 2e9, Status: 413, Reason: "too_large", Message: "big"})
	newer := `{"labels":{"job":"newer"},"group":"/job/newer","time":"1970-01-01T00:00:05Z","message":"elsewhere"}`
	older := `{"labels":{"job":"older"},"group":"/job/older","time":"1970-01-01T00:00:04Z","status":400,"reason":"inconsistent","message":"the same","origin":"http 1"}`
	x := `{"labels":{"job":"x","a":"b"},"group":"/job/x/a/b","time":"1970-01-01T00:00:02Z","status":413,"reason":"too_large","message":"big"}`
	noted := `{"labels":{"job":"noted"},"group":"/job/noted","time":"1970-01-01T00:00:01Z","message":"why"}`
	for query, want := range map[string]string{
		"":                        newer + "," + older + "," + x + "," + noted,
		"?limit=2":                newer + "," + older,
		"?group=/job/x/a/b":       x,
		"?group=/job/fine":        "",
		"?group=/job/y&limit=100": "",
	} {
		wantJSON(t, getJSON(t, api, "/refusals"+query), `{"status":"success","data":[`+want+`]}`)
	}
	for _, query := range []string{"?limit=0", "?limit=x", "?limit=1001", "?group=x"} {
		w := httptest.NewRecorder()
		api.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/refusals"+query, nil))
		if w.Code != 400 || !strings.Contains(w.Body.String(), `"errorType":"bad_data"`) {
			t.Errorf("%s: got %d %s, want 400", query, w.Code, w.Body)
		}
	}
}
