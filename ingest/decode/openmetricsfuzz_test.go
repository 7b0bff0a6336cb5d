package decode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"google.golang.org/protobuf/proto"

	"sluice/e2e/testkit"
	"sluice/ingest/decode/seeds"
	"sluice/store"
)

// openMetricsSeeds are bodies that are OpenMetrics, or nearly.
var openMetricsSeeds = []string{
	"# EOF",
	"# EOF\n",
	"a 1\n# EOF\n",
	"# HELP a x \\\\ \\n \\\" \n# TYPE a counter\na_total{x=\"1\",} 1.0 # {trace_id=\"a\\\"b\"} 0.5 1520879607.789\na_created{x=\"1\"} 1.5e+09\n# EOF\n",
	"# TYPE a info\na_info{v=\"1\"} 1\n# TYPE s stateset\ns{s=\"x\"} 1\ns{s=\"y\"} 0\n# EOF\n",
	"# TYPE a histogram\n# UNIT a \na_bucket{le=\"-1\"} 0\na_bucket{le=\"0.1\"} 2 # {} 0.05\na_bucket{le=\"+Inf\"} 3 # {a=\"b\"} 9 1\na_count 3\na_sum 9\na_created 1\n# EOF\n",
	"# TYPE a gaugehistogram\na_bucket{le=\"1\",x=\"1\"} 2\na_bucket{le=\"+Inf\",x=\"1\"} 9007199254740993\na_gcount{x=\"1\"} 9007199254740993\na_gsum{x=\"1\"} -1\n# EOF\n",
	"# TYPE a summary\na{quantile=\"0.5\"} NaN\na{quantile=\"1\"} 3\na_sum 1\na_count 2\na_created 5\n# EOF\n",
	"# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds NaN\n# EOF\n",
	"# TYPE \"a.b\" counter\n{\"a.b_total\",\"x.y\"=\"\\n\"} 1 # {\"t.r\"=\"2\"} 1\n# EOF\n",
	"{\"a\nb\"} 1\n{\"c\"} 1\n# EOF\n",
	"{\"a\\\nb\"} 1\n# EOF\n",
	"a{x=\"\x00\"} 1\n# EOF\n",
	"a 1 1.5\nb 1 # {x=\"1\"} 1\n# EOF\n",
	"# TYPE a counter\na_total 1\n# TYPE a_info gauge\na_info 1\n# TYPE a info\na_info 1\n# EOF\n",
	"# TYPE h histogram\nh_bucket{le=\"+Inf\"} 0\n# TYPE h_count gauge\nh_count 1\n# EOF\n",
	"# TYPE le stateset\nle{le=\"1\"} 1\n# EOF\n",
	"# TYPE h gaugehistogram\nh_bucket{le=\"+Inf\"} 0\nh_count 1\nh_gsum 1\n# EOF\n",
}

// FuzzOpenMetrics reads anything as OpenMetrics: what is taken is canonical,
// and Prometheus reads the scrapes that are made of it.
func FuzzOpenMetrics(f *testing.F) {
	for i, seed := range slices.Concat(openMetricsSeeds, seeds.Text) {
		f.Add([]byte(seed), uint8(0), i%2 == 0, false)
		f.Add([]byte(seed), uint8(i), true, i%3 == 0)
		f.Add([]byte(seed+"# EOF\n"), uint8(i), i%2 == 1, false)
	}
	f.Fuzz(func(t *testing.T, body []byte, key uint8, utf8, unchecked bool) {
		before := bytes.Clone(body)
		opts := Options{Scheme: fuzzScheme(utf8), Unchecked: unchecked}
		families, err := Families(body, openMetricsContentType, fuzzKey(key), opts)
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		if err != nil {
			// Whatever can be pushed as plain text can be pushed under this type, unless
			// it has # EOF.
			_, plain := Families(body, "", fuzzKey(key), opts)
			if FormatOf(body, openMetricsContentType) == TextInstead && plain == nil {
				t.Fatalf("%q is plain text, but refused: %v", body, err)
			}
			return
		}
		checkFamilies(t, families, fuzzKey(key), unchecked)
		// OpenMetrics takes no metric name for two families, so nothing of a body
		// can get into another's way, even if it is read as plain text again.
		if _, meant := parseOpenMetrics(body, opts.Scheme, opts.Limits); meant == nil && !unchecked {
			checkScrapes(t, families)
		}
	})
}

// checkScrapes has Prometheus' own parsers read what scrapes in text and in
// protobuf would show of families that go together.
func checkScrapes(t *testing.T, families []store.Family) {
	t.Helper()
	var text, messages []byte
	for _, f := range families {
		text = append(text, f.Text...)
		mf, err := f.Message()
		if err != nil {
			t.Fatalf("family %q has no message: %v", f.Name, err)
		}
		raw, err := proto.Marshal(mf)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(binary.AppendUvarint(messages, uint64(len(raw))), raw...)
	}
	readAll(t, text, textparse.NewPromParser(text, labels.NewSymbolTable(), false))
	readAll(t, messages, textparse.NewProtobufParser(messages, false, true, false, true, labels.NewSymbolTable()))
}

func readAll(t *testing.T, scrape []byte, parser textparse.Parser) {
	t.Helper()
	for {
		_, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("Prometheus refuses %q: %v", scrape, err)
		}
	}
}

// What OpenMetrics can say goes around: the names that its families get in a
// scrape can be pushed by the same client as plain text.
func TestOpenMetricsMeetsText(t *testing.T) {
	openMetrics := "# TYPE c counter\nc_total 1\n# TYPE i info\ni_info{v=\"1\"} 1\n# TYPE s stateset\ns{s=\"x\"} 1\n# TYPE u unknown\nu 1\n# EOF\n"
	plain := "# TYPE c_total counter\nc_total 1\n# TYPE i_info gauge\ni_info{v=\"1\"} 1\n# TYPE s gauge\ns{s=\"x\"} 1\n# TYPE u untyped\nu 1\n"
	a, err := Families([]byte(openMetrics), openMetricsContentType, testkit.NewKey("j"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Families([]byte(plain), "text/plain", testkit.NewKey("j"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := differs(a, b); diff != "" {
		t.Error(diff)
	}
}

// The time for a body goes with its size, also if all of it is one line, and
// nothing that a parser would choke on ends the process.
func TestOpenMetricsIsBounded(t *testing.T) {
	f := func(body string) {
		t.Helper()
		if _, err := Families([]byte(body), openMetricsContentType, testkit.NewKey("j"), Options{}); err == nil {
			t.Errorf("%.40q... was taken", body)
		}
	}
	f("a{" + strings.Repeat("x=\"1\",", 200_000) + "} 1\n# EOF\n")
	f("# TYPE c counter\nc_total 1 # {" + strings.Repeat("x=\"1\",", 200_000) + "} 1\n# EOF\n")
	long := "a{x=\"" + strings.Repeat("y", 1<<24) + "\"} 1\n# EOF\n"
	families, err := Families([]byte(long), openMetricsContentType, testkit.NewKey("j"), Options{})
	if err != nil || len(families) != 1 || families[0].Type != dto.MetricType_UNTYPED {
		t.Errorf("a label of 16 MiB: %v", err)
	}
}
