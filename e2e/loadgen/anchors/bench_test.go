package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// pushBody has 20 series in 4 families, as a push of loadgen.
func pushBody() []byte {
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

const pushSeries = 20

func BenchmarkParse(b *testing.B) {
	body := pushBody()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseExpfmt(body); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*pushSeries/b.Elapsed().Seconds(), "series/s")
}

func BenchmarkCopy(b *testing.B) {
	from := syntheticExposition(50_000_000)
	to := make([]byte, len(from))
	b.SetBytes(int64(len(from)))
	for b.Loop() {
		copy(to, from)
	}
}

func BenchmarkCompress(b *testing.B) {
	exposition := syntheticExposition(50_000_000)
	writers := map[string]func(io.Writer) io.WriteCloser{
		"gzip-1": func(w io.Writer) io.WriteCloser { z, _ := gzip.NewWriterLevel(w, 1); return z },
		"gzip-6": func(w io.Writer) io.WriteCloser { z, _ := gzip.NewWriterLevel(w, 6); return z },
		"zstd-1": func(w io.Writer) io.WriteCloser {
			z, _ := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
			return z
		},
	}
	for name, writer := range writers {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(exposition)))
			var out bytes.Buffer
			for b.Loop() {
				out.Reset()
				z := writer(&out)
				if _, err := z.Write(exposition); err != nil {
					b.Fatal(err)
				}
				if err := z.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(exposition))/float64(out.Len()), "ratio")
		})
	}
}

func TestParseCountsMetrics(t *testing.T) {
	const metrics = 9 // of the 20 series a histogram has 12
	if n, err := parseExpfmt(pushBody()); err != nil || n != metrics {
		t.Errorf("have %d, %v, want %d", n, err, metrics)
	}
}
