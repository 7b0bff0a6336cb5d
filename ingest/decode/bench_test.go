package decode

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"sluice/e2e/testkit"
	"sluice/store"
)

// benchKey is a grouping key of usual size.
var benchKey = testkit.NewKey("loadgen", store.Label{Name: "instance", Value: "host-0042:9100"})

// benchBody has 20 series in 5 families, as a push of the load generator.
func benchBody() []byte {
	var b strings.Builder
	fmt.Fprint(&b, "# HELP loadgen_seq Sequence number of the last push.\n# TYPE loadgen_seq gauge\nloadgen_seq 1732462983000123\n")
	for _, f := range []struct {
		name, kind string
		n          int
	}{{"loadgen_load_ratio_0", "gauge", 4}, {"loadgen_load_ratio_1", "gauge", 1}, {"loadgen_work_total_0", "counter", 2}} {
		fmt.Fprintf(&b, "# HELP %s Synthetic %s with a few labelled parts.\n# TYPE %s %s\n", f.name, f.kind, f.name, f.kind)
		for i := range f.n {
			fmt.Fprintf(&b, "%s{part=\"p%d\"} %d.%03d\n", f.name, i, i*7919%1000, i*104729%1000)
		}
	}
	fmt.Fprint(&b, "# HELP loadgen_duration_seconds_0 Synthetic histogram.\n# TYPE loadgen_duration_seconds_0 histogram\n")
	for i, bound := range strings.Fields("0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 +Inf") {
		fmt.Fprintf(&b, "loadgen_duration_seconds_0_bucket{le=\"%s\"} %d\n", bound, 137*(i+1))
	}
	fmt.Fprint(&b, "loadgen_duration_seconds_0_sum 18.769\nloadgen_duration_seconds_0_count 1370\n")
	return []byte(b.String())
}

// bigBody has many gauges with three labels, not in order.
func bigBody(series int) []byte {
	var b strings.Builder
	for i := range series {
		if i%1000 == 0 {
			fmt.Fprintf(&b, "# HELP node_thing_%03d_bytes Some thing.\n# TYPE node_thing_%03d_bytes gauge\n", i/1000, i/1000)
		}
		fmt.Fprintf(&b, "node_thing_%03d_bytes{device=\"sd%d\",mode=\"m%d\",code=\"%d\"} %d.5\n", i/1000, i*7%1000, i%7, i%3, i)
	}
	return []byte(b.String())
}

// benchmark measures f, which reads a body with so many series.
func benchmark(b *testing.B, size, series int, f func() ([]store.Family, error)) {
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if families, err := f(); err != nil || len(families) == 0 {
			b.Fatal(families, err)
		}
	}
	b.ReportMetric(float64(b.N)*float64(series)/b.Elapsed().Seconds(), "series/s")
}

func BenchmarkText(b *testing.B) {
	for _, body := range []struct {
		name   string
		text   []byte
		series int
	}{{"push20", benchBody(), 20}, {"big50k", bigBody(50_000), 50_000}} {
		b.Run(body.name+"/fast", func(b *testing.B) {
			benchmark(b, len(body.text), body.series, func() ([]store.Family, error) {
				families, ok := scanText(body.text, benchKey, Limits{})
				if !ok {
					b.Fatal("the fast path does not take the body")
				}
				return families, nil
			})
		})
		b.Run(body.name+"/slow", func(b *testing.B) {
			benchmark(b, len(body.text), body.series, func() ([]store.Family, error) {
				return slowly(body.text, benchKey, Options{Scheme: model.LegacyValidation})
			})
		})
	}
}

func BenchmarkProtobuf(b *testing.B) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	parsed, err := parser.TextToMetricFamilies(bytes.NewReader(benchBody()))
	if err != nil {
		b.Fatal(err)
	}
	var families []*dto.MetricFamily
	for _, mf := range parsed {
		families = append(families, mf)
	}
	body := delimited(families...)
	benchmark(b, len(body), 20, func() ([]store.Family, error) {
		return Families(body, protobufContentType, benchKey, Options{})
	})
}
