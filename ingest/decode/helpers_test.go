package decode

import (
	"bytes"
	"math"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"sluice/store"
)

const protobufContentType = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

// delimited is the body of a push in protobuf.
func delimited(families ...*dto.MetricFamily) []byte {
	var b bytes.Buffer
	for _, mf := range families {
		if _, err := protodelim.MarshalTo(&b, mf); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

// decoded is the family that f keeps as protobuf.
func decoded(t *testing.T, f store.Family) *dto.MetricFamily {
	t.Helper()
	mf := &dto.MetricFamily{}
	if err := proto.Unmarshal(f.Proto, mf); err != nil {
		t.Fatalf("family %q keeps what cannot be decoded: %v", f.Name, err)
	}
	return mf
}

func family(name string, typ dto.MetricType, metrics ...*dto.Metric) *dto.MetricFamily {
	return &dto.MetricFamily{Name: &name, Type: &typ, Metric: metrics}
}

// pairs makes labels of names and values in turn.
func pairs(labels ...string) []*dto.LabelPair {
	var out []*dto.LabelPair
	for i := 0; i < len(labels); i += 2 {
		out = append(out, &dto.LabelPair{Name: &labels[i], Value: &labels[i+1]})
	}
	return out
}

func gauge(value float64, labels ...string) *dto.Metric {
	return &dto.Metric{Label: pairs(labels...), Gauge: &dto.Gauge{Value: &value}}
}

func counter(value float64, labels ...string) *dto.Metric {
	return &dto.Metric{Label: pairs(labels...), Counter: &dto.Counter{Value: &value}}
}

func histogram(h *dto.Histogram, labels ...string) *dto.Metric {
	return &dto.Metric{Label: pairs(labels...), Histogram: h}
}

func summary(s *dto.Summary, labels ...string) *dto.Metric {
	return &dto.Metric{Label: pairs(labels...), Summary: s}
}

func bucket(bound float64, count uint64) *dto.Bucket {
	return &dto.Bucket{UpperBound: &bound, CumulativeCount: &count}
}

func quantile(q, value float64) *dto.Quantile {
	return &dto.Quantile{Quantile: &q, Value: &value}
}

// oddFamilies are families that are taken, each with something that text does
// not carry, or that looks as if it did not.
func oddFamilies() map[string]*dto.MetricFamily {
	inf, one := math.Inf(+1), proto.Float64(1)
	hist := dto.MetricType_HISTOGRAM
	classic := func() *dto.Histogram {
		return &dto.Histogram{SampleCount: proto.Uint64(2), SampleSum: one, Bucket: []*dto.Bucket{bucket(1, 1), bucket(inf, 2)}}
	}
	with := func(change func(*dto.Histogram)) *dto.MetricFamily {
		h := classic()
		change(h)
		return family("h", hist, histogram(h))
	}
	exemplar := &dto.Exemplar{Label: pairs("trace", "x"), Value: one, Timestamp: &timestamppb.Timestamp{Seconds: 5}}
	helped := func(help string) *dto.MetricFamily {
		mf := family("g", dto.MetricType_GAUGE, gauge(1))
		mf.Help = &help
		return mf
	}
	unit := family("g_bytes", dto.MetricType_GAUGE, gauge(1))
	unit.Unit = proto.String("bytes")
	two := gauge(1)
	two.Counter = &dto.Counter{Value: one}
	return map[string]*dto.MetricFamily{
		"no metrics":         family("g", dto.MetricType_GAUGE),
		"negative zero":      family("g", dto.MetricType_GAUGE, gauge(math.Copysign(0, -1))),
		"two values":         family("g", dto.MetricType_GAUGE, two),
		"no value":           family("g", dto.MetricType_GAUGE, &dto.Metric{Gauge: &dto.Gauge{}}),
		"no type":            {Name: proto.String("c"), Metric: []*dto.Metric{counter(1)}},
		"blank before help":  helped(" x"),
		"blanks as help":     helped("\t \t"),
		"line feed as help":  helped("\n"),
		"quotes in help":     helped(`a "b" \c`),
		"empty help":         helped(""),
		"unit":               unit,
		"exemplar":           family("c", dto.MetricType_COUNTER, &dto.Metric{Counter: &dto.Counter{Value: one, Exemplar: exemplar}}),
		"created counter":    family("c", dto.MetricType_COUNTER, &dto.Metric{Counter: &dto.Counter{Value: one, CreatedTimestamp: &timestamppb.Timestamp{}}}),
		"classic":            family("h", hist, histogram(classic())),
		"gauge histogram":    family("h", dto.MetricType_GAUGE_HISTOGRAM, histogram(classic())),
		"le label":           family("h", hist, histogram(classic(), "le", "3")),
		"quantile label":     family("h", hist, histogram(classic(), "quantile", "3")),
		"no count":           with(func(h *dto.Histogram) { h.SampleCount = nil }),
		"no sum":             with(func(h *dto.Histogram) { h.SampleSum = nil }),
		"no buckets":         with(func(h *dto.Histogram) { h.Bucket = nil }),
		"no +Inf":            with(func(h *dto.Histogram) { h.Bucket = h.Bucket[:1] }),
		"NaN bound":          with(func(h *dto.Histogram) { h.Bucket[0] = bucket(math.NaN(), 1) }),
		"zero bound":         with(func(h *dto.Histogram) { h.Bucket[0] = bucket(0, 1) }),
		"negative zero le":   with(func(h *dto.Histogram) { h.Bucket[0] = bucket(math.Copysign(0, -1), 1) }),
		"bucket twice":       with(func(h *dto.Histogram) { h.Bucket[0] = bucket(inf, 1) }),
		"bucket exemplar":    with(func(h *dto.Histogram) { h.Bucket[0].Exemplar = exemplar }),
		"big count":          with(func(h *dto.Histogram) { h.SampleCount = proto.Uint64(1<<53 + 1) }),
		"huge count":         with(func(h *dto.Histogram) { h.SampleCount = proto.Uint64(math.MaxUint64) }),
		"big bucket":         with(func(h *dto.Histogram) { h.Bucket[1] = bucket(inf, 1<<60+1) }),
		"float count":        with(func(h *dto.Histogram) { h.SampleCount, h.SampleCountFloat = nil, proto.Float64(2.5) }),
		"whole float count":  with(func(h *dto.Histogram) { h.SampleCount, h.SampleCountFloat = nil, proto.Float64(2) }),
		"float bucket":       with(func(h *dto.Histogram) { h.Bucket[0].CumulativeCountFloat = proto.Float64(0.5) }),
		"count below zero":   with(func(h *dto.Histogram) { h.SampleCountFloat = proto.Float64(-0.5) }),
		"NaN count":          with(func(h *dto.Histogram) { h.SampleCountFloat = proto.Float64(math.NaN()) }),
		"created":            with(func(h *dto.Histogram) { h.CreatedTimestamp = &timestamppb.Timestamp{Seconds: 1} }),
		"schema":             with(func(h *dto.Histogram) { h.Schema = proto.Int32(0) }),
		"zero threshold":     with(func(h *dto.Histogram) { h.ZeroThreshold = proto.Float64(0) }),
		"zero count":         with(func(h *dto.Histogram) { h.ZeroCount = proto.Uint64(0) }),
		"zero count float":   with(func(h *dto.Histogram) { h.ZeroCountFloat = proto.Float64(0) }),
		"negative span":      with(func(h *dto.Histogram) { h.NegativeSpan = []*dto.BucketSpan{{}} }),
		"negative delta":     with(func(h *dto.Histogram) { h.NegativeDelta = []int64{1} }),
		"negative count":     with(func(h *dto.Histogram) { h.NegativeCount = []float64{1} }),
		"positive span":      with(func(h *dto.Histogram) { h.PositiveSpan = []*dto.BucketSpan{{}} }),
		"positive delta":     with(func(h *dto.Histogram) { h.PositiveDelta = []int64{1} }),
		"positive count":     with(func(h *dto.Histogram) { h.PositiveCount = []float64{1} }),
		"native exemplar":    with(func(h *dto.Histogram) { h.Exemplars = []*dto.Exemplar{exemplar} }),
		"summary":            family("s", dto.MetricType_SUMMARY, summary(&dto.Summary{SampleCount: proto.Uint64(1), SampleSum: one, Quantile: []*dto.Quantile{quantile(0.5, 1), quantile(0.9, math.NaN())}})),
		"summary le":         family("s", dto.MetricType_SUMMARY, summary(&dto.Summary{}, "le", "1")),
		"empty summary":      family("s", dto.MetricType_SUMMARY, summary(&dto.Summary{})),
		"NaN quantile":       family("s", dto.MetricType_SUMMARY, summary(&dto.Summary{Quantile: []*dto.Quantile{quantile(math.NaN(), 1)}})),
		"negative zero sum":  family("s", dto.MetricType_SUMMARY, summary(&dto.Summary{SampleSum: proto.Float64(math.Copysign(0, -1))})),
		"created summary":    family("s", dto.MetricType_SUMMARY, summary(&dto.Summary{CreatedTimestamp: &timestamppb.Timestamp{}})),
		"big summary":        family("s", dto.MetricType_SUMMARY, summary(&dto.Summary{SampleCount: proto.Uint64(1<<53 + 1)})),
		"odd names":          family("a.b\"\\\n", dto.MetricType_GAUGE, gauge(1, "x.y", "1", "l\"\\\n", "2", "ü", "3")),
		"odd histogram name": family("a b", hist, histogram(classic(), "x.y", "1"), histogram(classic())),
		"suffix as name":     family("x_count", dto.MetricType_SUMMARY, summary(&dto.Summary{}), summary(&dto.Summary{}, "x", "y")),
		"sum as name":        family("_sum", dto.MetricType_HISTOGRAM, histogram(classic())),
		"odd values":         family("g", dto.MetricType_GAUGE, gauge(math.NaN(), "v", "nan"), gauge(inf, "v", "inf"), gauge(-inf, "v", "-inf"), gauge(5e-324, "v", "min"), gauge(math.MaxFloat64, "v", "max")),
		"odd label values":   family("g", dto.MetricType_GAUGE, gauge(1, "v", "\x00\n\"\\"), gauge(2, "v", ""), gauge(3)),
	}
}

var (
	infinity     = math.Inf(+1)
	badTimestamp = &timestamppb.Timestamp{Nanos: -1}
)
