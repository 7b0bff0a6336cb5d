package testkit

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"sluice/store"
)

// MustKey returns the grouping key of a path such as /job/a/instance/b.
func MustKey(path string) store.Key {
	k, err := store.ParseKey(path)
	if err != nil {
		panic(err)
	}
	return k
}

// NewKey returns the grouping key of a job and other labels.
func NewKey(job string, labels ...store.Label) store.Key {
	k, err := store.NewKey(job, labels...)
	if err != nil {
		panic(err)
	}
	return k
}

// Families returns the families of a canonical text.
func Families(text string) []store.Family {
	f, err := store.ParseText([]byte(text))
	if err != nil {
		panic(err)
	}
	return f
}

// Put is an event that makes a group have one sample.
func Put(path string, value int) store.Event {
	return store.Event{
		Op: store.OpPut, Key: MustKey(path), PushTime: 1_700_000_000_123_456_789 + int64(value),
		Families: Families(fmt.Sprintf("# TYPE m gauge\nm{instance=\"\",job=\"x\"} %d\n", value)), Origin: "test",
	}
}

// protoFamily is a family that text does not carry.
func protoFamily(t testing.TB, text, canonical string) store.Family {
	t.Helper()
	mf := &dto.MetricFamily{}
	if err := prototext.Unmarshal([]byte(text), mf); err != nil {
		t.Fatal(err)
	}
	f := store.Family{Name: mf.GetName(), Type: mf.GetType()}
	if canonical != "" {
		parsed := Families(canonical)[0]
		parsed.Type = mf.GetType()
		f = parsed
	}
	var err error
	if f.Proto, err = (proto.MarshalOptions{Deterministic: true}).Marshal(mf); err != nil {
		t.Fatal(err)
	}
	return f
}

const (
	nativeText = `name: "h" type: HISTOGRAM metric { label { name: "instance" value: "" } label { name: "job" value: "x" }
		histogram { sample_count: 3 sample_sum: 4.5 schema: 3 zero_threshold: 0.001 zero_count: 1 positive_span { offset: 0 length: 1 } positive_delta: 2 } }`
	nativeCanonical = "# TYPE h histogram\nh_bucket{instance=\"\",job=\"x\",le=\"+Inf\"} 3\nh_sum{instance=\"\",job=\"x\"} 4.5\nh_count{instance=\"\",job=\"x\"} 3\n"

	leText      = `name: "l" type: HISTOGRAM metric { label { name: "instance" value: "" } label { name: "job" value: "x" } label { name: "le" value: "odd" } histogram { sample_count: 1 sample_sum: 2 bucket { cumulative_count: 1 upper_bound: 1 } } }`
	leCanonical = "# TYPE l histogram\nl_bucket{instance=\"\",job=\"x\",le=\"1\"} 1\nl_bucket{instance=\"\",job=\"x\",le=\"+Inf\"} 1\nl_sum{instance=\"\",job=\"x\"} 2\nl_count{instance=\"\",job=\"x\"} 1\n"

	gaugeHistogramText      = `name: "g" type: GAUGE_HISTOGRAM metric { label { name: "instance" value: "" } label { name: "job" value: "x" } histogram { sample_count_float: 1.5 sample_sum: -2 bucket { cumulative_count_float: 1.5 upper_bound: inf } } }`
	gaugeHistogramCanonical = "# TYPE g histogram\ng_bucket{instance=\"\",job=\"x\",le=\"+Inf\"} 1.5\ng_sum{instance=\"\",job=\"x\"} -2\ng_count{instance=\"\",job=\"x\"} 1.5\n"
)

// Events are events with all that a version of their format can say, by the name of
// their file in bus/event/testdata.
func Events(t testing.TB) map[string]store.Event {
	text := Families("# HELP a Text with \\\\ and \\n.\n# TYPE a counter\na{instance=\"\",job=\"x\"} 1.5\n" +
		"# TYPE s summary\ns{instance=\"\",job=\"x\",quantile=\"0.5\"} NaN\ns_sum{instance=\"\",job=\"x\"} 3\ns_count{instance=\"\",job=\"x\"} 2\n" +
		"# TYPE \"ü m\" untyped\n{\"ü m\",instance=\"\",job=\"x\"} -0\n")
	timed := slices.Clone(text)
	timed[0].PushTime = 1_600_000_000_500_000_000
	timed[1].PushTime = 1_600_000_001_000_000_001
	timed[2].PushTime = 1_600_000_000_500_000_000
	mixed := append([]store.Family{text[0], protoFamily(t, `name: "empty" type: GAUGE help: "No metric."`, ""),
		protoFamily(t, gaugeHistogramText, gaugeHistogramCanonical), protoFamily(t, nativeText, nativeCanonical),
		protoFamily(t, leText, leCanonical)}, text[1])
	key := MustKey("/job/x")
	return map[string]store.Event{
		"put":     {Op: store.OpPut, Key: key, PushTime: 1_700_000_000_123_456_789, Families: text, Origin: "http 192.0.2.1"},
		"post":    {Op: store.OpPost, Key: key, PushTime: 1_700_000_000_000_000_000, FailTime: 1_650_000_000_000_000_000, Families: timed},
		"fail":    {Op: store.OpFail, Key: key, FailTime: 1_700_000_000_000_000_001, Families: []store.Family{}, Origin: "nats user"},
		"refused": {Op: store.OpPost, Key: key, PushTime: 1_700_000_000_000_000_000, FailTime: 1_650_000_000_000_000_000, Families: []store.Family{}, Refusal: "a is a gauge here, \"ü\" there:\nsee\tC:\\docs"},
		"timed":   {Op: store.OpPut, Key: key, PushTime: 1_700_000_000_000_000_000, Expires: 1_700_000_600_500_000_000, Families: text},
		"expire":  {Op: store.OpExpire, Key: key, PushTime: 1_700_000_000_000_000_000, FailTime: 1, Expires: 1_700_000_600_500_000_000, Forget: 1_700_004_200_500_000_000, Refusal: "why", Origin: "time to live"},
		"proto":   {Op: store.OpPut, Key: key, PushTime: 1, Families: mixed},
		"delete":  {Op: store.OpDelete, Key: MustKey("/job/" + strings.Repeat("long", 60)), Origin: "http 192.0.2.1"},
		"wipe":    {Op: store.OpWipe, Origin: "http 192.0.2.1"},

		"import":   {Op: store.OpImport, Origin: "persistence file /var/lib/pushgateway.data"},
		"imported": {Op: store.OpImported, Origin: "persistence file /var/lib/pushgateway.data"},
	}
}
