package decode

import (
	"errors"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"

	"sluice/e2e/testkit"
	"sluice/store"
)

// joined is the text of all families.
func joined(families []store.Family) string {
	var b strings.Builder
	for _, f := range families {
		b.Write(f.Text)
	}
	return b.String()
}

func TestFamiliesFromText(t *testing.T) {
	key := testkit.NewKey("j", store.Label{Name: "zone", Value: "eu"})
	f := func(body, want string) {
		t.Helper()
		got, err := Families([]byte(body), "text/plain", key, Options{})
		if err != nil {
			t.Errorf("%q: %v", body, err)
			return
		}
		if joined(got) != want {
			t.Errorf("%q:\n got %q\nwant %q", body, joined(got), want)
		}
	}

	f("", "")
	f("\n# nothing\n", "")
	f("# TYPE a gauge\n# HELP a no sample\n", "")
	f("a 1\n", "# TYPE a untyped\na{instance=\"\",job=\"j\",zone=\"eu\"} 1\n")
	// the group's labels override pushed ones, an instance is left alone
	f("a{job=\"x\",zone=\"us\",instance=\"i\"} 1\n", "# TYPE a untyped\na{instance=\"i\",job=\"j\",zone=\"eu\"} 1\n")
	f("a{zzz=\"1\",b=\"2\"} 1\n", "# TYPE a untyped\na{b=\"2\",instance=\"\",job=\"j\",zone=\"eu\",zzz=\"1\"} 1\n")
	// families by name, metrics by label text
	f("b 1\na{x=\"2\"} 1\na{x=\"1\"} 2\na 3\n",
		"# TYPE a untyped\na{instance=\"\",job=\"j\",x=\"1\",zone=\"eu\"} 2\na{instance=\"\",job=\"j\",x=\"2\",zone=\"eu\"} 1\na{instance=\"\",job=\"j\",zone=\"eu\"} 3\n"+
			"# TYPE b untyped\nb{instance=\"\",job=\"j\",zone=\"eu\"} 1\n")
	f("a{x=\"1\"} 1\nb 1\na{x=\"2\"} 2\n",
		"# TYPE a untyped\na{instance=\"\",job=\"j\",x=\"1\",zone=\"eu\"} 1\na{instance=\"\",job=\"j\",x=\"2\",zone=\"eu\"} 2\n"+
			"# TYPE b untyped\nb{instance=\"\",job=\"j\",zone=\"eu\"} 1\n")
	f("# TYPE a GAUGE\n# HELP a \\\\ \\n \\\" \"\na 1e3\n", "# HELP a \\\\ \\n \" \"\n# TYPE a gauge\na{instance=\"\",job=\"j\",zone=\"eu\"} 1000\n")
	f("# HELP a text\r\na 1\n", "# HELP a text\r\n# TYPE a untyped\na{instance=\"\",job=\"j\",zone=\"eu\"} 1\n")
	// a quoted legacy name is a legacy name
	f("{\"a\",\"b\"=\"1\"} 2\n", "# TYPE a untyped\na{b=\"1\",instance=\"\",job=\"j\",zone=\"eu\"} 2\n")
	// what the gateway adds itself
	f("# TYPE push_time_seconds counter\npush_time_seconds 1\npush_failure_time_seconds{x=\"\"} 1\npush_failure_time_seconds{x=\"\"} 1\n", "")
	// lines of a histogram in any order; what is missing is made up
	f("# TYPE h histogram\nh_count 2\nh_bucket{le=\"+Inf\"} 2\nh_bucket{le=\"1.0\"} 1\nh_sum 1e0\n",
		"# TYPE h histogram\nh_bucket{instance=\"\",job=\"j\",zone=\"eu\",le=\"+Inf\"} 2\nh_bucket{instance=\"\",job=\"j\",zone=\"eu\",le=\"1\"} 1\nh_sum{instance=\"\",job=\"j\",zone=\"eu\"} 1\nh_count{instance=\"\",job=\"j\",zone=\"eu\"} 2\n")
	f("# TYPE h gaugehistogram\nh_count 2\n",
		"# TYPE h histogram\nh_bucket{instance=\"\",job=\"j\",zone=\"eu\",le=\"+Inf\"} 2\nh_sum{instance=\"\",job=\"j\",zone=\"eu\"} 0\nh_count{instance=\"\",job=\"j\",zone=\"eu\"} 2\n")
	f("# TYPE s summary\ns_count 2\ns{quantile=\"0.50\"} 1\n",
		"# TYPE s summary\ns{instance=\"\",job=\"j\",zone=\"eu\",quantile=\"0.5\"} 1\ns_sum{instance=\"\",job=\"j\",zone=\"eu\"} 0\ns_count{instance=\"\",job=\"j\",zone=\"eu\"} 2\n")
	// without a type they are families like others
	f("h_bucket{le=\"1\"} 1\nh_sum 1\n",
		"# TYPE h_bucket untyped\nh_bucket{instance=\"\",job=\"j\",le=\"1\",zone=\"eu\"} 1\n# TYPE h_sum untyped\nh_sum{instance=\"\",job=\"j\",zone=\"eu\"} 1\n")
}

func TestFamiliesOfOddKeys(t *testing.T) {
	f := func(key store.Key, want string) {
		t.Helper()
		got, err := Families([]byte("a 1\n"), "", key, Options{})
		if err != nil || joined(got) != "# TYPE a untyped\n"+want+"\n" {
			t.Errorf("%s: %q, %v, want %q", key, joined(got), err, want)
		}
	}
	f(testkit.NewKey("q\"\\\n"), `a{instance="",job="q\"\\\n"} 1`)
	f(testkit.NewKey("j", store.Label{Name: "instance", Value: ""}), `a{instance="",job="j"} 1`)
	f(testkit.NewKey("j", store.Label{Name: "x.y", Value: "ü"}), `a{instance="",job="j","x.y"="ü"} 1`)
	f(testkit.NewKey("j", store.Label{Name: "le", Value: "5"}), `a{instance="",job="j",le="5"} 1`)
	f(store.Key{}, `a{instance=""} 1`)
}

func TestSyntaxErrors(t *testing.T) {
	f := func(body, contentType string, line int, want string) {
		t.Helper()
		got, err := Families([]byte(body), contentType, testkit.NewKey("j"), Options{})
		syntax, ok := errors.AsType[*SyntaxError](err)
		if !ok || got != nil {
			t.Errorf("%q: %v, %v, want a syntax error", body, got, err)
			return
		}
		if syntax.Line != line || !strings.Contains(err.Error(), want) {
			t.Errorf("%.200q: line %d, %q, want line %d, %q", body, syntax.Line, err, line, want)
		}
	}

	f("a 1\nb", "", 2, "text format parsing error in line 2: unexpected end of input stream")
	f("a 1\r\n", "", 1, `text format parsing error in line 1: expected float as value, got "1\r"`)
	f("a 1\nb one\n", "", 2, `expected float as value, got "one"`)
	f("a 1\n# TYPE a gauge\n", "", 2, "second TYPE line")
	f("\n\n# HELP a x\n# HELP a y\n", "", 4, "second HELP line")
	f("a{b=\"\xff\"} 1\n", "", 1, "invalid label value")
	f("a{b=\"1\",b=\"2\"} 1\n", "", 1, "duplicate label names")
	f("a{__name__=\"b\"} 1\n", "", 1, "reserved")
	f("{\"a.b\"} 1\n", "", 1, "invalid metric name")
	f("\xef\xbb\xbfa 1\n", "", 1, "invalid metric name")
	// expfmt panics
	f("# TYPE s summary\n# TYPE g gauge\n{\"s\",a=\"1\"} 1\n", "", 0, "text format parsing error")
	f("a "+strings.Repeat("x", 5000)+"\n", "", 1, "xxx...")

	f("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", protobufContentType, 0, "variable length integer overflow")
	f("\x80", protobufContentType, 0, "unexpected EOF")
	f("\x05\n", protobufContentType, 0, "unexpected EOF")
	f("\xff\xff\xff\xff\xff\xff\xff\xff\x7f", protobufContentType, 0, "unexpected EOF")
	f("\x02\n\x05", protobufContentType, 0, "proto")
}

func TestRefusedText(t *testing.T) {
	f := func(body string, key store.Key, scheme model.ValidationScheme, want string) {
		t.Helper()
		got, err := Families([]byte(body), "", key, Options{Scheme: scheme})
		refused, ok := errors.AsType[*RefusedError](err)
		if !ok || got != nil || !strings.Contains(refused.Message, want) {
			t.Errorf("%q: %v, %v, want a refusal: %q", body, got, err, want)
		}
	}
	legacy, utf8 := model.LegacyValidation, model.UTF8Validation
	j := testkit.NewKey("j")

	f("a 1\nb 2 1000\n", j, legacy, `pushed metrics must not have timestamps: metric "b" has 1000`)
	f("a 1 0\n", j, legacy, "timestamps")
	f("push_time_seconds 1 1000\n", j, legacy, "timestamps")
	f("a{x=\"1\"} 1\na{x=\"1\"} 2\n", j, legacy, `{instance="",job="j",x="1"} was collected before`)
	f("a{job=\"1\"} 1\na{job=\"2\"} 2\n", j, legacy, "was collected before")
	f("a{instance=\"\"} 1\na 2\n", j, legacy, "was collected before")
	f("# TYPE h histogram\nh_sum{job=\"1\"} 1\nh_sum{job=\"2\"} 2\n", j, legacy, "was collected before")
	f("a{__b=\"1\"} 1\n", j, legacy, `invalid name: "__b"`)
	f("a{\"b:c\"=\"1\"} 1\n", j, utf8, `invalid name: "b:c"`)
	f("{\"a\x00\"} 1\n", j, utf8, "invalid metric name")
	f("# HELP a \xff\na 1\n", j, legacy, "not valid UTF-8")
	f("a 1\n", testkit.NewKey("j", store.Label{Name: "__b", Value: "1"}), utf8, "invalid name")
	f("# TYPE s summary\ns_sum 1\n", testkit.NewKey("j", store.Label{Name: "quantile", Value: "1"}), legacy, "must not have an explicit")
	f("# TYPE h histogram\nh_sum 1\n", testkit.NewKey("j", store.Label{Name: "le", Value: "1"}), legacy, `group that has the label "le"`)
	// labels that stand before the name are those of the line before to expfmt
	f("# TYPE h histogram\n# TYPE g gauge\n{le=\"1\",\"h_bucket\"} 1\n{le=\"2\",\"h_bucket\"} 1\n", testkit.NewKey("j", store.Label{Name: "le", Value: "1"}), legacy, "le")
}

func TestFamiliesFromProtobuf(t *testing.T) {
	inf := bucket(infinity, 2)
	f := func(want string, families ...*dto.MetricFamily) {
		t.Helper()
		got, err := Families(delimited(families...), protobufContentType, testkit.NewKey("j"), Options{})
		if err != nil || joined(got) != want {
			t.Errorf("%v:\n got %q, %v\nwant %q", families, joined(got), err, want)
		}
	}

	f("")
	f("", family("a", dto.MetricType_GAUGE))
	f("# TYPE a gauge\na{instance=\"\",job=\"j\"} 1\n", family("a", dto.MetricType_GAUGE, gauge(1)))
	f("# TYPE a gauge\na{b=\"1\",instance=\"\",job=\"j\"} 1\na{b=\"2\",instance=\"\",job=\"j\"} 2\n",
		family("a", dto.MetricType_GAUGE, gauge(2, "job", "x", "b", "2"), gauge(1, "b", "1", "instance", "")))
	// the last family of a name counts
	f("# TYPE a counter\na{instance=\"\",job=\"j\"} 2\n",
		family("a", dto.MetricType_GAUGE, gauge(1, "job", "1"), gauge(1, "job", "2")), family("a", dto.MetricType_COUNTER, counter(2)))
	// any UTF-8 is a name, whatever the scheme is
	f("# TYPE \"a.b\" gauge\n{\"a.b\",instance=\"\",job=\"j\",\"x y\"=\"1\"} 1\n", family("a.b", dto.MetricType_GAUGE, gauge(1, "x y", "1")))
	// a histogram's text leaves a label le out
	f("# TYPE h histogram\nh_bucket{instance=\"\",job=\"j\",le=\"+Inf\"} 2\nh_sum{instance=\"\",job=\"j\"} 0\nh_count{instance=\"\",job=\"j\"} 0\n",
		family("h", dto.MetricType_HISTOGRAM, histogram(&dto.Histogram{Bucket: []*dto.Bucket{inf}}, "le", "3")))
	f("# TYPE g gauge\ng{instance=\"\",job=\"j\",le=\"3\"} 1\n", family("g", dto.MetricType_GAUGE, gauge(1, "le", "3")))
	f("", family(store.PushTimeName, dto.MetricType_COUNTER, gauge(1)), family(store.PushFailureName, dto.MetricType_GAUGE, counter(1)))
}

func TestRefusedProtobuf(t *testing.T) {
	f := func(want string, families ...*dto.MetricFamily) {
		t.Helper()
		got, err := Families(delimited(families...), protobufContentType, testkit.NewKey("j"), Options{})
		refused, ok := errors.AsType[*RefusedError](err)
		if !ok || got != nil || !strings.Contains(refused.Message, want) {
			t.Errorf("%v: %v, %v, want a refusal: %q", families, got, err, want)
		}
	}
	gauges := func(metrics ...*dto.Metric) *dto.MetricFamily { return family("a", dto.MetricType_GAUGE, metrics...) }
	stamped := gauge(1)
	stamped.TimestampMs = proto.Int64(0)
	helped := gauges(gauge(1))
	helped.Help = proto.String("\xff")
	traced := func(e *dto.Exemplar) *dto.MetricFamily {
		h := &dto.Histogram{Bucket: []*dto.Bucket{{Exemplar: e}}}
		return family("h", dto.MetricType_HISTOGRAM, histogram(h))
	}

	f("must not have timestamps", gauges(stamped))
	f("must not have timestamps", family(store.PushTimeName, dto.MetricType_GAUGE, stamped))
	f(`invalid metric name ""`, family("", dto.MetricType_GAUGE, gauge(1)))
	f("invalid metric name", family("a\xff", dto.MetricType_GAUGE))
	f("invalid metric name", family("a\x00", dto.MetricType_GAUGE))
	f(`invalid name: "b\x00"`, gauges(gauge(1, "b\x00", "1")))
	f("unknown type 77", family("a", 77))
	f("not valid UTF-8", helped)
	f("is not a GAUGE", gauges(counter(1)))
	f("is not a COUNTER", family("a", dto.MetricType_COUNTER, gauge(1)))
	f("is not a UNTYPED", family("a", dto.MetricType_UNTYPED, gauge(1)))
	f("is not a SUMMARY", family("a", dto.MetricType_SUMMARY, gauge(1)))
	f("is not a HISTOGRAM", family("a", dto.MetricType_HISTOGRAM, gauge(1)))
	f("is not a GAUGE_HISTOGRAM", family("a", dto.MetricType_GAUGE_HISTOGRAM, gauge(1)))
	f("two or more labels with the same name: b", gauges(gauge(1, "b", "1", "c", "", "b", "2")))
	f("two or more labels with the same name: job", gauges(gauge(1, "job", "1", "job", "2")))
	f(`invalid name: ""`, gauges(gauge(1, "", "1")))
	f(`invalid name: "__b"`, gauges(gauge(1, "__b", "1")))
	f(`invalid name: "b:c"`, gauges(gauge(1, "b:c", "1")))
	f(`invalid name: "b\xff"`, gauges(gauge(1, "b\xff", "1")))
	f("not utf8", gauges(gauge(1, "b", "\xff")))
	f(`explicit "quantile" label`, family("s", dto.MetricType_SUMMARY, summary(&dto.Summary{}, "quantile", "1")))
	f("was collected before", gauges(gauge(1, "b", "1"), gauge(2), gauge(3, "b", "1")))
	f("was collected before", family("h", dto.MetricType_HISTOGRAM, histogram(&dto.Histogram{}, "le", "3"), histogram(&dto.Histogram{})))
	f("exemplar", traced(&dto.Exemplar{Label: pairs("a", "\xff")}))
	f("exemplar", family("c", dto.MetricType_COUNTER, &dto.Metric{Counter: &dto.Counter{Exemplar: &dto.Exemplar{Timestamp: badTimestamp}}}))
	f("exemplar", family("h", dto.MetricType_HISTOGRAM, histogram(&dto.Histogram{Exemplars: []*dto.Exemplar{{Timestamp: badTimestamp}}})))
	f("exemplar", traced(&dto.Exemplar{Label: pairs("", "1")}))
	f("exemplar", traced(&dto.Exemplar{Timestamp: badTimestamp}))
}

func TestCrowdedLine(t *testing.T) {
	f := func(body string, want int) {
		t.Helper()
		if got := crowdedLine([]byte(body), maxLineLabels); got != want {
			t.Errorf("%.100q: %d, want %d", body, got, want)
		}
	}
	labels := func(n int) string { return "a{" + strings.Repeat("b=\"\",", n) + "} 1\n" }
	f("", 0)
	f(labels(maxLineLabels), 0)
	f(labels(maxLineLabels+1), 1)
	f("a 1\n"+labels(maxLineLabels)+labels(maxLineLabels+1)+labels(1000), 3)
	f(strings.TrimSuffix(labels(1000), "\n"), 1)
	f(strings.Repeat(" ", 1000)+"\n"+strings.Repeat(" ", 1000), 0)
	f(" # HELP a "+strings.Repeat("=", 1000)+"\n", 0)
	f("a{b=\""+strings.Repeat("\\\"=", 1000)+"\"} 1\n", 0)
}

func TestUncheckedKeepsDuplicates(t *testing.T) {
	body := "a{x=\"2\"} 1\na{x=\"1\"} 2\na{x=\"2\"} 3\n"
	got, err := Families([]byte(body), "", testkit.NewKey("j"), Options{Unchecked: true})
	want := "# TYPE a untyped\na{instance=\"\",job=\"j\",x=\"1\"} 2\na{instance=\"\",job=\"j\",x=\"2\"} 1\na{instance=\"\",job=\"j\",x=\"2\"} 3\n"
	if err != nil || joined(got) != want || got[0].Proto != nil {
		t.Errorf("got %q, %v, want %q", joined(got), err, want)
	}
	if _, err := Families([]byte("a 1 5\n"), "", testkit.NewKey("j"), Options{Unchecked: true}); err == nil {
		t.Error("a timestamp was taken")
	}
}

func TestIsDelimitedProtobuf(t *testing.T) {
	f := func(contentType string, want bool) {
		t.Helper()
		if got := IsDelimitedProtobuf(contentType); got != want {
			t.Errorf("%q: %v, want %v", contentType, got, want)
		}
	}
	const params = "proto=io.prometheus.client.MetricFamily; encoding=delimited"
	f("application/vnd.google.protobuf; "+params, true)
	f(" Application/VND.google.protobuf ;"+params, true)
	f("application/vnd.google.protobuf;encoding=\"delimited\";x=y;proto=io.prometheus.client.MetricFamily", true)
	f("application/vnd.google.protobuf; "+params+"; =x", false)
	f("application/vnd.google.protobuf", false)
	f("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=text", false)
	f("application/vnd.google.protobuf; proto=io.prometheus.write.v2.Request; encoding=delimited", false)
	f("text/plain; "+params, false)
	f("", false)
	f(";;;/// =", false)
}

// A label value has a limit of its own, or none but that of the body: a limit on
// names does not bound it.
func TestLabelValueLimit(t *testing.T) {
	f := func(size int, limits Limits, taken bool) {
		t.Helper()
		value := strings.Repeat("v", size)
		text := "m{a=\"" + value + "\"} 1\n"
		for name, body := range map[string]struct{ body, contentType string }{
			"fast path":   {text, ""},
			"slow path":   {"# HELP m \\\"\n" + text, ""},
			"OpenMetrics": {text + "# EOF\n", openMetricsContentType},
			"protobuf":    {string(delimited(family("m", dto.MetricType_GAUGE, gauge(1, "a", value)))), protobufContentType},
		} {
			families, err := Families([]byte(body.body), body.contentType, testkit.NewKey("j"), Options{Limits: limits})
			_, limited := errors.AsType[*LimitError](err)
			if taken && (err != nil || len(families) != 1) || !taken && !limited {
				t.Errorf("%s, %d bytes with %+v: %d families, %v", name, size, limits, len(families), err)
			}
		}
	}
	f(100_000, Limits{}, true)
	f(100_000, Limits{LabelBytes: 16 << 10}, true)
	f(50, Limits{ValueBytes: 50}, true)
	f(51, Limits{ValueBytes: 50}, false)
	f(51, Limits{LabelBytes: 100, ValueBytes: 50}, false)
}
