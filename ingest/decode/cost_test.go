package decode

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/prometheus/common/model"

	"sluice/e2e/testkit"
	"sluice/store"
)

// The estimate covers what decoding allocates, whatever the body, and is not
// far above it where it matters: with lines of usual length.
func TestCost(t *testing.T) {
	const size = 512 << 10
	key := benchKey
	wide := testkit.NewKey("j", store.Label{Name: "path", Value: strings.Repeat("x", 500)})
	limits := Limits{Series: 500_000, Labels: 128, LabelBytes: 16 << 10, TextBytes: 32 << 20}
	f := func(name string, body []byte, contentType string, key store.Key, most float64) {
		t.Helper()
		asked := &costs{}
		opts := Options{Limits: limits, Admit: asked}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Families(body, contentType, key, opts)
		runtime.ReadMemStats(&after)
		grown := int64(after.TotalAlloc - before.TotalAlloc)
		ratio := float64(asked.most) / float64(max(grown, 1))
		t.Logf("%-28s %9d bytes: %9d allocated, %4.1f a byte, estimate %4.1f times (%v)", name, len(body), grown, float64(grown)/float64(len(body)), ratio, short(err))
		if ratio*raceFactor < 1 || most > 0 && ratio > most {
			t.Errorf("%s: %d are estimated, %d were allocated", name, asked.most, grown)
		}
	}
	// repeat makes a body of lines that each have a number of their own.
	repeat := func(size int, line func(i int) string) []byte {
		var b bytes.Buffer
		for i := 0; b.Len() < size; i++ {
			b.WriteString(line(i))
		}
		return b.Bytes()
	}
	manyLabels := func(i int) string {
		var b strings.Builder
		fmt.Fprintf(&b, "m{n=\"%d\"", i)
		for k := range 20 {
			fmt.Fprintf(&b, ",a%d=\"\"", k)
		}
		return b.String() + "} 1\n"
	}
	usual := func(i int) string {
		return fmt.Sprintf("node_thing_bytes{device=\"sd%d\",mode=\"idle\",code=\"200\"} %d.5\n", i, i)
	}
	families := func(i int) string { return fmt.Sprintf("m%d 1\n", i) }
	short := func(i int) string { return fmt.Sprintf("m{a=\"%d\"} 1\n", i) }
	const cr = "# HELP x \r\n" // the slow path

	f("fast, usual lines", repeat(size, usual), "", key, 3)
	f("fast, short lines", repeat(size, short), "", key, 0)
	f("fast, families", repeat(size, families), "", key, 0)
	f("fast, wide key", repeat(size/2, short), "", wide, 0)
	f("fast, many labels", repeat(size/4, manyLabels), "", key, 0)
	f("slow, usual lines", append([]byte(cr), repeat(size, usual)...), "", key, 3)
	f("slow, short lines", append([]byte(cr), repeat(size, short)...), "", key, 0)
	f("slow, families", append([]byte(cr), repeat(size, families)...), "", key, 0)
	f("slow, wide key", append([]byte(cr), repeat(size/2, short)...), "", wide, 0)
	f("slow, one label", []byte("m{a=\"\r"+strings.Repeat("x", size)+"\"} 1\n"), "", key, 0)

	const openMetrics = "application/openmetrics-text"
	eof := []byte("# EOF\n")
	f("OpenMetrics, usual lines", append(repeat(size, usual), eof...), openMetrics, key, 3)
	f("OpenMetrics, short lines", append(repeat(size, short), eof...), openMetrics, key, 0)
	f("OpenMetrics, families", append(repeat(size, families), eof...), openMetrics, key, 0)
	f("OpenMetrics, many labels", append(repeat(size, manyLabels), eof...), openMetrics, key, 0)

	asProtobuf := func(text []byte) []byte {
		parsed, err := parseText(text, model.LegacyValidation, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var out []byte
		for _, mf := range parsed {
			out = append(out, delimited(mf)...)
		}
		return out
	}
	const histogram = "# TYPE h histogram\n"
	buckets := func(i int) string { return fmt.Sprintf("h_bucket{a=\"%d\",le=\"%d\"} 1\n", i/1000, i%1000) }
	f("protobuf, usual lines", asProtobuf(repeat(size, usual)), protobufContentType, key, 3)
	f("protobuf, short lines", asProtobuf(repeat(size, short)), protobufContentType, key, 0)
	f("protobuf, families", asProtobuf(repeat(size, families)), protobufContentType, key, 0)
	f("protobuf, wide key", asProtobuf(repeat(size/2, short)), protobufContentType, wide, 0)
	f("protobuf, many labels", asProtobuf(repeat(size, manyLabels)), protobufContentType, key, 0)
	f("protobuf, buckets", asProtobuf(append([]byte(histogram), repeat(size, buckets)...)), protobufContentType, key, 0)
	message := func(field byte, inner string) string {
		return string([]byte{field<<3 | 2}) + length(len(inner)) + inner
	}
	nest := func(inner string) []byte {
		whole := message(1, "m") + inner
		return []byte(length(len(whole)) + whole)
	}
	f("protobuf, empty metrics", nest(strings.Repeat("\x22\x00", size/2)), protobufContentType, key, 0)
	f("protobuf, empty labels", nest(message(4, strings.Repeat("\x0a\x00", size/2))), protobufContentType, key, 0)
	f("protobuf, empty buckets", nest("\x18\x04"+message(4, message(7, strings.Repeat("\x1a\x00", size/2)))), protobufContentType, key, 0)
	f("protobuf, empty quantiles", nest("\x18\x02"+message(4, message(4, strings.Repeat("\x1a\x00", size/2)))), protobufContentType, key, 0)
	f("protobuf, empty families", bytes.Repeat([]byte{0}, size), protobufContentType, key, 0)
}

// costs admits all, and remembers the most.
type costs struct{ most int64 }

func (c *costs) Admit(n int64) error {
	c.most = max(c.most, n)
	return nil
}

// length is a varint.
func length(n int) string {
	var out []byte
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return string(append(out, byte(n)))
}

func short(err error) string {
	if err == nil {
		return "taken"
	}
	return err.Error()[:min(len(err.Error()), 60)]
}
