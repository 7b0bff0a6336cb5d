package ingest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"sluice/bus"
)

const protobufType = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

// gauges is a family in delimited protobuf with so many series and labels.
func gauges(tb testing.TB, series, labels int) string {
	tb.Helper()
	mf := &dto.MetricFamily{Name: proto.String("m"), Type: dto.MetricType_GAUGE.Enum()}
	for i := range series {
		m := &dto.Metric{Gauge: &dto.Gauge{Value: proto.Float64(1)}}
		for j := range labels {
			m.Label = append(m.Label, &dto.LabelPair{Name: proto.String(fmt.Sprintf("l%d", j)), Value: proto.String(fmt.Sprint(i))})
		}
		mf.Metric = append(mf.Metric, m)
	}
	var b bytes.Buffer
	if _, err := protodelim.MarshalTo(&b, mf); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func lines(series int) string {
	var b strings.Builder
	for i := range series {
		fmt.Fprintf(&b, "m{a=\"%d\"} 1\n", i)
	}
	return b.String()
}

// Each limit lets pass what just fits, and refuses one more by its name, its
// value and its flag, whatever the format of the body is.
func TestLimits(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	g.setFront(FrontConfig{MaxBytes: 1 << 20, Limits: Limits{Series: 10, Labels: 4, LabelBytes: 50, ValueBytes: 50, TextBytes: 2000}})
	f := func(name, path, body string, code int, reason string, wants ...string) {
		t.Helper()
		before, stored := g.refused(reason, viaHTTP), g.text()
		var header []string
		if strings.Contains(name, "protobuf") {
			header = []string{"Content-Type", protobufType}
		}
		got, text := g.do("PUT", "/metrics/job/"+path, body, header...)
		if got != code {
			t.Errorf("%s: %d %s, want %d", name, got, text, code)
		}
		if code == 200 {
			g.do("PUT", "/wipe", "")
			return
		}
		checkText(t, text)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q lacks %q", name, text, want)
			}
		}
		if got := g.refused(reason, viaHTTP) - before; got != 1 {
			t.Errorf("%s: counted %v times as %s", name, got, reason)
		}
		if g.text() != stored || g.store.Groups() != 0 {
			t.Fatalf("%s: something has changed", name)
		}
	}
	const series, labels, long, large = "too_many_series", "too_many_labels", "label_too_long", "text_too_large"
	f("E: just as many series", "x", lines(10), 200, "")
	f("E: one series too many", "x", lines(11), 413, series, "10 series", "--push.max-series", "line 11")
	f("E: one series too many, without fast path", "x", "# HELP a \\\"\n"+lines(11), 413, series, "--push.max-series", "line 12")
	f("E: many series too many", "x", lines(5000), 413, series, "--push.max-series", "line 11")
	f("E: just as many series in protobuf", "x", gauges(t, 10, 1), 200, "")
	f("E: one series too many in protobuf", "x", gauges(t, 11, 1), 413, series, "--push.max-series", `"m"`)
	f("E: lines of histograms count", "x", "# TYPE h histogram\n"+
		strings.Repeat("h_bucket{le=\"1\"} 1\n", 1)+"h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"+strings.ReplaceAll(lines(7), "m{", "n{"), 413, series)
	f("E: lines that a histogram gets count", "x", "# TYPE h histogram\nh_sum{a=\"1\"} 1\nh_sum{a=\"2\"} 1\nh_sum{a=\"3\"} 1\nh_sum{a=\"4\"} 1\n", 413, series, "--push.max-series")
	f("E: comments do not count", "x", strings.Repeat("# x\n\n", 100)+lines(10), 200, "")

	f("E: just as many labels", "x", "m{a=\"1\",b=\"2\",c=\"3\"} 1\n", 200, "")
	f("E: one label too many", "x", "n 1\nm{a=\"1\",b=\"2\",c=\"3\",d=\"4\"} 1\n", 413, labels, "5 labels", "limit is 4", "--push.max-labels", "line 2")
	f("E: one label too many with the group's", "x/i/1", "m{a=\"1\",b=\"2\",c=\"3\"} 1\n", 413, labels, "5 labels", "limit is 4", "--push.max-labels")
	f("E: a label of both counts once", "x/i/1", "m{a=\"1\",b=\"2\",i=\"3\"} 1\n", 200, "")
	f("E: many labels too many", "x", "m{"+strings.Repeat("a=\"\",", 1000)+"} 1\n", 413, labels, "--push.max-labels", "line 1")
	f("E: just as many labels in protobuf", "x", gauges(t, 1, 3), 200, "")
	f("E: one label too many in protobuf", "x", gauges(t, 1, 4), 413, labels, "5 labels", "--push.max-labels")

	f("E: label value just as long", "x", "m{a=\""+strings.Repeat("x", 50)+"\"} 1\n", 200, "")
	f("E: label value just as long, escaped", "x", "m{a=\""+strings.Repeat(`\\`, 50)+"\"} 1\n", 200, "")
	f("E: label value too long", "x", "n 1\nm{a=\""+strings.Repeat("x", 51)+"\"} 1\n", 413, long, "51 bytes", "limit is 50", "--push.max-label-bytes", `"a"`, "line 2")
	f("E: label value far too long", "x", "m{a=\""+strings.Repeat("x", 500_000)+"\"} 1\n", 413, long, "500000 bytes", "--push.max-label-bytes")
	f("E: label name too long", "x", "m{"+strings.Repeat("x", 51)+"=\"1\"} 1\n", 413, long, "51 bytes", "--push.max-label-bytes")
	f("E: metric name too long", "x", strings.Repeat("x", 51)+" 1\n", 413, long, "51 bytes", "--push.max-label-bytes")

	wideKey := "x/zone/" + strings.Repeat("k", 40)
	f("E: text too large with its key", wideKey, strings.ReplaceAll(lines(9), "a=\"", "b=\""+strings.Repeat("v", 49)), 200, "")
	g.setFront(FrontConfig{MaxBytes: 1 << 20, Limits: Limits{TextBytes: 2000}})
	f("E: small body, large text", wideKey, lines(100), 413, large, "2000 bytes", "--push.max-bytes")
	f("E: small body, large text, without fast path", wideKey, "# HELP a \\\"\n"+lines(100), 413, large, "2000 bytes")
	f("E: small body, large text in protobuf", wideKey, gauges(t, 100, 1), 413, large, "2000 bytes")
}

// Grouping keys are bounded, too: by 400, as all that is wrong with a path.
func TestLimitsOfKeys(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	long := strings.Repeat("a", 100_000)
	g.do("PUT", "/metrics/job/"+long[:2000], "m 1\n") // no limit yet
	g.setFront(FrontConfig{MaxBytes: 1 << 20, Limits: Limits{Labels: 4, LabelBytes: 1000}})
	conn := g.startService(t)
	f := func(name, method, key string, code int, wants ...string) {
		t.Helper()
		got, text := g.do(method, "/metrics"+key, "m 1\n")
		if got != code {
			t.Errorf("%s: %d %s, want %d", name, got, text, code)
		}
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q lacks %q", name, text, want)
			}
		}
		if code == 400 {
			checkText(t, text)
			reply := request(t, conn, "sluice.push."+strings.ToLower(method), "m 1\n", "Sluice-Group", key)
			if reply.Code != code || reply.Error != strings.TrimSuffix(text, "\n") {
				t.Errorf("%s: %+v over NATS, %q over HTTP", name, reply, text)
			}
		}
	}
	f("F: 100 kB of path", "PUT", "/job/"+long, 400, "100003 bytes", "1000", "--push.max-label-bytes")
	f("F: 100 kB in a label", "POST", "/job/x/a/"+long, 400, "--push.max-label-bytes")
	f("F: 100 kB of delete", "DELETE", "/job/"+long, 400, "--push.max-label-bytes")
	f("F: too many bytes in all", "PUT", "/job/x/a/"+long[:500]+"/b/"+long[:500], 400, "--push.max-label-bytes")
	f("F: too many labels", "PUT", "/job/x/a/1/b/2/c/3/d/4", 400, "5 labels", "4", "--push.max-labels")
	f("F: just fits", "PUT", "/job/"+long[:997], 200)
	f("F: made under another limit", "DELETE", "/job/"+long[:2000], 202)
	if n := g.store.Groups(); n != 1 {
		t.Errorf("%d groups, want 1", n)
	}

	const cure = "base64url is base64 with"
	f("F: standard base64", "POST", "/job/x/path@base64/fn4+fg==", 400, "base64url", "standard alphabet", cure)
	f("F: standard base64 with a slash as underscore", "POST", "/job/x/path@base64/Pz8+", 400, "base64url", "standard alphabet", cure)
	f("F: no base64 at all", "POST", "/job/x/path@base64/a.b", 400, "base64url", cure)
	f("F: odd path", "POST", "/job/x/path", 400, "odd number", "base64url")
	f("F: dash in a label name", "PUT", "/job/x/a-b/1", 400, `improper label name "a-b"`, "--push.enable-utf8-names")
	f("F: reserved label name", "PUT", "/job/x/__a/1", 400, `improper label name "__a"`, "reserved")
}

// A bomb costs no more than the limit, over HTTP and over NATS.
func TestBombs(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	conn := g.startService(t)
	part := []byte(strings.Repeat("# a comment that is very long\n", 32<<20/30))
	many := func(body []byte, n int) string { return strings.Repeat(string(body), n) }
	label := []byte("m{a=\"" + strings.Repeat("x", 200<<20) + "\"} 1\n")
	frame := func(descriptor ...byte) string {
		return string(append(append([]byte{0x28, 0xb5, 0x2f, 0xfd}, descriptor...), 0x03, 0x00, 0x00, 'x'))
	}
	size := binary.LittleEndian.AppendUint64([]byte{0xe0}, 1<<40)
	for _, bomb := range []struct{ name, encoding, body string }{
		{"H: gzip, one label of 200 MB", "gzip", string(gzipped(t, label))},
		{"H: gzip, 3 GB in members", "gzip", many(gzipped(t, part), 100)},
		{"H: snappy, one label of 200 MB", "snappy", string(snapped(t, label[:20<<20]))[:900_000]},
		{"H: zstd, one label of 200 MB", "zstd", string(zstded(t, label))},
		{"H: zstd, 3 GB in frames", "zstd", many(zstded(t, part), 100)},
		{"H: zstd, huge window", "zstd", frame(0x00, 0xf8)},
		{"H: zstd, window of 128 MB", "zstd", frame(0x00, 17<<3)},
		{"H: zstd, huge content size", "zstd", frame(size...)},
		{"E: 2 MB of lines", "", strings.Repeat("m 1\n", 500_000)},
	} {
		t.Run(bomb.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			code, text := g.do("PUT", "/metrics/job/x", bomb.body, "Content-Encoding", bomb.encoding)
			runtime.ReadMemStats(&after)
			if code != 413 {
				t.Errorf("%d %s, want 413", code, text)
			}
			checkText(t, text)
			// All that was allocated, collected or not. The limit is 1 MiB; what comes
			// on top is the window of zstd, and growing buffers.
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
				t.Errorf("%d MiB were allocated", grown>>20)
			}
			if len(bomb.body) < 1<<20 {
				reply := request(t, conn, "sluice.push.put.job.x", bomb.body, "Content-Encoding", bomb.encoding)
				if reply.Code != 413 || reply.Error != strings.TrimSuffix(text, "\n") {
					t.Errorf("%+v over NATS", reply)
				}
			}
		})
	}
	if n := g.store.Groups(); n != 0 {
		t.Errorf("%d groups", n)
	}
	if got := g.refused(reasonBody, viaHTTP); got < 5 {
		t.Errorf("%v refusals counted", got)
	}
}

// Every refusal is counted by its reason.
func TestRefusalsAreCounted(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	f := func(reason, path, body string, header ...string) {
		t.Helper()
		before := g.refused(reason, viaHTTP)
		g.do("PUT", path, body, header...)
		if got := g.refused(reason, viaHTTP) - before; got != 1 {
			t.Errorf("%s %q: counted %v times as %s", path, body, got, reason)
		}
	}
	f("syntax", "/metrics/job/x", "a")
	f("timestamp", "/metrics/job/x", "a 1 1\n")
	f("duplicate_series", "/metrics/job/x", "a 1\na 2\n")
	f("invalid_series", "/metrics/job/x", "a{__b=\"1\"} 1\n")
	f("bad_key", "/metrics/job/x/a", "a 1\n")
	f("bad_encoding", "/metrics/job/x", "a 1\n", "Content-Encoding", "gzip")
	f("body_too_large", "/metrics/job/x", strings.Repeat("a 1\n", 1<<19))
	g.do("PUT", "/metrics/job/y", "# TYPE c counter\nc 1\n")
	f("inconsistent", "/metrics/job/x", "# TYPE c gauge\nc 1\n")
	conn := g.startService(t)
	if reply := request(t, conn, "sluice.push.put.job.x", "a 1\n", "Nats-TTL", "1ms"); reply.Code != 400 {
		t.Errorf("%+v", reply)
	}
	if got := g.refused("bad_ttl", viaNATS); got != 1 {
		t.Errorf("counted %v times as bad_ttl", got)
	}
}
