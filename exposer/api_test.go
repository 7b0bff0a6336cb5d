package exposer

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/route"

	"sluice/store"
)

func newTestAPI(s *store.Store) http.Handler {
	r := route.New()
	status := Status{Build: map[string]string{"version": "1"}, Flags: map[string]string{"a": "b"}, Start: time.Unix(1, 0).UTC()}
	NewAPI(s, status, promslog.NewNopLogger()).Register(r, func(_ string, h http.HandlerFunc) http.HandlerFunc { return h })
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
