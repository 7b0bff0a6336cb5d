package exposer

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/prototext"

	"sluice/ingest/decode"
	"sluice/store"
)

const (
	openMetricsHeader = "application/openmetrics-text;version=1.0.0"
	openMetricsType   = "application/openmetrics-text; version=1.0.0; charset=utf-8"
	protobufType      = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)

// pushed applies pushes to groups of their own, job by job.
func pushed(tb testing.TB, contentType string, bodies ...string) *store.Store {
	tb.Helper()
	s := store.New(store.Settings{})
	for i, body := range bodies {
		push(tb, s, "/job/"+string(rune('a'+i)), contentType, body)
	}
	return s
}

func push(tb testing.TB, s *store.Store, path, contentType, body string) {
	tb.Helper()
	key, err := store.ParseKey(path)
	if err != nil {
		tb.Fatal(err)
	}
	families, err := decode.Families([]byte(body), contentType, key, decode.Options{Scheme: model.UTF8Validation})
	if err != nil {
		tb.Fatalf("%q: %v", body, err)
	}
	s.Apply(s.Sequence()+1, store.Event{Op: store.OpPut, Key: key, PushTime: 1_500_000_000_000_000_000, Families: families})
}

// messages writes families as they may be pushed in protobuf.
func messages(tb testing.TB, families ...string) string {
	tb.Helper()
	var b bytes.Buffer
	for _, text := range families {
		mf := &dto.MetricFamily{}
		if err := prototext.Unmarshal([]byte(text), mf); err != nil {
			tb.Fatal(err)
		}
		if _, err := protodelim.MarshalTo(&b, mf); err != nil {
			tb.Fatal(err)
		}
	}
	return b.String()
}

// storedOpenMetrics is the scrape without the gateway's own families and
// without the times of pushes.
func storedOpenMetrics(tb testing.TB, s *store.Store, scheme model.EscapingScheme) string {
	tb.Helper()
	var b strings.Builder
	families := slices.DeleteFunc(merge(nil, s.View().Families()), func(e exposed) bool {
		return e.name == store.PushTimeName || e.name == store.PushFailureName
	})
	families, _ = distinct(families, scheme)
	if err := writeOpenMetrics(&b, families, scheme); err != nil {
		tb.Fatal(err)
	}
	checkOpenMetrics(tb, b.String())
	return b.String()
}

// checkOpenMetrics has a scrape read by Prometheus' own parser, and by the
// reader of pushes, which looks at all that OpenMetrics demands of families.
func checkOpenMetrics(tb testing.TB, scrape string) {
	tb.Helper()
	parser := textparse.NewOpenMetricsParser([]byte(scrape), labels.NewSymbolTable())
	for {
		_, err := parser.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			tb.Fatalf("Prometheus refuses the scrape: %v\n%s", err, scrape)
		}
	}
	key, err := store.NewKey("x")
	if err != nil {
		tb.Fatal(err)
	}
	// The first family is none in plain text, for which the scrape would be
	// taken otherwise, if need be.
	_, err = decode.Families([]byte("# TYPE zzz_probe unknown\n"+scrape), openMetricsType, key,
		decode.Options{Scheme: model.UTF8Validation, Unchecked: true})
	if _, unreadable := errors.AsType[*decode.SyntaxError](err); unreadable {
		tb.Fatalf("%v\n%s", err, scrape)
	}
}

func TestScrapeOpenMetrics(t *testing.T) {
	s := pushed(t, openMetricsType, "# HELP t_c counts\n# TYPE t_c counter\nt_c_total 1 # {trace_id=\"x\\\"y\"} 0.5 1.5e+09\nt_c_created 1.6e+09\n"+
		"# TYPE t_i info\nt_i_info{v=\"1\"} 1\n# TYPE t_u unknown\nt_u NaN\n"+
		"# TYPE t_g gaugehistogram\nt_g_bucket{le=\"1\"} 1\nt_g_bucket{le=\"+Inf\"} 2\nt_g_gcount 2\nt_g_gsum 3\n"+
		"# TYPE t_h histogram\nt_h_bucket{le=\"1\"} 1 # {a=\"b\"} 0.5\nt_h_bucket{le=\"+Inf\"} 2\nt_h_count 2\nt_h_sum 3\nt_h_created 7\n"+
		"# TYPE t_s summary\nt_s{quantile=\"0.5\"} 1\nt_s_count 2\nt_s_sum 3\n# EOF\n")
	want := `# HELP t_c counts
# TYPE t_c counter
t_c_total{@} 1.0 # {trace_id="x\"y"} 0.5 1.5e+09
t_c_created{@} 1.6e+09
# TYPE t_g gaugehistogram
t_g_bucket{@,le="1.0"} 1
t_g_bucket{@,le="+Inf"} 2
t_g_gsum{@} 3.0
t_g_gcount{@} 2
# TYPE t_h histogram
t_h_bucket{@,le="1.0"} 1 # {a="b"} 0.5
t_h_bucket{@,le="+Inf"} 2
t_h_sum{@} 3.0
t_h_count{@} 2
t_h_created{@} 7.0
# TYPE t_i_info gauge
t_i_info{@,v="1"} 1.0
# TYPE t_s summary
t_s{@,quantile="0.5"} 1.0
t_s_sum{@} 3.0
t_s_count{@} 2
# TYPE t_u unknown
t_u{@} NaN
# EOF
`
	if got := storedOpenMetrics(t, s, model.NoEscaping); got != strings.ReplaceAll(want, "@", `instance="",job="a"`) {
		t.Errorf("got\n%s", got)
	}
	// The whole scrape, with the gateway's own families, one of which clashes
	// with another: go_memstats_alloc_bytes.
	w := scrape(newTestScraper(s, true), "Accept", openMetricsHeader)
	if got := w.Header().Get("Content-Type"); got != "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores" {
		t.Errorf("got content type %q", got)
	}
	checkOpenMetrics(t, w.Body.String())
	for _, line := range []string{"# TYPE go_memstats_alloc_bytes gauge\n", "# TYPE go_memstats_alloc_bytes_total unknown\n", "# TYPE go_memstats_frees counter\n", "# TYPE push_time_seconds gauge\n"} {
		if !strings.Contains(w.Body.String(), line) {
			t.Errorf("the scrape lacks %q", line)
		}
	}
}

// What OpenMetrics does not allow is written as unknown: names and values stay.
func TestScrapeOpenMetricsUnknown(t *testing.T) {
	f := func(want string, s *store.Store) {
		t.Helper()
		want = strings.NewReplacer("@a", `instance="",job="a"`, "@b", `instance="",job="b"`).Replace(want) + "# EOF\n"
		if got := storedOpenMetrics(t, s, model.UnderscoreEscaping); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	text := func(bodies ...string) *store.Store { return pushed(t, "", bodies...) }
	proto := func(families ...string) *store.Store {
		return pushed(t, protobufType, messages(t, families...))
	}
	f("", text())
	// Names: the family of a counter, and what a created time would be called.
	f("# HELP c h\n# TYPE c unknown\nc{@a} 1.0\n", text("# HELP c h\n# TYPE c counter\nc 1\n"))
	f("# TYPE _total unknown\n_total{@a} 1.0\n", text("# TYPE _total counter\n_total 1\n"))
	f("# TYPE c gauge\nc{@a} 1.0\n# TYPE c_total unknown\nc_total{@b} 2.0\n", text("# TYPE c gauge\nc 1\n", "# TYPE c_total counter\nc_total 2\n"))
	f("# TYPE c_created gauge\nc_created{@a} 1.0\n# TYPE c_total unknown\nc_total{@a} 2.0\n",
		text("# TYPE c_created gauge\nc_created 1\n# TYPE c_total counter\nc_total 2\n"))
	f("# TYPE c_created_total unknown\nc_created_total{@a} 1.0\n# TYPE c counter\nc_total{@a} 2.0\n",
		text("# TYPE c_created_total counter\nc_created_total 1\n# TYPE c_total counter\nc_total 2\n"))
	f("# TYPE h histogram\nh_bucket{@a,le=\"+Inf\"} 1\nh_sum{@a} 2.0\nh_count{@a} 1\n# TYPE h_total unknown\nh_total{@a} 2.0\n",
		text("# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 2\nh_count 1\n# TYPE h_total counter\nh_total 2\n"))
	f("# TYPE h_bucket unknown\nh_bucket{@a,le=\"0.5\"} 1.0\nh_bucket{@a,le=\"+Inf\"} 1.0\n# TYPE h_sum unknown\nh_sum{@a} 2.0\n# TYPE h_count unknown\nh_count{@a} 1.0\n# TYPE h_created gauge\nh_created{@a} 5.0\n",
		text("# TYPE h histogram\nh_bucket{le=\"0.5\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 2\nh_count 1\n# TYPE h_created gauge\nh_created 5\n"))
	f("# TYPE s unknown\ns{@a,quantile=\"1.0\"} 3.0\n# TYPE s_sum unknown\ns_sum{@a} 2.0\n# TYPE s_count unknown\ns_count{@a} 1.0\n# TYPE s_created gauge\ns_created{@a} 5.0\n",
		text("# TYPE s summary\ns{quantile=\"1\"} 3\ns_sum 2\ns_count 1\n# TYPE s_created gauge\ns_created 5\n"))
	f("# TYPE g_bucket unknown\ng_bucket{@a,le=\"+Inf\"} 1.0\n# TYPE g_gcount unknown\ng_gcount{@a} 1.0\n# TYPE g_gsum gauge\ng_gsum{@a} 1.0\n",
		proto(`name:"g" type:GAUGE_HISTOGRAM metric:{histogram:{sample_count:1 sample_sum:2}}`, `name:"g_gsum" type:GAUGE metric:{gauge:{value:1}}`))
	// Names that are one when they are escaped.
	f("# TYPE x_y gauge\nx_y{@a} 2.0\n", text("# TYPE \"x.y\" gauge\n{\"x.y\"} 1\n# TYPE x_y gauge\nx_y 2\n"))
	f("# TYPE x_y counter\nx_y_total{@a} 1.0\n", text("# TYPE \"x.y_total\" counter\n{\"x.y_total\"} 1\n"))

	// Values.
	f("# TYPE c_total unknown\nc_total{@a} -1.0\n", text("# TYPE c_total counter\nc_total -1\n"))
	f("# TYPE c_total unknown\nc_total{@a} 1.0\nc_total{@b} NaN\n", text("# TYPE c_total counter\nc_total 1\n", "# TYPE c_total counter\nc_total NaN\n"))
	f("# TYPE s unknown\ns{@a,quantile=\"2.0\"} 3.0\n# TYPE s_sum unknown\ns_sum{@a} 0.0\n# TYPE s_count unknown\ns_count{@a} 0.0\n", text("# TYPE s summary\ns{quantile=\"2\"} 3\n"))
	for _, values := range []string{`sample_sum:-1`, `sample_sum:nan`, `quantile:{quantile:nan}`, `quantile:{quantile:1 value:-1}`, `quantile:{quantile:1} quantile:{quantile:1 value:2}`} {
		if got := storedOpenMetrics(t, proto(`name:"s" type:SUMMARY metric:{summary:{`+values+`}}`), model.NoEscaping); !strings.Contains(got, "# TYPE s_count unknown\n") {
			t.Errorf("%s: got\n%s", values, got)
		}
	}
	for _, values := range []string{
		`sample_count_float:1.5`, `sample_count:2 bucket:{upper_bound:1 cumulative_count_float:0.5}`, `sample_sum:-1`, `sample_sum:nan`,
		`sample_count:1 bucket:{upper_bound:1 cumulative_count:2}`, `sample_count:2 bucket:{upper_bound:inf cumulative_count:1}`,
		`sample_count:2 bucket:{upper_bound:2 cumulative_count:1} bucket:{upper_bound:1 cumulative_count:2}`,
		`sample_count:2 bucket:{upper_bound:1 cumulative_count:2} bucket:{upper_bound:2 cumulative_count:1}`,
		`sample_count:2 bucket:{upper_bound:nan cumulative_count:1}`, `sample_count:2 bucket:{upper_bound:-1 cumulative_count:1}`,
	} {
		if got := storedOpenMetrics(t, proto(`name:"h" type:HISTOGRAM metric:{histogram:{`+values+`}}`), model.NoEscaping); !strings.Contains(got, "# TYPE h_count unknown\n") {
			t.Errorf("%s: got\n%s", values, got)
		}
	}

	// What can be done without.
	long := strings.Repeat("x", 128)
	f("# TYPE c counter\nc_total{@a} 1.0\n", proto(`name:"c_total" type:COUNTER metric:{counter:{value:1 exemplar:{label:{name:"a" value:"`+long+`"} value:1}}}`))
	f("# TYPE h histogram\nh_bucket{@a,le=\"+Inf\"} 1\nh_sum{@a} 0.0\nh_count{@a} 1\n",
		proto(`name:"h" type:HISTOGRAM metric:{label:{name:"le" value:"3"} histogram:{sample_count:1 bucket:{upper_bound:inf cumulative_count:1 exemplar:{label:{name:"a" value:"`+long+`"} value:1}}}}`))
	f("# TYPE g gaugehistogram\ng_bucket{@a,le=\"-1.0\"} 1\ng_bucket{@a,le=\"+Inf\"} 1\ng_gsum{@a} -2.0\ng_gcount{@a} 1\n",
		proto(`name:"g" type:GAUGE_HISTOGRAM metric:{histogram:{sample_count:1 sample_sum:-2 bucket:{upper_bound:-1 cumulative_count:1} created_timestamp:{seconds:1}}}`))
	f("# TYPE h histogram\nh_bucket{@a,le=\"+Inf\"} 3\nh_sum{@a} 1.0\nh_count{@a} 3\n",
		proto(`name:"h" type:HISTOGRAM metric:{histogram:{sample_count:3 sample_sum:1 schema:2 zero_count:3}}`))
	f("", proto(`name:"c" type:COUNTER`))
}

// Quoted names keep their suffixes within the quotes.
func TestScrapeOpenMetricsQuotedGaugeHistogram(t *testing.T) {
	s := pushed(t, protobufType, messages(t, `name:"g.\"" type:GAUGE_HISTOGRAM metric:{histogram:{sample_count:1 sample_sum:2}}`))
	got := storedOpenMetrics(t, s, model.NoEscaping)
	for _, line := range []string{`{"g.\"_gsum",instance="",job="a"} 2.0`, `{"g.\"_gcount",instance="",job="a"} 1`, `{"g.\"_bucket",instance="",job="a",le="+Inf"} 1`} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no %s in\n%s", line, got)
		}
	}
}

// Without the consistency check groups may hold one name with several types.
func TestScrapeOpenMetricsMixedTypes(t *testing.T) {
	s := pushed(t, "", "# TYPE m gauge\nm 1\n", "# TYPE m histogram\nm_bucket{le=\"+Inf\"} 1\nm_sum 1\nm_count 1\n")
	got := storedOpenMetrics(t, s, model.NoEscaping)
	for _, line := range []string{"# TYPE m unknown\nm{", "# TYPE m_sum unknown\nm_sum{"} {
		if !strings.Contains(got, line) {
			t.Errorf("no %q in\n%s", line, got)
		}
	}
}

func TestIsHistogramBounds(t *testing.T) {
	f := func(want bool, bounds ...float64) {
		t.Helper()
		h := &dto.Histogram{}
		for _, bound := range bounds {
			h.Bucket = append(h.Bucket, &dto.Bucket{UpperBound: &bound})
		}
		if got := isHistogram(h, true); got != want {
			t.Errorf("%v: got %v", bounds, got)
		}
	}
	inf := math.Inf(+1)
	f(true)
	f(true, inf)
	f(true, -inf, 0, inf)
	f(true, 1, 2)
	f(false, inf, inf)
	f(false, 1, 1)
	f(false, math.NaN())
	f(false, 1, math.NaN())
}

// FuzzScrapeOpenMetrics pushes two bodies in any format: the scrape is
// OpenMetrics.
func FuzzScrapeOpenMetrics(f *testing.F) {
	texts := []string{
		"# TYPE a counter\na_total 1\na_created 2\n# EOF\n",
		"# TYPE a_created gauge\na_created 1\n",
		"# TYPE a histogram\na_bucket{le=\"-1\"} 1\na_bucket{le=\"+Inf\"} 2\na_sum 1\na_count 3\n",
		"# TYPE a gaugehistogram\na_bucket{le=\"+Inf\"} 2\na_gcount 2\na_gsum -1\n# EOF\n",
		"# TYPE a_total counter\na_total -1\n",
		"# TYPE \"a.b\" summary\n{\"a.b\",quantile=\"0.5\"} 1\n{\"a.b_sum\"} NaN\n",
		"# TYPE a_gsum gauge\na_gsum 1\na_b 1\n",
	}
	binaries := []string{
		`name:"a" type:HISTOGRAM metric:{histogram:{sample_count_float:1.5 bucket:{upper_bound:1 cumulative_count_float:1}}}`,
		`name:"a" type:GAUGE_HISTOGRAM metric:{label:{name:"le" value:"1"} histogram:{sample_count:1 created_timestamp:{seconds:-99999999999}}}`,
		`name:"a_total" type:COUNTER metric:{counter:{value:1 exemplar:{label:{name:"x" value:"y"} value:nan timestamp:{seconds:5}}}}`,
	}
	for i, a := range texts {
		for _, b := range texts {
			f.Add([]byte(a), []byte(b), uint8(i%4))
		}
		for _, b := range binaries {
			f.Add([]byte(a), []byte(messages(f, b)), uint8(4+i%4))
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte, how uint8) {
		s := store.New(store.Settings{})
		types := []string{openMetricsType, protobufType}
		for i, body := range [][]byte{a, b} {
			key, err := store.NewKey(string(rune('a' + i)))
			if err != nil {
				t.Fatal(err)
			}
			contentType := openMetricsType
			if i == 1 {
				contentType = types[how>>2&1]
			}
			families, err := decode.Families(body, contentType, key, decode.Options{Scheme: model.UTF8Validation})
			if err != nil {
				return
			}
			event, err := s.Draft().Put(store.Push{Key: key, Families: families, Time: 1})
			if err != nil {
				return
			}
			s.Apply(s.Sequence()+1, event)
		}
		storedOpenMetrics(t, s, []model.EscapingScheme{model.NoEscaping, model.UnderscoreEscaping, model.DotsEscaping, model.ValueEncodingEscaping}[how&3])
	})
}
