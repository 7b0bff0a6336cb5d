package decode

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/encoding/prototext"

	"sluice/e2e/testkit"
	"sluice/store"
)

const openMetricsContentType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

// openMetricsText is the canonical text of a body.
func openMetricsText(t *testing.T, body string) (string, []store.Family) {
	t.Helper()
	families, err := Families([]byte(body), openMetricsContentType, testkit.NewKey("j"), Options{})
	if err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	checkFamilies(t, families, testkit.NewKey("j"), false)
	var text strings.Builder
	for _, f := range families {
		text.Write(f.Text)
	}
	return text.String(), families
}

func TestIsOpenMetrics(t *testing.T) {
	f := func(contentType string, want bool) {
		t.Helper()
		if got := isOpenMetrics(contentType); got != want {
			t.Errorf("%q: got %v, want %v", contentType, got, want)
		}
	}
	f("application/openmetrics-text", true)
	f(openMetricsContentType, true)
	f("application/openmetrics-text; version=0.0.1", true)
	f(" Application/OpenMetrics-Text;charset=utf-8", true)
	f(`application/openmetrics-text; version="1.0.0"; escaping=allow-utf-8`, true)
	f("application/openmetrics-text; version=2.0.0", false)
	f("application/openmetrics-text; version", false)
	f("application/openmetrics", false)
	f("text/plain; version=0.0.4", false)
	f("", false)
}

// Each type comes out under the name and type that client libraries give it in
// text format 0.0.4.
func TestOpenMetricsTypes(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got, _ := openMetricsText(t, body+"# EOF\n"); got != strings.ReplaceAll(want, "@", `instance="",job="j"`) {
			t.Errorf("%q\ngot  %q\nwant %q", body, got, want)
		}
	}
	f("", "")
	f("# TYPE a gauge\n", "")
	f("a 1\n", "# TYPE a untyped\na{@} 1\n")
	f("# TYPE a unknown\na 1\n", "# TYPE a untyped\na{@} 1\n")
	f("# TYPE a gauge\na -1.5\n", "# TYPE a gauge\na{@} -1.5\n")
	f("# HELP a say \\\"x\\\"\\n\\\\\n# TYPE a counter\na_total 3\na_created 1.6e+09\n", "# HELP a_total say \"x\"\\n\\\\\n# TYPE a_total counter\na_total{@} 3\n")
	f("# TYPE a counter\na_created 1\na_total 3\n", "# TYPE a_total counter\na_total{@} 3\n")
	f("# TYPE a counter\na_total{x=\"2\"} 3\na_total{x=\"1\"} 4\na_created{x=\"1\"} 5\n", "# TYPE a_total counter\na_total{@,x=\"1\"} 4\na_total{@,x=\"2\"} 3\n")
	f("# TYPE a info\n# HELP a about\na_info{version=\"1\"} 1\n", "# HELP a_info about\n# TYPE a_info gauge\na_info{@,version=\"1\"} 1\n")
	f("# TYPE a stateset\na{a=\"on\"} 1\na{a=\"off\"} 0\n", "# TYPE a gauge\na{a=\"off\",@} 0\na{a=\"on\",@} 1\n")
	f("# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1\n", "# TYPE a_seconds gauge\na_seconds{@} 1\n")
	f("# TYPE a gaugehistogram\na_bucket{le=\"+Inf\"} 2\na_gcount 2\na_gsum -3\n",
		"# TYPE a histogram\na_bucket{@,le=\"+Inf\"} 2\na_sum{@} -3\na_count{@} 2\n")
	f("# TYPE a histogram\na_bucket{le=\"1.0\"} 1\na_bucket{le=\"+Inf\"} 2\na_count 2\na_sum 3.5\n",
		"# TYPE a histogram\na_bucket{@,le=\"1\"} 1\na_bucket{@,le=\"+Inf\"} 2\na_sum{@} 3.5\na_count{@} 2\n")
	f("# TYPE a histogram\na_bucket{le=\"+Inf\"} 2\n", "# TYPE a histogram\na_bucket{@,le=\"+Inf\"} 2\na_sum{@} 0\na_count{@} 2\n")
	f("# TYPE a summary\na{x=\"1\",quantile=\"0.5\"} NaN\na_count{x=\"1\"} 2\na_sum{x=\"1\"} 3\n",
		"# TYPE a summary\na{@,x=\"1\",quantile=\"0.5\"} NaN\na_sum{@,x=\"1\"} 3\na_count{@,x=\"1\"} 2\n")
	f("a{x=\"\\\\ \\\" \\n \\t\",} 1\n", "# TYPE a untyped\na{@,x=\"\\\\ \\\" \\n \\\\t\"} 1\n")
	// le is a label like any other where it is not a histogram's.
	f("# TYPE h histogram\nh_bucket{le=\"+Inf\"} 0\nother{le=\"1\"} 1\n",
		"# TYPE h histogram\nh_bucket{@,le=\"+Inf\"} 0\nh_sum{@} 0\nh_count{@} 0\n# TYPE other untyped\nother{@,le=\"1\"} 1\n")
	f("# TYPE push_time_seconds gauge\npush_time_seconds 1\n", "")
}

// Exemplars and created times are kept beside the text.
func TestOpenMetricsKeepsWhatTextCannot(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		_, families := openMetricsText(t, body+"# EOF\n")
		if len(families) != 1 || families[0].Proto == nil {
			t.Errorf("%q: nothing beside the text", body)
			return
		}
		wanted := &dto.MetricFamily{}
		if err := prototext.Unmarshal([]byte(strings.ReplaceAll(want, "@", `label:{name:"instance" value:""} label:{name:"job" value:"j"}`)), wanted); err != nil {
			t.Fatal(err)
		}
		if got := decoded(t, families[0]); got.String() != wanted.String() {
			t.Errorf("%q\ngot  %v\nwant %v", body, got, wanted)
		}
	}
	f("# TYPE a counter\na_total 1 # {trace_id=\"x\\\"y\"} 0.5 1520879607.789\na_created 1520872607.123\n",
		`name:"a_total" type:COUNTER metric:{@ counter:{value:1 exemplar:{label:{name:"trace_id" value:"x\"y"} value:0.5 timestamp:{seconds:1520879607 nanos:789000000}} created_timestamp:{seconds:1520872607 nanos:123000000}}}`)
	f("# TYPE a histogram\na_bucket{le=\"1\"} 1 # {} 3\na_bucket{le=\"+Inf\"} 2\na_sum 3\na_count 2\na_created 1.5209e9\n",
		`name:"a" type:HISTOGRAM metric:{@ histogram:{sample_count:2 sample_sum:3 bucket:{upper_bound:1 cumulative_count:1 exemplar:{value:3}} bucket:{upper_bound:inf cumulative_count:2} created_timestamp:{seconds:1520900000}}}`)
	f("# TYPE a summary\na_count 2\na_created -0.25\n",
		`name:"a" type:SUMMARY metric:{@ summary:{sample_count:2 created_timestamp:{seconds:-1 nanos:750000000}}}`)
	f("# TYPE a gaugehistogram\na_bucket{le=\"+Inf\"} 2\n",
		`name:"a" type:GAUGE_HISTOGRAM metric:{@ histogram:{sample_count:2 bucket:{upper_bound:inf cumulative_count:2}}}`)
}

// What is not OpenMetrics and not plain text either is refused with the line,
// and the words of OpenMetrics.
func TestOpenMetricsSyntax(t *testing.T) {
	f := func(body string, line int, want string) {
		t.Helper()
		families, err := parseOpenMetrics([]byte(body), model.LegacyValidation, Limits{})
		syntax, ok := errors.AsType[*SyntaxError](err)
		if !ok || families != nil {
			t.Errorf("%q: got %v, %v", body, families, err)
			return
		}
		if syntax.Line != line || !strings.Contains(syntax.Message, want) ||
			!strings.HasPrefix(syntax.Message, fmt.Sprintf("OpenMetrics parsing error in line %d: ", line)) {
			t.Errorf("%q: got line %d, %q; want line %d, %q", body, syntax.Line, syntax.Message, line, want)
		}
	}
	f("a 1\n", 2, "data does not end with # EOF")
	f("a 1", 1, "data does not end with # EOF")
	f("", 1, "data does not end with # EOF")
	f("# EOF\na 1\n", 1, "unexpected data after # EOF")
	f("# EOF\n\n", 1, "unexpected data after # EOF")
	f("a 1\n\n# EOF\n", 2, "expected a valid start token")
	f("# comment\n# EOF\n", 1, "expected a valid start token")
	f("a 1\r\n# EOF\n", 1, "1\\r")
	f("# TYPE a untyped\na 1\n# EOF\n", 1, `invalid metric type "untyped"`)
	f("# TYPE a gauge\n# TYPE a gauge\na 1\n# EOF\n", 2, `second TYPE of "a"`)
	f("# HELP a x\n# HELP a x\na 1\n# EOF\n", 2, `second HELP of "a"`)
	f("# UNIT a_s s\n# UNIT a_s s\na_s 1\n# EOF\n", 2, `second UNIT of "a_s"`)
	f("# TYPE a gauge\n# UNIT a s\na 1\n# EOF\n", 2, `unit "s" not a suffix`)
	f("# TYPE a_s info\n# UNIT a_s s\na_s_info 1\n# EOF\n", 2, `info "a_s" must not have a unit`)
	f("# UNIT a_s s\n# TYPE a_s stateset\n# EOF\n", 2, `stateset "a_s" must not have a unit`)
	f("a 1\n# TYPE a gauge\n# EOF\n", 2, `metadata of "a" must stand before its samples`)
	f("a 1\nb 1\na{x=\"1\"} 1\n# EOF\n", 3, `family "a" was there before`)
	f("# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n# TYPE a gauge\n# EOF\n", 5, `family "a" was there before`)
	f("# TYPE a counter\na 1\n# EOF\n", 2, `a sample of counter "a" has the suffix _total or _created`)
	f("# TYPE a_total counter\na_total 1\n# EOF\n", 2, `has the suffix _total or _created`)
	f("# TYPE a counter\na_total 1\n# TYPE a_total gauge\n# EOF\n", 3, `"a_total" is the name of a sample of family "a"`)
	f("# TYPE a_created gauge\na_created 1\n# TYPE a counter\na_total 1\n# EOF\n", 4, `sample "a_created" of counter "a" has a name of family "a_created"`)
	f("# TYPE a counter\na_total 1\na_total 2\n# EOF\n", 3, `sample "a_total" {} is there twice`)
	f("# TYPE a counter\na_created 1\n# EOF\n", 2, `counter "a" {} has no sample with the suffix _total`)
	f("# TYPE a counter\na_total{x=\"1\"} 1\na_total{x=\"2\"} 1\na_created{x=\"1\"} 1\nb 1\n# EOF\n", 4, `counter "a" {x="1"} has no sample with the suffix _total`)
	f("# TYPE a counter\na_total -1\n# EOF\n", 2, `counter "a" must not be -1`)
	f("# TYPE a counter\na_total NaN\n# EOF\n", 2, `counter "a" must not be NaN`)
	f("# TYPE a counter\na_total 1\na_created NaN\n# EOF\n", 3, "no time: NaN")
	f("# TYPE a counter\na_total 1\na_created 1e10\n# EOF\n", 3, "no time: 1e+10")
	f("# TYPE a info\na_info 2\n# EOF\n", 2, `info "a" must have the value 1, not 2`)
	f("# TYPE a info\na 1\n# EOF\n", 2, `a sample of info "a" has the suffix _info`)
	f("# TYPE a stateset\na{a=\"x\"} 2\n# EOF\n", 2, `stateset "a" must have the value 0 or 1, not 2`)
	f("# TYPE a stateset\na{b=\"x\"} 1\n# EOF\n", 2, `stateset "a" must have a label of that name`)
	f("# TYPE a histogram\na_bucket{le=\"1\"} 1\nb 1\n# EOF\n", 2, `histogram "a" {} has no bucket +Inf`)
	f("# TYPE a histogram\na_count 1\n# EOF\n", 2, "has no bucket +Inf")
	f("# TYPE a histogram\na_bucket 1\n# EOF\n", 2, "must have the label le")
	f("# TYPE a histogram\na_bucket{le=\"x\"} 1\n# EOF\n", 2, "label le of histogram \"a\" is no number: \"x\"")
	f("# TYPE a histogram\na_bucket{le=\"NaN\"} 1\n# EOF\n", 2, "is no number")
	f("# TYPE a histogram\na_bucket{le=\"+Inf\"} 1.5\n# EOF\n", 2, `"a_bucket" must be a whole number that is not negative, not 1.5`)
	f("# TYPE a histogram\na_bucket{le=\"+Inf\"} -1\n# EOF\n", 2, "not -1")
	f("# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_bucket{le=\"1\"} 1\n# EOF\n", 3, `bucket 1 of histogram "a" stands behind bucket +Inf`)
	f("# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\n# EOF\n", 3, "has less than the bucket before it")
	f("# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 2\n# EOF\n", 3, "has the count 2, but 1 in the bucket +Inf")
	f("# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 2\na_sum 2\n# EOF\n", 4, "is there twice")
	f("# TYPE a gaugehistogram\na_bucket{le=\"+Inf\"} 1\na_sum 2\n# TYPE b gauge\n# EOF\n# EOF\n", 5, "unexpected data")
	f("# TYPE a summary\na 1\n# EOF\n", 2, "must have the label quantile")
	f("# TYPE a summary\na{quantile=\"1.5\"} 1\n# EOF\n", 2, "quantile 1.5 of summary \"a\" is not between 0 and 1")
	f("# TYPE a summary\na{quantile=\"1\"} -1\n# EOF\n", 2, "must not be -1")
	f("# TYPE a summary\na{quantile=\"1\"} 1\na{quantile=\"1.0\"} 1\n# EOF\n", 3, "quantile 1 of summary \"a\" is there twice")
	f("# TYPE a gauge\na 1 # {x=\"1\"} 1\n# EOF\n", 2, "only buckets and totals can have exemplars")
	f("# TYPE a counter\na_total 1\na_created 1 # {x=\"1\"} 1\n# EOF\n", 3, "only buckets and totals can have exemplars")
	f("# TYPE a counter\na_total 1 # {x=\""+strings.Repeat("ü", 128)+"\"} 1\n# EOF\n", 2, "have 129 characters, of which there may be 128")
	f("# TYPE a counter\na_total 1 # {x=\"1\",x=\"2\"} 1\n# EOF\n", 2, `label "x" is there twice`)
	f("# TYPE a counter\na_total 1 # {x=\"1\"} 1 1e300\n# EOF\n", 2, "no time")
	f("{\"a.b\"} 1\n# EOF\n", 1, `invalid metric name "a.b"`)
	f("# TYPE \"a.b\" gauge\n# EOF\n", 1, `invalid metric name "a.b"`)
	f("a{\"b.c\"=\"1\"} 1\n# EOF\n", 1, `invalid label name "b.c"`)
	f("a{__name__=\"b\"} 1\n# EOF\n", 1, `invalid label name "__name__"`)
	f("{\"a\nb\"} 1\n# EOF\n", 1, "line feed")
}

// What is compared within a metric costs no more for each line than before it.
func TestOpenMetricsManyQuantiles(t *testing.T) {
	const n = 100_000
	var body strings.Builder
	body.WriteString("# TYPE s summary\n")
	for i := range n {
		fmt.Fprintf(&body, "s{quantile=\"%v\"} 1\n", float64(i)/n)
	}
	families, err := parseOpenMetrics([]byte(body.String()+"# EOF\n"), model.LegacyValidation, Limits{})
	if err != nil || len(families["s"].GetMetric()) != 1 || len(families["s"].Metric[0].GetSummary().GetQuantile()) != n {
		t.Errorf("got %d families, %v", len(families), err)
	}
}

// The limits hold for OpenMetrics, too, and a body that passes one is not tried as
// plain text.
func TestOpenMetricsLimits(t *testing.T) {
	for body, limits := range map[string]Limits{
		"a{" + strings.Repeat(`x="1",`, 129) + "} 1\n# EOF\n": {},
		"a 1\nb 1\nc 1\n# EOF\n":                              {Series: 2},
		"# TYPE a gauge\na{x=\"12345\"} 1\n# EOF\n":           {ValueBytes: 4},
	} {
		_, err := Families([]byte(body), openMetricsType, testkit.NewKey("j"), Options{Limits: limits})
		if _, ok := err.(*LimitError); !ok {
			t.Errorf("%.60q: got %v, want a limit", body, err)
		}
	}
}

// A body without # EOF may be plain text, which Pushgateway takes it for in any
// case.
func TestOpenMetricsFallsBackToText(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got, _ := openMetricsText(t, body); got != strings.ReplaceAll(want, "@", `instance="",job="j"`) {
			t.Errorf("%q\ngot  %q\nwant %q", body, got, want)
		}
	}
	f("", "")
	f("# TYPE a gauge\na 1\n", "# TYPE a gauge\na{@} 1\n")
	f("# TYPE a_total counter\na_total 1\n", "# TYPE a_total counter\na_total{@} 1\n")
	f("# TYPE a untyped\na 1\n", "# TYPE a untyped\na{@} 1\n")
	f("# TYPE a counter\na_total -1\n# EOFX\n#EOF\n", "# TYPE a_total untyped\na_total{@} -1\n")
	f("a 1\n# comment\n\n", "# TYPE a untyped\na{@} 1\n")
	// Valid as both: as OpenMetrics it is a counter.
	f("# TYPE a counter\na_total 1\n# EOF\n", "# TYPE a_total counter\na_total{@} 1\n")
	f("# TYPE a counter\na_total 1\n", "# TYPE a_total untyped\na_total{@} 1\n")
}

// A body that says twice that it is OpenMetrics, by its content type and by
// # EOF, is judged as OpenMetrics only.
func TestOpenMetricsWithEOFIsNeverText(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		_, err := Families([]byte(body), openMetricsContentType, testkit.NewKey("j"), Options{})
		if _, unreadable := errors.AsType[*SyntaxError](err); !unreadable || !strings.HasPrefix(err.Error(), "OpenMetrics parsing error in line "+want) {
			t.Errorf("%q: got %T %v, want line %s", body, err, err, want)
		}
	}
	f("# TYPE req counter\nreq_total -1\n# EOF\n", "2: counter \"req\" must not be -1")
	f("# TYPE a_total counter\na_total 1\n# EOF\n", "2: ")
	f("# TYPE a untyped\na 1\n# EOF\n", "1: ")
	f("a 1\n# EOF\n\n", "2: unexpected data after # EOF")
	f("a 1\n# EOF\nb 1\n", "2: unexpected data after # EOF")
	f("a 1\n# comment\n# EOF\n", "2: ")
	f("a 1\n\n# EOF\n", "2: ")
	f("a 1\n# EOF \n", "2: ")
	f("a 1 \n# EOF\n", "2: ")
	f("a  1\n# EOF\n", "1: ")
	f("a 1\nb 1\na{x=\"1\"} 1\n# EOF\n", "3: ")
}

func TestFormatOf(t *testing.T) {
	f := func(body, contentType string, want Format) {
		t.Helper()
		if got := FormatOf([]byte(body), contentType); got != want {
			t.Errorf("%q as %q: got %v, want %v", body, contentType, got, want)
		}
	}
	f("a 1\n", "", Text)
	f("a 1\n# EOF\n", "text/plain", Text)
	f("a 1\n# EOF\n", openMetricsContentType, OpenMetrics)
	f("a 1\n# EOF", openMetricsContentType, OpenMetrics)
	f("# EOF\na 1\n", openMetricsContentType, OpenMetrics)
	f("a 1\n \t# EOF\r\n", openMetricsContentType, OpenMetrics)
	f("a 1\n", openMetricsContentType, TextInstead)
	f("a{x=\"# EOF\"} 1\n# EOFS\n", openMetricsContentType, TextInstead)
	f("", openMetricsContentType, TextInstead)
	f("", protobufContentType, Protobuf)
	f("a 1\n# EOF\n", "application/openmetrics-text; version=2.0.0", Text)
}

func TestOpenMetricsRefusals(t *testing.T) {
	f := func(body, contentType, want string, recorded bool) {
		t.Helper()
		_, err := Families([]byte(body), contentType, testkit.NewKey("j"), Options{})
		if _, refused := errors.AsType[*RefusedError](err); err == nil || refused != recorded || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %T %v, want %q", body, err, err, want)
		}
	}
	// Timestamps are in seconds, with a fraction; messages tell milliseconds.
	f("a 1 1.5\n# EOF\n", openMetricsContentType, `pushed metrics must not have timestamps: metric "a" has 1500`, true)
	f("# TYPE a counter\na_total 1\na_created 1 2\n# EOF\n", openMetricsContentType, `metric "a_total" has 2000`, true)
	f("a 1 1000\n", openMetricsContentType, `metric "a" has 1000`, true)
	f("a{x=\"1\"} 1\na{x=\"1\"} 2\n# EOF\n", openMetricsContentType, "was collected before", true)
	f("a{x=\"1\",x=\"2\"} 1\n# EOF\n", openMetricsContentType, "two or more labels with the same name", true)
	// Neither one nor the other: the words are those of what was meant.
	f("# TYPE a info\na_info 2\n# EOF\n", openMetricsContentType, "OpenMetrics parsing error in line 2", false)
	f("# TYPE a info\na_info 1\n# EOF\n", "text/plain", "text format parsing error in line 1", false)
	f("# TYPE a unknown\na 1\n# EOF\n", "application/openmetrics-text; version=2.0.0", "text format parsing error in line 1", false)
}

func TestOpenMetricsUTF8Names(t *testing.T) {
	body := []byte("# TYPE \"a.b\" counter\n{\"a.b_total\",\"x.y\"=\"1\"} 1 # {\"t.r\"=\"2\"} 1\n# EOF\n")
	families, err := Families(body, openMetricsContentType, testkit.NewKey("j"), Options{Scheme: model.UTF8Validation})
	if err != nil {
		t.Fatal(err)
	}
	checkFamilies(t, families, testkit.NewKey("j"), false)
	want := "# TYPE \"a.b_total\" counter\n{\"a.b_total\",instance=\"\",job=\"j\",\"x.y\"=\"1\"} 1\n"
	if len(families) != 1 || string(families[0].Text) != want {
		t.Errorf("got %+v", families)
	}
}

func TestUnixTime(t *testing.T) {
	f := func(seconds float64, wantSeconds int64, wantNanos int32) {
		t.Helper()
		got, err := unixTime(seconds)
		if err != nil || got.CheckValid() != nil || got.Seconds != wantSeconds || got.Nanos != wantNanos {
			t.Errorf("%v: got %v, %v", seconds, got, err)
		}
	}
	f(0, 0, 0)
	f(1.6e9, 1600000000, 0)
	f(1600000000.123, 1600000000, 123000000)
	f(1600000000.1234567, 1600000000, 123456700)
	f(1e-9, 0, 1)
	f(1e-300, 0, 0)
	f(-1, -1, 0)
	f(-1.5, -2, 500000000)
	f(-1e-300, 0, 0)
}
