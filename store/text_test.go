package store

import (
	"fmt"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
)

func TestParseText(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		families, err := ParseText([]byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			return
		}
		var got []string
		joined := ""
		for _, f := range families {
			got = append(got, fmt.Sprintf("%s %s %d", f.Name, f.Type, strings.Count(string(f.Samples()), "\n")))
			joined += string(f.Text)
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%q: got %s, want %s", text, s, want)
		}
		if joined != text {
			t.Errorf("%q: the families have %q", text, joined)
		}
	}
	f("", "")
	f("# TYPE a gauge\na{job=\"x\"} 1\n", "a GAUGE 1")
	f("# HELP a some \"help\" # TYPE\n# TYPE a counter\na{job=\"x\"} 1e+06\n", "a COUNTER 1")
	f("# HELP a \n# TYPE a untyped\na{job=\"x\"} NaN\n", "a UNTYPED 1")
	f("# TYPE a gauge\na{job=\"x\"} 1\n# TYPE b gauge\nb{job=\"x\"} -Inf\nb{job=\"y\"} +Inf\n", "a GAUGE 1, b GAUGE 2")
	f("# TYPE a gauge\na{job=\"},{\\\"\\\\\\n\",z=\"\\\\\"} 1\n", "a GAUGE 1")
	f("# TYPE h histogram\nh_bucket{job=\"x\",le=\"1\"} 1\nh_bucket{job=\"x\",le=\"+Inf\"} 1\nh_sum{job=\"x\"} 1\nh_count{job=\"x\"} 1\n", "h HISTOGRAM 4")
	f("# TYPE s summary\ns{job=\"x\",quantile=\"0.5\"} 1\ns_sum{job=\"x\"} 1\ns_count{job=\"x\"} 1\n", "s SUMMARY 3")
	f("# TYPE \"my.metric\" gauge\n{\"my.metric\",job=\"x\",\"k.x\"=\"y\"} 1\n", "my.metric GAUGE 1")
	f("# TYPE \"h.x\" histogram\n{\"h.x_bucket\",job=\"x\",le=\"+Inf\"} 1\n{\"h.x_sum\",job=\"x\"} 1\n{\"h.x_count\",job=\"x\"} 1\n", "h.x HISTOGRAM 3")
}

func TestParseTextRefuses(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := ParseText([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got error %v, want one with %q", text, err, want)
		}
	}
	f("a{job=\"x\"} 1\n", "line 1: TYPE line wanted")
	f("# TYPE a gauge\na{job=\"x\"} 1", "line 2: no line feed")
	f("# TYPE a gauge\n", "family a has no sample")
	f("# TYPE a gauge\n# TYPE b gauge\nb{job=\"x\"} 1\n", "family a has no sample")
	f("# TYPE a gadget\na{job=\"x\"} 1\n", "unknown type \"gadget\"")
	f("# HELP b x\n# TYPE a gauge\na{job=\"x\"} 1\n", "HELP of b before TYPE of a")
	f("# TYPE b gauge\nb{job=\"x\"} 1\n# TYPE a gauge\na{job=\"x\"} 1\n", "family \"a\" follows \"b\"")
	f("# TYPE a gauge\na{job=\"x\"} 1\n# TYPE a gauge\na{job=\"x\"} 1\n", "family \"a\" follows \"a\"")
	f("# TYPE a gauge\na{job=\"y\"} 1\na{job=\"x\"} 1\n", "line 3: metric {job=\"x\"} follows {job=\"y\"}")
	f("# TYPE a gauge\nb{job=\"x\"} 1\n", "sample b in gauge a")
	f("# TYPE a gauge\na_sum{job=\"x\"} 1\n", "sample a_sum in gauge a")
	f("# TYPE a gauge\na{job=\"x\"} 1 1000\n", "malformed sample")
	f("# TYPE a gauge\na{job=\"x\"} 0x1\n", "malformed sample")
	f("# TYPE a gauge\na{job=\"x\"} \n", "malformed sample")
	f("# TYPE a gauge\na{job=\"x} 1\n", "malformed sample")
	f("# TYPE a gauge\na{job=x} 1\n", "malformed sample")
	f("# TYPE a gauge\na 1\n", "malformed sample")
	f("# TYPE a-b gauge\na-b{job=\"x\"} 1\n", "invalid name \"a-b\"")
	f("# TYPE a gauge\n\na{job=\"x\"} 1\n", "malformed sample")
}

// Whatever the bytes, nothing panics, and what is taken can be joined again.
func FuzzParseText(f *testing.F) {
	f.Add([]byte("# HELP a b\n# TYPE a gauge\na{job=\"x\"} 1\n# TYPE s summary\ns{job=\"x\",quantile=\"0.5\"} 1\ns_sum{job=\"x\"} 1\ns_count{job=\"x\"} 1\n"))
	f.Add([]byte("# TYPE \"my.metric\" gauge\n{\"my.metric\",job=\"x\",\"k.x\"=\"y\"} 1\n"))
	f.Add([]byte("# TYPE \"h.x\" histogram\n{\"h.x_bucket\",job=\"x\",le=\"+Inf\"} 1\n{\"h.x_sum\",job=\"x\"} 1\n{\"h.x_count\",job=\"x\"} 1\n"))
	f.Add([]byte("# TYPE a gauge\na{job=\"},{\\\"\\\\\\n\",z=\"\\\\\"} 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		families, err := ParseText(text)
		if err != nil {
			return
		}
		n := 0
		for _, f := range families {
			n += len(f.Text)
			for _, typ := range []dto.MetricType{f.Type, dto.MetricType_HISTOGRAM} {
				hasMetric(f.Samples(), typ, []byte(`job="x"`))
			}
		}
		if n != len(text) {
			t.Fatalf("families have %d bytes, want %d", n, len(text))
		}
	})
}

func TestHasMetric(t *testing.T) {
	var text strings.Builder
	text.WriteString("# TYPE h histogram\n")
	for i := range 50 {
		labels := fmt.Sprintf(`a="%02d",job="x"`, 2*i)
		fmt.Fprintf(&text, "h_bucket{%s,le=\"1\"} 1\nh_bucket{%s,le=\"+Inf\"} 1\nh_sum{%s} 1\nh_count{%s} 1\n", labels, labels, labels, labels)
	}
	f := texts(t, text.String())[0]
	for i := range 100 {
		labels := fmt.Sprintf(`a="%02d",job="x"`, i)
		if got, want := hasMetric(f.Samples(), f.Type, []byte(labels)), i%2 == 0; got != want {
			t.Errorf("{%s}: got %v, want %v", labels, got, want)
		}
	}
}
