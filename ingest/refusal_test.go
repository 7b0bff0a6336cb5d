package ingest

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"github.com/klauspost/compress/snappy"

	"sluice/bus"
	"sluice/store"
)

// checkText holds what is true of each refusal: it is short, and safe to show.
func checkText(t *testing.T, text string) {
	t.Helper()
	if text == "" || len(text) >= 1000 || !utf8.ValidString(text) {
		t.Errorf("%d bytes: %q", len(text), text)
	}
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' {
			t.Errorf("control character %q in %q", r, text)
		}
	}
}

func wide(s string, order binary.AppendByteOrder, size int) string {
	var b []byte
	for _, c := range utf16.Encode([]rune(s)) {
		if size == 4 {
			b = order.AppendUint32(b, uint32(c))
		} else {
			b = order.AppendUint16(b, c)
		}
	}
	return string(b)
}

// What people send, section by section of what is asked for: each is refused
// by 400, the first line says what is wrong and where, the rest says what to do,
// and nothing that is stored has changed.
func TestRefusalsNameTheMistake(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	g.do("PUT", "/metrics/job/stays", "stays 1\n")
	stored := g.text()
	// where is line:column, or "" where the whole body is meant.
	f := func(name, body, where string, gist, cure string, header ...string) {
		t.Helper()
		code, text := g.do("POST", "/metrics/job/x", body, header...)
		first, rest, _ := strings.Cut(text, "\n")
		if code != 400 || !strings.Contains(first, gist) || !strings.Contains(rest, cure) {
			t.Errorf("%s: %d\n%s\nwant 400 with %q, then %q", name, code, text, gist, cure)
		}
		checkText(t, text)
		line, column, _ := strings.Cut(where, ":")
		if where != "" && (!strings.Contains(first, "in line "+line+": ") || !strings.Contains(first, "; column "+column+": ")) {
			t.Errorf("%s: %q does not name line %s", name, first, where)
		}
		if g.text() != stored || g.store.Groups() != 1 {
			t.Fatalf("%s: something has changed", name)
		}
	}
	text := func(f func(name, body, where, gist, cure string, header ...string)) {
		const lf = "does not end with a line feed"
		f("Q: no final line feed", "some_metric 200", "1:16", lf, "--data-binary")
		f("Q: no final line feed, last of many lines", "a 1\nb 2\nc 3", "3:4", lf, "line feed")
		f("Q: no final line feed in a comment", "a 1\n# the end", "2:10", lf, "line feed")
		f("Q: cut off", "a 1\nb{c=\"d", "2:7", "cut off", "")
		const crlf = "CR LF"
		f("Q: CR LF", "some_metric 3.14\r\n", "1:17", crlf, "line feed alone")
		f("Q: CR LF in a TYPE line", "# TYPE a counter\r\na 1\r\n", "1:17", crlf, "")
		f("Q: CR LF, mixed", "a 1\nb{x=\"y\"} 2\r\nc 3\n", "2:11", crlf, "")
		f("Q: CR LF, empty line", "a 1\n\r\nb 1\n", "2:1", crlf, "")
		f("Q: lone CR", "a 1\rb 2\r", "1:3", "carriage return (CR) alone", "line feed")
		f("Q: quotes of the Windows shell", "\"some_metric 3.14\" \r\n", "1:1", "quotes around the line", "Windows")
		f("Q: single quotes around the line", "'m{a=\"b\"} 1'\n", "1:1", "single quotes around", "")
		f("Q: typographic quotes around the line", "a 1\n“m 1”\n", "2:1", "typographic quotes around", "")
		f("Q: prompt", "$ m 1\n", "1:1", `begins with "$ "`, "")
		f("Q: list item", "a 1\n- m 1\n", "2:1", `begins with "- "`, "")
		const bom = "byte order mark"
		f("Q: byte order mark", "\xef\xbb\xbfsome_metric 1\n", "1:1", bom, "PowerShell")
		f("Q: byte order mark alone", "\xef\xbb\xbf", "", bom, "")
		f("Q: byte order mark within", "a 1\n\xef\xbb\xbfb 1\n", "2:1", bom, "joined")
		f("Q: UTF-16 with mark", wide("\ufeffsome_metric 1\n", binary.LittleEndian, 2), "", "UTF-16 (little endian)", "PowerShell")
		f("Q: UTF-16 big endian with mark", wide("\ufeffsome_metric 1\n", binary.BigEndian, 2), "", "UTF-16 (big endian)", "")
		f("Q: UTF-16 without mark", wide("some_metric 1\n", binary.LittleEndian, 2), "", "UTF-16 (little endian)", "")
		f("Q: UTF-16 big endian without mark", wide("some_metric 1\n", binary.BigEndian, 2), "", "UTF-16 (big endian)", "")
		f("Q: UTF-32", wide("some_metric 1\n", binary.LittleEndian, 4), "", "UTF-32 (little endian)", "")
		f("Q: UTF-32 with mark", wide("\ufeffsome_metric 1\n", binary.BigEndian, 4), "", "UTF-32 (big endian)", "")
		f("Q: Latin-1 in a label value", "a 1\nm{city=\"K\xf6ln\"} 1\n", "2:10", "byte 0xf6 is not valid UTF-8", "Latin-1")
		f("Q: Latin-1 in a name", "gr\xf6sse 1\n", "1:3", "byte 0xf6", "Latin-1")
		f("Q: Latin-1 in a value", "m 3\xb0\n", "1:4", "byte 0xb0", "")
		f("Q: NUL in a value", "m 1\x00\n", "1:4", "NUL byte", "")
		f("Q: NUL in a name", "m\x00x 1\n", "1:2", "NUL byte", "")
		f("Q: column in characters", "m{a=\"ÄÖÜ\" b=\"1\"} 1\n", "1:11", "no comma", "")

		f("Q: curl -d", "a 1b 2", "", "curl -d removes", "--data-binary", "Content-Type", "application/x-www-form-urlencoded")
		f("Q: curl -d of one line", "a 1", "1:4", lf, "--data-binary", "Content-Type", "application/x-www-form-urlencoded")
		f("Q: form fields", "a=1&b=2", "", "curl -d removes", "", "Content-Type", "application/x-www-form-urlencoded")
		f("Q: multipart", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\na 1\r\n--b--\r\n", "", "multipart form", "--data-binary", "Content-Type", "multipart/form-data; boundary=b")
		f("Q: multipart without header", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\na 1\r\n--b--\r\n", "", "multipart form", "")
		f("Q: JSON", `{"a":1}`, "", "JSON", "", "Content-Type", "application/json")
		f("Q: JSON without header", "{\n  \"a\": 1\n}\n", "", "JSON", "some_metric{")
		f("Q: JSON array", `[{"a":1}]`, "", "JSON", "")
		f("Q: JSON string", `"a 1"`, "", "JSON", "", "Content-Type", "application/json")
		f("Q: XML", "<?xml version=\"1.0\"?><a/>\n", "", "XML", "")
		f("Q: HTML", "<!DOCTYPE html>\n<html></html>\n", "", "HTML", "login")
		f("Q: YAML", "---\na: 1\n", "", "YAML", "")
		f("Q: YAML map", "metrics:\n  a: 1\n", "1:9", "YAML", "")
		f("Q: CSV", "name,value\na,1\n", "1:5", "CSV", "")
		f("Q: CSV with semicolons", "name;value\na;1\n", "1:5", "CSV", "")
		f("Q: Influx", "cpu,host=a usage=0.5 1434055562000000000\n", "1:4", "InfluxDB", "influxdb_exporter")
		f("Q: Influx without tags", "cpu usage=0.5\n", "1:5", "InfluxDB", "")
		f("Q: statsd", "a:1|c\n", "1:4", "statsd", "statsd_exporter")
		f("Q: statsd with dots", "a.b:1|ms\n", "1:2", "statsd", "")
		f("Q: Graphite", "a.b.c 1 1700000000\n", "1:2", "Graphite", "graphite_exporter")

		f("Q: single quotes in labels", "m{p='a'} 1\n", "1:5", "single quotes", "double quotes")
		f("Q: typographic quotes in labels", "m{p=“a”} 1\n", "1:5", "typographic quotes", "double quotes")
		f("Q: no quotes in labels", "m{p=a} 1\n", "1:5", `"a" is not in quotes`, "double quotes")
		f("Q: escaped quotes in labels", `m{p=\"a\"} 1`+"\n", "1:5", "escaped", "twice")
		f("Q: no comma between labels", "m{a=\"1\" b=\"2\"} 1\n", "1:9", "no comma", "")
		f("Q: semicolon between labels", "m{a=\"1\";b=\"2\"} 1\n", "1:8", "';'", "")
		f("Q: no closing brace", "m{a=\"1\" 1\n", "1:9", "closing brace", "")
		f("Q: no closing brace at the end", "m{a=\"1\"\n", "1:8", "closing brace", "")
		f("Q: wrong closing brace", "m{a=\"1\"] 1\n", "1:8", "closing brace", "")
		f("Q: no closing quote", "m{a=\"1} 1\n", "1:5", "not closed", `\n`)
		f("Q: raw line feed in a label value", "m{a=\"x\ny\"} 1\n", "1:5", "raw line feed", `\n`)
		f("Q: inch sign", "d{model=\"Disk 2.5\" HDD\"} 1\n", "1:18", "quote inside a label value", `\"`)
		f("Q: inch sign, second label", "d{a=\"b\",model=\"3.5\" \"} 1\n", "1:19", "quote inside a label value", `\"`)
		f("Q: one backslash", "m{p=\"C:\\temp\"} 1\n", "1:8", "backslash", `\\`)
		f("Q: one backslash in help", "# HELP m C:\\temp\nm 1\n", "1:12", "backslash", `\\`)
		f("Q: label twice", "m{a=\"1\",a=\"2\"} 1\n", "1:9", "twice, first in column 3", "")
		f("Q: __name__", "m{__name__=\"x\"} 1\n", "1:3", "__name__ is reserved", "before the braces")
		f("Q: colon for equals", "m{a:\"1\"} 1\n", "1:4", "colon after the label name", "")
		f("Q: label without value", "m{a} 1\n", "1:4", `label "a" has no value`, "")
		f("Q: label without value at all", "m{a=} 1\n", "1:5", "has no value", `""`)
		f("Q: label without name", "m{=\"1\"} 1\n", "1:3", "no name", "")
		f("Q: selector", "m{a=~\"1\"} 1\n", "1:5", "selector", "")
		f("Q: dash in a label", "m{a-b=\"1\"} 1\n", "1:4", "a dash in the label name \"a-b\"", "--push.enable-utf8-names")
		f("Q: dot in a label", "m{a.b=\"1\"} 1\n", "1:4", "a dot in the label name", `"a.b"="value"`)
		f("Q: blank in a label", "m{a b=\"1\"} 1\n", "1:4", "a blank in the label name", "")
		f("Q: digit begins a label", "m{1a=\"1\"} 1\n", "1:3", "begins with a digit", "")

		f("Q: value in quotes", "m \"3\"\n", "1:3", "in quotes", "without them")
		f("Q: value in single quotes", "m '3'\n", "1:3", "in quotes", "")
		f("Q: decimal comma", "m 3,14\n", "1:3", "decimal comma", `"3.14"`)
		f("Q: comma of either kind", "m 1,234\n", "1:3", "comma", "")
		f("Q: thousands", "m 1,234,567.5\n", "1:3", "thousands", "")
		f("Q: thousands with dots", "m 1.234.567\n", "1:3", "thousands", "")
		f("Q: thousands and decimal comma", "m 1.234,5\n", "1:3", "decimal comma", "")
		f("Q: thousands with apostrophes", "m 1'234\n", "1:3", "thousands", "")
		f("Q: thousands with underscores", "m 1_000\n", "1:3", "thousands", "")
		f("Q: unit", "m 3ms\n", "1:3", "unit", "base units")
		f("Q: percent", "m 5%\n", "1:3", "unit", "base units")
		f("Q: unit behind a blank", "m 3 ms\n", "1:5", `"ms" after the value`, "unit")
		f("Q: null", "m null\n", "1:3", `"null" is not a number`, "NaN")
		f("Q: None", "m{a=\"b\"} None\n", "1:10", `"None" is not a number`, "NaN")
		f("Q: undefined", "m undefined\n", "1:3", `"undefined" is not a number`, "NaN")
		f("Q: boolean", "m true\n", "1:3", `"true" is not a number`, "1 for true")
		f("Q: money", "m $3.50\n", "1:3", "sign", "")
		f("Q: hexadecimal", "m 0x1F\n", "1:3", "decimal", "")
		f("Q: too large", "m 1e999\n", "1:3", "larger than the largest number", "+Inf")
		f("Q: date", "m 2024-01-01\n", "1:3", "date", "date +%s")
		f("Q: no value", "m\n", "1:2", "no value", "")
		f("Q: no value behind labels", "m{a=\"b\"}\n", "1:9", "no value", "")
		f("Q: equals sign", "m=1\n", "1:2", "a = after the metric name", "m 3.14")
		f("Q: equals sign with blanks", "m = 1\n", "1:3", "'=' before the value", "")
		f("Q: blank at the end", "m 1 \n", "1:4", "blank at the end", "")
		f("Q: semicolon at the end", "m 1;\n", "1:4", `ends with ";"`, "")
		f("Q: comment behind the value", "m 1 # one\n", "1:5", "comment after the value", "lines of their own")
		f("Q: comment of another kind", "// m\nm 1\n", "1:1", "comment", "#")
		f("Q: blank in the name", "my metric 1\n", "1:4", "blank in the metric name", "")
		f("Q: dash in the name", "my-metric 1\n", "1:3", "a dash in the metric name \"my-metric\"", "--push.enable-utf8-names")
		f("Q: digit begins the name", "1m 1\n", "1:1", "begins with a digit", "")
		f("Q: umlaut in the name", "größe 1\n", "1:3", "'\\u00f6'", "")
		f("Q: no-break space", "m\u00a01\n", "1:2", "no-break space", "")
		f("Q: template", "m {{ value }}\n", "1:3", "template", "")
		f("Q: template in a label", "m{a={{ value }}} 1\n", "1:5", "template", "")
		f("Q: shell variable", "m $VALUE\n", "1:3", "variable was not replaced", "double quotes")
		f("Q: shell variable as name", "${NAME} 1\n", "1:1", "variable was not replaced", "")
		f("Q: TYPE after the sample", "m 1\n# TYPE m gauge\n", "2:1", "line 1 has a sample of it already", "before all of its samples")
		f("Q: TYPE twice", "# TYPE m gauge\nm 1\n# TYPE m gauge\nm{a=\"b\"} 2\n", "3:1", "line 1 has one already", "one TYPE line")
		f("Q: TYPE twice with two types", "# TYPE m gauge\n# TYPE n gauge\n# TYPE m counter\n", "3:1", "line 1 has one already", "one TYPE line")
		f("Q: HELP twice", "# HELP m x\nm 1\n# HELP m y\n", "3:1", "line 1 has one already", "one HELP line")
		f("Q: misspelt type", "# TYPE m guage\nm 1\n", "1:10", `"guage" is not a type`, "counter, gauge")
		f("Q: blank behind the type", "# TYPE m gauge \nm 1\n", "1:15", "after the type", "")
		f("Q: le is not a number", "# TYPE h histogram\nh_bucket{le=\"x\"} 1\n", "2:13", "le must be a number", "+Inf")
		f("Q: negative count", "# TYPE h histogram\nh_count -1\n", "2:9", "negative", "")
		const om = "application/openmetrics-text"
		f("Q: OpenMetrics info", "# TYPE build info\nbuild_info{v=\"1\"} 1\n", "1:14", "info is a type of OpenMetrics", om)
		f("Q: OpenMetrics stateset", "# TYPE s stateset\n", "1:10", "stateset is a type of OpenMetrics", om)
		f("Q: OpenMetrics unknown", "# TYPE u unknown\nu 1\n", "1:10", "unknown is a type of OpenMetrics", om)
		f("Q: OpenMetrics exemplar", "m_total 1 # {trace=\"x\"} 1\n", "1:11", "exemplar", om)
		f("Q: OpenMetrics with EOF", "m 1 1.5\n# EOF\n", "1:5", "seconds", om)
		f("Q: OpenMetrics by its end", "m one\n# EOF\n", "1:3", "not a number", om)

		f("M: time in seconds", "a 1 1700000000.5\n", "1:5", "timestamp in seconds", om)
		f("M: time as a date", "a 1 2024-01-01T00:00:00Z\n", "1:5", "date after the value", "Remove")
		f("M: time and more", "a 1 1700000000000 x\n", "1:18", "after a timestamp", "Remove")

		f("G: dotted name", "a.b 1\n", "1:2", "a dot in the metric name \"a.b\"", `--push.enable-utf8-names and quotes: {"a.b"}`)
		f("G: dotted name with labels", "a 1\nhttp.requests{a=\"b\"} 1\n", "2:5", "a dot in the metric name", "--push.enable-utf8-names")
		f("G: dotted name in TYPE", "# TYPE a.b gauge\na.b 1\n", "1:9", "a dot in the metric name", "--push.enable-utf8-names")
		f("G: quoted name without the flag", "{\"a.b\"} 1\n", "1:4", "a dot in the metric name", "--push.enable-utf8-names")
		f("G: quoted label without the flag", "m{\"a b\"=\"1\"} 1\n", "1:5", "a blank in the label name", "--push.enable-utf8-names")
	}
	text(f)
	binaryBody := func(f func(name, body, where, gist, cure string, header ...string)) {
		plain := []byte(strings.Repeat("some_metric{a=\"b\"} 1\n", 20))
		var z bytes.Buffer
		w := zlib.NewWriter(&z)
		w.Write(plain)
		w.Close()
		zipped, framed, block := string(gzipped(t, plain)), string(snapped(t, plain)), string(snappy.Encode(nil, plain))
		f("H: gzip without header", zipped, "", "looks like gzip", "Content-Encoding: gzip")
		f("H: gzip as x-gzip", zipped, "", "x-gzip", "Content-Encoding: gzip", "Content-Encoding", "x-gzip")
		f("H: gzip as a list", zipped, "", "gzip, gzip", "Content-Encoding: gzip", "Content-Encoding", "gzip, gzip")
		f("H: gzip twice", string(gzipped(t, []byte(zipped))), "", "compressed twice", "once", "Content-Encoding", "gzip")
		f("H: zstd without header", string(zstded(t, plain)), "", "looks like zstd", "Content-Encoding: zstd")
		f("H: snappy without header", framed, "", "looks like framed snappy", "Content-Encoding: snappy")
		f("H: snappy block without header", block, "", "snappy block", "Framed snappy")
		f("H: deflate without header", z.String(), "", "deflate", "uncompressed")
		f("H: deflate", z.String(), "", "deflate", "uncompressed", "Content-Encoding", "deflate")
		f("H: bzip2", "BZh91AY&SY\x01\x02\x03\n", "", "bzip2", "uncompressed")
		f("H: xz", "\xfd7zXZ\x00\x00\x04\n", "", "xz", "uncompressed")
		f("H: zip", "PK\x03\x04\x14\x00\n", "", "zip archive", "uncompressed")
		f("H: unknown encoding", "\x8b\x02\x80\x01\x02\xff\xfe\x9c\n", "", "\"br\" is not supported", "gzip, zstd", "Content-Encoding", "br")
		f("H: unknown encoding over text", "m one\n", "1:3", "not a number", "\"br\" is not supported", "Content-Encoding", "br")

		family := &dto.MetricFamily{Name: proto.String("a"), Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: proto.Float64(1)}}}}
		var delimited bytes.Buffer
		protodelim.MarshalTo(&delimited, family)
		f("Q: protobuf without content type", delimited.String(), "", "delimited protobuf", "encoding=delimited")
		f("Q: protobuf as text", delimited.String(), "", "delimited protobuf", "encoding=delimited", "Content-Type", "text/plain")
		f("T: remote write", block, "", "remote write", "/api/v1/write", "X-Prometheus-Remote-Write-Version", "0.1.0", "Content-Type", "application/x-protobuf")
		f("T: remote write by its type", block, "", "remote write", "/api/v1/write", "Content-Type", "application/x-protobuf")
		f("T: OTLP", "{\"resourceMetrics\":[]}", "", "OTLP", "collector", "Content-Type", "application/json")
		f("T: OTLP in protobuf", "\x0a\x85\x01\x0a\x10\x80\x90\xff\x01", "", "OTLP", "", "Content-Type", "application/x-protobuf")
	}
	binaryBody(f)
	// Over NATS code and text are the same.
	conn := g.startService(t)
	over := func(name, body, where string, gist, cure string, header ...string) {
		t.Helper()
		code, text := g.do("POST", "/metrics/job/x", body, header...)
		reply := request(t, conn, "sluice.push.post.job.x", body, header...)
		if reply.Code != code || reply.Error != strings.TrimSuffix(text, "\n") {
			t.Errorf("%s: %+v over NATS, %d %q over HTTP", name, reply, code, text)
		}
	}
	binaryBody(over)
	text(over)
}

// A header that the body does not fit.
func TestRefusalsOfEncodings(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	f := func(name, body, encoding, gist, cure string) {
		t.Helper()
		code, text := g.do("PUT", "/metrics/job/x", body, "Content-Encoding", encoding)
		first, rest, _ := strings.Cut(text, "\n")
		if code != 400 || !strings.Contains(first, gist) || !strings.Contains(rest, cure) {
			t.Errorf("%s: %d\n%s\nwant 400 with %q, then %q", name, code, text, gist, cure)
		}
		checkText(t, text)
		if g.store.Groups() != 0 {
			t.Fatalf("%s: something is stored", name)
		}
	}
	plain := []byte(strings.Repeat("some_metric 1\n", 20))
	f("H: gzip header over text", "m 1\n", "gzip", "gzip", "not compressed")
	f("H: gzip header over snappy", string(snapped(t, plain)), "gzip", "gzip", "Content-Encoding: snappy")
	f("H: gzip header over zstd", string(zstded(t, plain)), "gzip", "gzip", "Content-Encoding: zstd")
	f("H: gzip header over nothing", "", "gzip", "EOF", "empty")
	f("H: gzip cut off", string(gzipped(t, plain)[:20]), "gzip", "unexpected EOF", "cut off")
	f("H: snappy header over text", "m 1\n", "snappy", "snappy", "not compressed")
	f("H: snappy header over gzip", string(gzipped(t, plain)), "snappy", "snappy", "Content-Encoding: gzip")
	f("H: snappy block", string(snappy.Encode(nil, plain)), "snappy", "snappy", "block format")
	f("H: zstd cut off", string(zstded(t, plain)[:20]), "zstd", "zstd", "cut off")
	f("H: zstd damaged", string(zstded(t, plain)[:9])+"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "zstd", "zstd", "")
}

// What can be read but not be taken is remembered as a failure of its group.
func TestRefusalsThatAreRemembered(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	if code, text := g.do("PUT", "/metrics/job/stays", "# TYPE taken counter\ntaken 1\n"); code != 200 {
		t.Fatal(code, text)
	}
	stored, n := g.text(), 0
	f := func(name, body string, wants ...string) {
		t.Helper()
		n++
		key, err := store.ParseKey(fmt.Sprintf("/job/x%d", n))
		if err != nil {
			t.Fatal(err)
		}
		code, text := g.do("PUT", "/metrics"+key.Path(), body)
		first, _, _ := strings.Cut(text, "\n")
		if code != 400 || !strings.HasPrefix(first, "pushed metrics are invalid or inconsistent with existing metrics: ") {
			t.Errorf("%s: %d %s", name, code, text)
		}
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q lacks %q", name, text, want)
			}
		}
		checkText(t, text)
		if group := g.store.Group(key); g.text() != stored || group == nil || group.PushTime() != 0 || group.FailTime() == 0 {
			t.Fatalf("%s: the failure is not remembered", name)
		}
	}
	f("M: timestamp", "a 2\nb 3 1395066363000\n", "line 2, column 5", "must not have timestamps", "Remove the timestamp", "remote write")
	f("M: federate", "# TYPE go_goroutines untyped\ngo_goroutines{job=\"p\",instance=\"a:1\"} 7 1700000000000\n", "line 2, column 41", "/federate")
	f("M: timestamps in many lines", "a{x=\"}\"} 1 1\na{x=\"2\"} 1 2\nb 1 0\n", "line 1, column 12", "3 lines have a timestamp")
	f("M: timestamp in a histogram", "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1 5\nh_sum 1\nh_count 1\n", "line 2, column 23")
	f("A: series twice", "m{a=\"1\"} 1\nn 1\nm{a=\"1\"} 2\n", "was collected before", "line 3", "line 1")
	f("A: series twice by the group's label", "m{job=\"a\"} 1\nm{job=\"b\"} 2\n", "was collected before", "line 2", "line 1")
	f("A: series twice, labels in another order", "m{a=\"1\",b=\"2\"} 1\nm{b=\"2\", a=\"1\"} 2\n", "was collected before", "line 2", "line 1")
	f("A: series of a histogram twice", "# TYPE h histogram\nh_sum{job=\"1\"} 1\nh_sum{job=\"2\"} 2\n", "was collected before", "line 3", "line 2")
	f("A: other type elsewhere", "# TYPE taken gauge\ntaken 1\n", "taken is a gauge in this push, but a counter in group /job/stays", "delete that group")
	f("A: forgotten type", "taken 1\n", "taken is an untyped in this push, but a counter in group /job/stays")
	f("A: long names and values", "# TYPE taken gauge\ntaken{a=\""+strings.Repeat("x", 5000)+"\"} 1\n"+
		"# TYPE s summary\ns_sum 1\n"+"s_sum{q=\""+strings.Repeat("ä", 5000)+"\"} 1\n", "taken is a gauge")
	f("A: long series twice", strings.Repeat("m{a=\""+strings.Repeat("\\n", 3000)+"\"} 1\n", 2), "was collected before", "line 2", "line 1")
}
