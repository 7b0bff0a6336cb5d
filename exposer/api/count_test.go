package api

import (
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/prototext"

	"sluice/store"
)

// Counts have all their digits. Floating-point numbers are written as before.
func TestCountsAreExact(t *testing.T) {
	f := func(typ dto.MetricType, text string, want map[string]any, group Metric) {
		t.Helper()
		m := &dto.Metric{}
		if err := prototext.Unmarshal([]byte(text), m); err != nil {
			t.Fatal(err)
		}
		got := map[string]any{}
		if encodeValue(got, typ, m); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
		group.Labels = map[string]string{}
		if got := metricOf(m); !reflect.DeepEqual(got, group) {
			t.Errorf("%s: got %+v, want %+v", text, got, group)
		}
	}
	const histogram, summary = dto.MetricType_HISTOGRAM, dto.MetricType_SUMMARY
	f(summary, `summary:{sample_count:9007199254740993 sample_sum:1234567}`,
		map[string]any{"count": "9007199254740993", "sum": "1.234567e+06", "quantiles": map[string]string{}},
		Metric{Count: "9007199254740993", Sum: "1.234567e+06"})
	f(histogram, `histogram:{sample_count:18446744073709551615 sample_sum:1 bucket:{upper_bound:1 cumulative_count:1234567} bucket:{upper_bound:inf cumulative_count:18446744073709551615}}`,
		map[string]any{"count": "18446744073709551615", "sum": "1", "buckets": map[string]string{"1": "1234567", "+Inf": "18446744073709551615"}},
		Metric{Count: "18446744073709551615", Sum: "1", Buckets: []Bucket{{"1", "1234567"}, {"+Inf", "18446744073709551615"}}})
	f(histogram, `histogram:{sample_count_float:1234567 bucket:{upper_bound:inf cumulative_count_float:1234567}}`,
		map[string]any{"count": "1.234567e+06", "sum": "0", "buckets": map[string]string{"+Inf": "1.234567e+06"}},
		Metric{Count: "1.234567e+06", Sum: "0", Buckets: []Bucket{{"+Inf", "1.234567e+06"}}})
	f(histogram, `histogram:{sample_count:9007199254740999 schema:0 zero_threshold:0.5 zero_count:1234567
			negative_span:{offset:1 length:2} negative_delta:3 negative_delta:1 positive_span:{offset:1 length:3} positive_delta:9007199254740993 positive_delta:-9007199254740993 positive_delta:2}`,
		map[string]any{"count": "9007199254740999", "sum": "0", "buckets": [][4]any{
			{1, "-4", "-2", "4"}, {1, "-2", "-1", "3"}, {3, "-0.5", "0.5", "1234567"}, {0, "1", "2", "9007199254740993"}, {0, "4", "8", "2"}}},
		Metric{Count: "9007199254740999", Sum: "0", Native: &NativeHistogram{ZeroThreshold: "0.5", ZeroCount: "1234567", Buckets: []NativeBucket{
			{"-4", "-2", "4"}, {"-2", "-1", "3"}, {"-0.5", "0.5", "1234567"}, {"1", "2", "9007199254740993"}, {"4", "8", "2"}}}})
	f(histogram, `histogram:{sample_count_float:1234567.5 schema:0 zero_threshold:0.5 zero_count_float:1234567.5}`,
		map[string]any{"count": "1.2345675e+06", "sum": "0", "buckets": [][4]any{{3, "-0.5", "0.5", "1.2345675e+06"}}},
		Metric{Count: "1.2345675e+06", Sum: "0", Native: &NativeHistogram{ZeroThreshold: "0.5", ZeroCount: "1.2345675e+06", Buckets: []NativeBucket{{"-0.5", "0.5", "1.2345675e+06"}}}})
	if got := number(math.Inf(-1)); got != "-Inf" {
		t.Errorf("got %s", got)
	}
}

// The headers are those of Pushgateway.
func TestHeadersOfTheAPI(t *testing.T) {
	a := newTestAPI(store.New(store.Settings{}))
	for _, method := range []string{http.MethodGet, http.MethodOptions} {
		for _, path := range []string{"/metrics", "/status", "/groups"} {
			w := httptest.NewRecorder()
			a.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			for name, want := range map[string]string{
				"Access-Control-Allow-Headers":  "Accept, Authorization, Content-Type, Origin",
				"Access-Control-Allow-Methods":  "GET, POST, DELETE, OPTIONS",
				"Access-Control-Allow-Origin":   "*",
				"Access-Control-Expose-Headers": "Date",
				"Cache-Control":                 "no-cache, no-store, must-revalidate",
			} {
				if got := w.Header().Get(name); w.Code != http.StatusOK || got != want {
					t.Errorf("%s %s: %d, %s is %q, want %q", method, path, w.Code, name, got, want)
				}
			}
		}
	}
}
