package e2e

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/klauspost/compress/snappy"
)

// Bodies as people send them, with odd line ends, quotes, forms, times and compression.
func TestDemandBodies(t *testing.T) {
	form := "application/x-www-form-urlencoded"
	demands := []demand{
		{name: "PGW#722 no line feed at the end is refused, and leaves neither group nor failure time",
			steps: []step{post("/job/x", "some_metric 200").refused("line 1")}},
		{name: "PGW#144 no line feed at the end of the second line",
			steps: []step{post("/job/x", "a 1\nb 2").refused("line 2")}},
		{name: "keda#6559 no line feed after a label set either",
			steps: []step{post("/job/x", "a{b=\"c\"} 1").refused("line 1")}},
		{name: "PGW#722 the old value stays when the new one comes without line feed",
			steps: []step{post("/job/x", "a 1\n"), post("/job/x", "a 2").refused(), put("/job/x", "a 3").refused()},
			shows: []string{"a" + jobX() + " 1"}},
		{name: "PGW#147 CR LF line ends are refused",
			steps: []step{post("/job/x", "some_metric 3.14\r\n").refused("line 1")}},
		{name: "PGW#147 CR LF after TYPE",
			steps: []step{post("/job/x", "# TYPE a counter\r\na 1\r\n").refused("line 1")}},
		{name: "prom-client#69 CR LF in the second line only",
			steps: []step{post("/job/x", "a 1\nb 2\r\n").refused("line 2")}},
		{name: "PGW#147 a CR at the end of a HELP line is part of the text",
			steps: []step{post("/job/x", "# HELP a text\r\na 1\n")},
			shows: []string{"a" + jobX() + " 1"}},
		{name: "PGW#147 a CR within a label value is part of it",
			steps: []step{post("/job/x", "a{b=\"c\rd\"} 1\n")},
			shows: []string{"a" + jobX("b=\"c\rd\"") + " 1"}},
		{name: "PGW#144 the Windows shell keeps the quotes around echo's words",
			steps: []step{post("/job/x", "\"some_metric 3.14\" \r\n").refused("line 1"), post("/job/x", "\"some_metric 3.14\"\n").refused("line 1"), post("/job/x", "'some_metric 3.14'\n").refused("line 1")}},
		{name: "PGW#722 a byte order mark is refused",
			steps: []step{post("/job/x", "\xEF\xBB\xBFsome_metric 1\n").refused()}},
		{name: "PGW#722 UTF-16 of PowerShell is refused: little endian",
			steps: []step{post("/job/x", utf16LE("\uFEFFsome_metric 1\r\n")).refused()}},
		{name: "PGW#722 UTF-16 is refused: big endian",
			steps: []step{post("/job/x", utf16BE("\uFEFFsome_metric 1\n")).refused()}},
		{name: "PGW#722 UTF-16 without a mark is refused",
			steps: []step{post("/job/x", utf16LE("some_metric 1\n")).refused()}},
		{name: "Latin-1 in a label value is refused",
			steps: []step{post("/job/x", "a{b=\"\xE4\"} 1\n").refused()}},

		{name: "influxdb.com#65 curl -d @file drops line feeds",
			steps: []step{post("/job/x", "a 1b 2").with("Content-Type", form).refused()}},
		{name: "the form content type alone does no harm",
			steps: []step{post("/job/x", "a 1\nb 2\n").with("Content-Type", form)},
			shows: []string{"a" + jobX() + " 1", "b" + jobX() + " 2"}},
		{name: "curl --data-urlencode sends no metrics",
			steps: []step{post("/job/x", "a%201%0A").with("Content-Type", form).refused()}},
		{name: "PGW#463 a multipart form of Postman is refused",
			steps: []step{post("/job/x", "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"m\"\r\n\r\na 1\n\r\n--b--\r\n").with("Content-Type", "multipart/form-data; boundary=b").refused()}},
		{name: "PGW#463 JSON is refused",
			steps: []step{post("/job/x", `{"a":1}`).with("Content-Type", "application/json").refused(), post("/job/x", "[{\"a\":1}]\n").with("Content-Type", "application/json").refused()}},
		{name: "PGW#463 an HTML page is refused",
			steps: []step{post("/job/x", "<html><body>502</body></html>\n").with("Content-Type", "text/html").refused()}},
		{name: "a content type of another kind does no harm",
			steps: []step{post("/job/x", "a 1\n").with("Content-Type", "application/octet-stream"), post("/job/x", "b 1\n").with("Content-Type", "nonsense;;")},
			shows: []string{"a" + jobX() + " 1", "b" + jobX() + " 1"}},
		{name: "text under the protobuf content type is refused",
			steps: []step{post("/job/x", "a 1\n").with("Content-Type", delimitedProtobuf).refused()}},
		{name: "protobuf without its content type is refused",
			steps: []step{post("/job/x", delimited(t, nativeHistogram())).refused()}},

		{name: "PGW#479 OpenMetrics types are refused in text: info",
			steps: []step{post("/job/x", "# TYPE a info\na_info{v=\"1\"} 1\n").refused("line 1", "info")}},
		{name: "PGW#479 OpenMetrics types are refused in text: stateset",
			steps: []step{post("/job/x", "# TYPE a stateset\na{a=\"on\"} 1\n").refused("line 1", "stateset")}},
		{name: "jail_exporter#287 OpenMetrics types are refused in text: unknown",
			steps: []step{post("/job/x", "# TYPE a unknown\na 1\n").refused("line 1", "unknown")}},
		{name: "PGW#479 an EOF line in text is a comment",
			steps: []step{post("/job/x", "a 1\n# EOF\n")},
			shows: []string{"a" + jobX() + " 1"}},
		{name: "hand-written exporters: TYPE after the sample is refused",
			steps: []step{post("/job/x", "m 1\n# TYPE m gauge\n").refused("line 2", "m")}},
		{name: "hand-written exporters: TYPE twice is refused",
			steps: []step{post("/job/x", "# TYPE m gauge\nm 1\n# TYPE m gauge\nm{a=\"b\"} 2\n").refused("line 3", "m")}},
		{name: "hand-written exporters: HELP twice is refused",
			steps: []step{post("/job/x", "# HELP m a\n# HELP m b\nm 1\n").refused("line 2", "m")}},
		{name: "hand-written exporters: lines of one name need not stand together",
			steps: []step{post("/job/x", "a{n=\"1\"} 1\nb 2\na{n=\"2\"} 3\n")},
			shows: []string{"a" + jobX(`n="1"`) + " 1", "a" + jobX(`n="2"`) + " 3", "b" + jobX() + " 2"}},
		{name: "hand-written exporters: empty lines, blanks and tabs",
			steps: []step{post("/job/x", "\n \n\t\n  a \t 1\n\n# \n#\n  # TYPE b gauge\nb{ x = \"y\" , } 2\n")},
			shows: []string{"a" + jobX() + " 1", "b" + jobX(`x="y"`) + " 2"}},

		{name: "a colon after the name is part of it",
			steps: []step{post("/job/x", "m: 1\n")},
			shows: []string{"m:" + jobX() + " 1"}},

		{name: "PGW#109 times are refused and nothing of the push is stored",
			steps:  []step{put("/job/x", "a 1\n"), put("/job/x", "a 2\nb 3 1395066363000\n").refused("timestamp")},
			shows:  []string{"a" + jobX() + " 1"},
			failed: []string{jobX()}},
		{name: "netdata#3526 a time on each line",
			steps:  []step{post("/job/x", "a{c=\"1\"} 1 1395066363000\na{c=\"2\"} 2 1395066363000\n").refused("timestamp")},
			failed: []string{jobX()}},
		{name: "PGW#119 a time of zero or before 1970 is one, too",
			steps:  []step{post("/job/x", "a 1 0\n").refused("timestamp"), post("/job/x", "a 1 -5\n").refused("timestamp")},
			failed: []string{jobX()}},
		{name: "PGW#119 a time on the bucket of a histogram",
			steps:  []step{post("/job/x", "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1 1395066363000\nh_sum 1\nh_count 1\n").refused("timestamp")},
			failed: []string{jobX()}},
		{name: "PGW#100 a page of /federate is refused",
			steps:  []step{put("/job/x", "# TYPE go_goroutines untyped\ngo_goroutines{job=\"p\",instance=\"a:1\"} 7 1700000000000\n").refused()},
			failed: []string{jobX()}},
		{name: "PGW#110 a remote write request is refused",
			steps: []step{post("/job/x", string(snappy.Encode(nil, []byte("\x0a\x20remote write")))).with("Content-Encoding", "snappy").with("Content-Type", "application/x-protobuf").with("X-Prometheus-Remote-Write-Version", "0.1.0").refused()}},
		{name: "a time of OpenMetrics (seconds with a fraction) in text is refused",
			steps: []step{post("/job/x", "a 1 1700000000.5\n").refused("line 1")}},
		{name: "an exemplar of OpenMetrics in text is refused",
			steps: []step{post("/job/x", "a_total 1 # {trace_id=\"1\"} 1\n").refused("line 1")}},

		{name: "PGW#84 gzip", steps: []step{put("/job/x", zipped("m 2\n")).with("Content-Encoding", "gzip")}, shows: []string{"m" + jobX() + " 2"}},
		{name: "PGW#84 gzip by POST, the name in upper case", steps: []step{post("/job/x", zipped("m 2\n")).with("Content-Encoding", "GZIP")}, shows: []string{"m" + jobX() + " 2"}},
		{name: "PGW#509 gzip without the header is refused", steps: []step{put("/job/x", zipped("m 2\n")).refused()}},
		{name: "PGW#509 snappy without the header is refused", steps: []step{put("/job/x", framedSnappy("m 2\n")).refused()}},
		{name: "the gzip header without compression is refused", steps: []step{put("/job/x", "m 2\n").with("Content-Encoding", "gzip").refused()}},
		{name: "the snappy header without compression is refused", steps: []step{put("/job/x", "m 2\n").with("Content-Encoding", "snappy").refused()}},
		{name: "half a gzip body is refused and the old state kept",
			steps: []step{put("/job/x", "m 1\n"), put("/job/x", zipped("m 2\n")[:20]).with("Content-Encoding", "gzip").refused()}, shows: []string{"m" + jobX() + " 1"}},
		{name: "gzip twice, as a proxy may do, is refused", steps: []step{put("/job/x", zipped(zipped("m 2\n"))).with("Content-Encoding", "gzip").refused()}},
		{name: "client_python#1144 snappy in stream format", steps: []step{put("/job/x", framedSnappy("m 2\n")).with("Content-Encoding", "snappy")}, shows: []string{"m" + jobX() + " 2"}},
		{name: "PGW#441 snappy in block format is refused", steps: []step{put("/job/x", string(snappy.Encode(nil, []byte("m 2\n")))).with("Content-Encoding", "snappy").refused()}},
		{name: "a body in an encoding that the gateway does not know is refused",
			steps: []step{put("/job/x", "\x8b\x01\x80m 2\n\x03").with("Content-Encoding", "br").refused()}},
		{name: "a decompression bomb is refused: 200 MB of comments, and nothing is stored",
			steps: []step{put("/job/x", zippedZeros(200, "# ")).with("Content-Encoding", "gzip").answers(http.StatusRequestEntityTooLarge, "--push.max-bytes")}},
		{name: "a decompression bomb is refused: a label value of 200 MB",
			steps: []step{put("/job/x", zippedZeros(200, "m{a=\"")).with("Content-Encoding", "gzip").answers(http.StatusRequestEntityTooLarge, "--push.max-bytes")}},
		{name: "a snappy bomb is refused",
			steps: []step{put("/job/x", framedSnappy("# ")+strings.Repeat(framedSnappy(strings.Repeat("0", 1<<20)), 200)).with("Content-Encoding", "snappy").answers(http.StatusRequestEntityTooLarge, "--push.max-bytes")}},
	}
	testDemands(t, nil, append(append(demands, shellMistakes()...), numbers()...))
}

// shellMistakes has lines that scripts around ps, top and smartctl write.
func shellMistakes() []demand {
	var demands []demand
	for _, mistake := range []struct{ name, line string }{
		{"PGW#405 single quotes", `m{p='a'} 1`},
		{"PGW#405 a quoted value", `m "3"`},
		{"PGW#405 a decimal comma", `m 3,14`},
		{"PGW#405 a backslash of a Windows path", `m{p="C:\temp"} 1`},
		{"PGW#405 a backslash at the end of a Windows path", `m{p="C:\"} 1`},
		{"PGW#421 no quotes", `m{p=a} 1`},
		{"PGW#421 a bracket that stays open", `m{p="a" 1`},
		{"PGW#421 a bracket without its beginning", `m p="a"} 1`},
		{"PGW#421 square brackets", `m[p="a"] 1`},
		{"PGW#421 a name cut by a blank", `my metric 1`},
		{"PGW#421 a name with a percent sign", `%cpu 1`},
		{"PGW#421 a name with a dash", `cpu-load 1`},
		{"crabby#8 a name with a dot", `a.b 1`},
		{"PGW#421 a name that begins with a digit", `5xx_total 1`},
		{"PGW#421 no value", `m`},
		{"PGW#421 an empty variable as value", `m{p="a"} `},
		{"PGW#421 a value with a unit", `m 3MB`},
		{"PGW#421 a value with a percent sign", `m 30%`},
		{"PGW#421 a date as value", `m 2024-01-01`},
		{"PGW#421 an equals sign between name and value", `m=1`},
		{"PGW#421 a comma twice between labels", `m{a="1",,b="2"} 1`},
		{"PGW#421 no comma between labels", `m{a="1" b="2"} 1`},
		{"PGW#421 the same label twice", `m{a="1",a="2"} 1`},
		{"PGW#421 a label name with a dash", `m{a-b="1"} 1`},
		{"PGW#421 a reserved label name", `m{__name__="n"} 1`},
		{"PGW#421 text after the value", `m 1 ok`},
		{"PGW#421 a blank after the value", `m 1 `},
		{"scaphandre#175 a raw line feed in a label value", "m{p=\"a\nb\"} 1"},
		{"SMART#27 an inch sign in a label value", `d{model="Disk 2.5" HDD"} 1`},
		{"PGW#421 an error message instead of metrics", `bash: line 1: smartctl: command not found`},
	} {
		demands = append(demands, demand{
			name:  mistake.name + ": refused with the line's number",
			steps: []step{put("/job/x", "ok 1\n"), put("/job/x", "# a comment\nfine 1\n"+mistake.line+"\n").refused(`line 3`)},
			shows: []string{"ok" + jobX() + " 1"},
		})
	}
	return demands
}

// numbers has values that are written as people and programs do.
func numbers() []demand {
	var demands []demand
	for written, shown := range map[string]string{
		"+Inf": "+Inf", "-Inf": "-Inf", "Inf": "+Inf", "inf": "+Inf", "NaN": "NaN", "nan": "NaN", "1e3": "1000", "1E-3": "0.001", "+5": "5",
		"-0": "0", "0x1p4": "", ".5": "0.5", "5.": "5", "1e400": "", "12345678901234567890": "1.2345678901234567e+19", "1_000": "",
		"0.1000000000000000055511151231257827": "0.1", "infinity": "+Inf", "null": "", "true": "", "٣": "",
	} {
		d := demand{name: "the value " + written, steps: []step{put("/job/x", "m "+written+"\n")}}
		if shown == "" {
			d.steps[0] = d.steps[0].refused("line 1")
		} else {
			d.shows = []string{"m" + jobX() + " " + shown}
		}
		demands = append(demands, d)
	}
	return demands
}

// utf16LE returns a text in UTF-16, the low byte of each unit first.
func utf16LE(text string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = append(out, byte(unit), byte(unit>>8))
	}
	return string(out)
}

// utf16BE returns a text in UTF-16, the high byte of each unit first.
func utf16BE(text string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = append(out, byte(unit>>8), byte(unit))
	}
	return string(out)
}

// zippedZeros returns the gzip form of a text followed by n MiB of zeros. It consists
// of many gzip members, because that is faster than to compress the zeros.
func zippedZeros(n int, begin string) string {
	return zipped(begin) + strings.Repeat(zipped(strings.Repeat("0", 1<<20)), n)
}

// framedSnappy returns a text in snappy's stream format.
func framedSnappy(text string) string {
	var out bytes.Buffer
	z := snappy.NewBufferedWriter(&out)
	z.Write([]byte(text))
	z.Close()
	return out.String()
}
