package event

import (
	"bytes"
	"math"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"sluice/e2e/testkit"
	"sluice/ingest/decode"
	"sluice/store"
)

// What ingest makes of a push in protobuf comes out of the stream as the same
// families, to the byte: ingest and the codec write texts by two programs.
func TestPushesInProtobufSurviveTheStream(t *testing.T) {
	key := testkit.MustKey("/job/x")
	c := NewCodec("sluice")
	rapid.Check(t, func(t *rapid.T) {
		var body []byte
		for _, mf := range rapid.SliceOfN(rapid.Custom(drawFamily), 1, 4).Draw(t, "families") {
			raw, err := proto.Marshal(mf)
			if err != nil {
				t.Skip(err) // such as text that is not UTF-8
			}
			body = protowire.AppendBytes(body, raw)
		}
		want, err := decode.Families(body, typeProto, key, decode.Options{Unchecked: rapid.Bool().Draw(t, "unchecked")})
		if err != nil {
			t.Skip(err)
		}
		m, err := c.Encode(store.Event{Op: store.OpPut, Key: key, Families: want})
		if err != nil {
			t.Fatal(err)
		}
		e, ok, err := c.Decode(m)
		if err != nil || !ok || len(e.Families) != len(want) {
			t.Fatalf("got %d families, %v, %v, want %d", len(e.Families), ok, err, len(want))
		}
		for i, w := range want {
			got := e.Families[i]
			if got.Name != w.Name || got.Type != w.Type || got.Head != w.Head || !bytes.Equal(got.Text, w.Text) ||
				!bytes.Equal(got.Proto, w.Proto) || (got.Proto == nil) != (w.Proto == nil) {
				t.Fatalf("got %+v\n%s\nwant %+v\n%s", got, got.Text, w, w.Text)
			}
		}
	})
}

func drawFloat(t *rapid.T, label string) *float64 {
	odd := []float64{0, math.Copysign(0, -1), 1, math.NaN(), math.Inf(1), math.Inf(-1), 1e21, 0.1, 1e-9}
	return proto.Float64(rapid.OneOf(rapid.SampledFrom(odd), rapid.Float64()).Draw(t, label))
}

func drawText(t *rapid.T, label string) *string {
	odd := []string{"", "a", "x\ny", `q"\`, "ü", " lead", "a,b", `","`}
	return proto.String(rapid.OneOf(rapid.SampledFrom(odd), rapid.String()).Draw(t, label))
}

func drawFamily(t *rapid.T) *dto.MetricFamily {
	mf := &dto.MetricFamily{
		Name: proto.String(rapid.SampledFrom([]string{"a", "b", "a b", "m_total", "h", "h_x", "s"}).Draw(t, "name")),
		Type: dto.MetricType(rapid.Int32Range(0, 5).Draw(t, "type")).Enum(),
	}
	if rapid.Bool().Draw(t, "has help") {
		mf.Help = drawText(t, "help")
	}
	for range rapid.IntRange(0, 3).Draw(t, "metrics") {
		m := &dto.Metric{}
		for range rapid.IntRange(0, 2).Draw(t, "labels") {
			name := rapid.SampledFrom([]string{"le", "quantile", "code", "instance", "job", "ä", "z"}).Draw(t, "label")
			m.Label = append(m.Label, &dto.LabelPair{Name: proto.String(name), Value: drawText(t, "value")})
		}
		drawValue(t, mf.GetType(), m)
		mf.Metric = append(mf.Metric, m)
	}
	return mf
}

func drawValue(t *rapid.T, typ dto.MetricType, m *dto.Metric) {
	switch typ {
	case dto.MetricType_COUNTER:
		m.Counter = &dto.Counter{Value: drawFloat(t, "counter")}
		if rapid.Bool().Draw(t, "has created time") {
			m.Counter.CreatedTimestamp = &timestamppb.Timestamp{Seconds: 1_700_000_000}
		}
	case dto.MetricType_GAUGE:
		m.Gauge = &dto.Gauge{Value: drawFloat(t, "gauge")}
	case dto.MetricType_UNTYPED:
		m.Untyped = &dto.Untyped{Value: drawFloat(t, "untyped")}
	case dto.MetricType_SUMMARY:
		m.Summary = &dto.Summary{SampleCount: proto.Uint64(rapid.Uint64().Draw(t, "count")), SampleSum: drawFloat(t, "sum")}
		for range rapid.IntRange(0, 2).Draw(t, "quantiles") {
			m.Summary.Quantile = append(m.Summary.Quantile, &dto.Quantile{Quantile: drawFloat(t, "quantile"), Value: drawFloat(t, "at quantile")})
		}
	default:
		m.Histogram = &dto.Histogram{SampleCount: proto.Uint64(rapid.Uint64().Draw(t, "count")), SampleSum: drawFloat(t, "sum")}
		if rapid.Bool().Draw(t, "native") {
			m.Histogram.Schema, m.Histogram.ZeroThreshold = proto.Int32(3), proto.Float64(0.1)
		}
		for range rapid.IntRange(0, 3).Draw(t, "buckets") {
			b := &dto.Bucket{UpperBound: drawFloat(t, "bound"), CumulativeCount: proto.Uint64(rapid.Uint64Max(100).Draw(t, "in bucket"))}
			if rapid.Bool().Draw(t, "float counts") {
				b.CumulativeCountFloat = drawFloat(t, "in bucket, as float")
			}
			m.Histogram.Bucket = append(m.Histogram.Bucket, b)
		}
	}
}
