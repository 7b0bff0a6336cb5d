package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
)

// Sluice does more than Pushgateway here: a refusal says what to do, OpenMetrics is
// read as such, and labels have a limit. The codes are Pushgateway's unless the name of
// the case says otherwise.
func TestDemandCures(t *testing.T) {
	form := "application/x-www-form-urlencoded"
	const openMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8"
	const noLineFeed = `line ?feed|newline`
	const carriageReturn = `CR ?LF|carriage return|\\r`
	const utf8Flag = `--push\.enable-utf8-names`
	demands := []demand{
		{name: "PGW#722 no line feed at the end: the text says so", steps: []step{post("/job/x", "some_metric 200").refused("line 1").cured(noLineFeed)}},
		{name: "PGW#144 no line feed at the end of a later line", steps: []step{post("/job/x", "a 1\nb{c=\"d\"} 2").refused("line 2").cured(noLineFeed)}},
		{name: "keda#6559 no line feed after TYPE", steps: []step{post("/job/x", "a 1\n# TYPE b gauge").refused("line 2").cured(noLineFeed)}},
		{name: "PGW#147 CR LF is named", steps: []step{post("/job/x", "some_metric 3.14\r\n").refused("line 1").cured(carriageReturn)}},
		{name: "PGW#147 CR LF after TYPE is named", steps: []step{post("/job/x", "# TYPE a counter\r\na 1\r\n").refused("line 1").cured(carriageReturn)}},
		{name: "prom-client#69 CR LF after a label set is named", steps: []step{post("/job/x", "a 1\nb{c=\"d\"} 2\r\n").refused("line 2").cured(carriageReturn)}},
		{name: "PGW#147 an empty line of CR LF is named", steps: []step{post("/job/x", "\r\na 1\r\n").refused("line 1").cured(carriageReturn)}},
		{name: "PGW#144 quotes of the Windows shell are named", steps: []step{post("/job/x", "\"some_metric 3.14\" \r\n").refused("line 1").cured("quote")}},
		{name: "PGW#144 single quotes around the line are named", steps: []step{post("/job/x", "'some_metric 3.14'\n").refused("line 1").cured("quote")}},
		{name: "PGW#722 a byte order mark is named", steps: []step{post("/job/x", "\xEF\xBB\xBFsome_metric 1\n").refused("byte order mark|BOM")}},
		{name: "PGW#722 UTF-16, little endian, is named", steps: []step{post("/job/x", utf16LE("\uFEFFsome_metric 1\r\n")).refused("UTF-16")}},
		{name: "PGW#722 UTF-16, big endian, is named", steps: []step{post("/job/x", utf16BE("\uFEFFsome_metric 1\n")).refused("UTF-16")}},
		{name: "influxdb.com#65 curl -d @file: the text names --data-binary", steps: []step{post("/job/x", "a 1b 2").with("Content-Type", form).refused().cured("--data-binary")}},
		{name: "influxdb.com#65 curl -d of one line: the text names --data-binary", steps: []step{post("/job/x", "a 1").with("Content-Type", form).refused().cured("--data-binary")}},
		{name: "PGW#463 a multipart form is named",
			steps: []step{post("/job/x", "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"m\"\r\n\r\na 1\n\r\n--b--\r\n").with("Content-Type", "multipart/form-data; boundary=b").refused("multipart|form")}},
		{name: "PGW#463 JSON is named", steps: []step{post("/job/x", `{"a":1}`).with("Content-Type", "application/json").refused("JSON")}},
		{name: "PGW#463 JSON without its content type is named", steps: []step{post("/job/x", "{\"a\":1}\n").refused("JSON")}},

		{name: "PGW#509 gzip without the header is named, with the header to send", steps: []step{put("/job/x", zipped("m 2\n")).refused("gzip").cured("Content-Encoding")}},
		{name: "PGW#509 snappy without the header is named", steps: []step{put("/job/x", framedSnappy("m 2\n")).refused("snappy").cured("Content-Encoding")}},
		{name: "webrtcperf#114 zstd without the header is named", steps: []step{put("/job/x", "\x28\xb5\x2f\xfd\x04\x00\x21\x00\x00m 2\n\x3f\x99\x3c\x5e").refused("zstd")}},
		{name: "the gzip header without compression: the text names it", steps: []step{put("/job/x", "m 2\n").with("Content-Encoding", "gzip").refused("gzip")}},
		{name: "the snappy header without compression: the text names it", steps: []step{put("/job/x", "m 2\n").with("Content-Encoding", "snappy").refused("snappy")}},
		{name: "PGW#441 snappy in block format is told from the stream format",
			steps: []step{put("/job/x", string(snappy.Encode(nil, []byte("m 2\n")))).with("Content-Encoding", "snappy").refused("snappy").cured("block|fram|stream")}},
		{name: "PGW#110 a remote write request is named",
			steps: []step{post("/job/x", string(snappy.Encode(nil, []byte("\x0a\x20remote write")))).with("Content-Encoding", "snappy").with("Content-Type", "application/x-protobuf").with("X-Prometheus-Remote-Write-Version", "0.1.0").refused().cured("remote.write|block")}},

		{name: "PGW#109 times: the text names the line or the series", steps: []step{put("/job/x", "a 2\nb 3 1395066363000\n").refused("timestamp", `line 2|\bb\b`)}, failed: []string{jobX()}},
		{name: "a time of OpenMetrics in text: the text names the content type", steps: []step{post("/job/x", "a 1 1700000000.5\n").refused("line 1").cured("OpenMetrics")}},
		{name: "an exemplar in text: the text names OpenMetrics", steps: []step{post("/job/x", "a_total 1 # {trace_id=\"1\"} 1\n").refused("line 1").cured("OpenMetrics")}},
		{name: "PGW#479 the type info in text: the text names OpenMetrics", steps: []step{post("/job/x", "# TYPE a info\na_info{v=\"1\"} 1\n").refused("line 1").cured("OpenMetrics")}},
		{name: "PGW#479 the type stateset in text: the text names OpenMetrics", steps: []step{post("/job/x", "# TYPE a stateset\na{a=\"on\"} 1\n").refused("line 1").cured("OpenMetrics")}},
		{name: "PGW#479 OpenMetrics types under their content type: accepted, where Pushgateway refuses them",
			steps: []step{post("/job/x", "# TYPE a info\na_info{v=\"1\"} 1\n# TYPE u unknown\nu 2\n# TYPE s stateset\ns{s=\"on\"} 1\ns{s=\"off\"} 0\n# EOF\n").with("Content-Type", openMetrics)},
			shows: []string{"a_info" + jobX(`v="1"`) + " 1", "u" + jobX() + " 2", "s" + jobX(`s="on"`) + " 1", "s" + jobX(`s="off"`) + " 0"}},
		{name: "PGW#479 an exemplar of OpenMetrics under its content type: accepted, where Pushgateway refuses it",
			steps: []step{post("/job/x", "# TYPE a counter\na_total 1 # {trace_id=\"1\"} 1\n# EOF\n").with("Content-Type", openMetrics)},
			shows: []string{"a_total" + jobX() + " 1"}},
		{name: "a time of OpenMetrics under its content type is refused as a time",
			steps:  []step{post("/job/x", "# TYPE a gauge\na 1 1700000000.5\n# EOF\n").with("Content-Type", openMetrics).refused("timestamp")},
			failed: []string{jobX()}},

		{name: "crabby#8 a dotted metric name: the text names the flag and the syntax", steps: []step{put("/job/x", "a.b 1\n").refused("line 1").cured(utf8Flag)}},
		{name: "PGW#623 a quoted metric name without the flag: the text names it", steps: []step{put("/job/x", "{\"my.metric\"} 1\n").refused("my.metric").cured(utf8Flag)}},
		{name: "PGW#623 a quoted label name without the flag: the text names it", steps: []step{put("/job/x", "m{\"my.label\"=\"y\"} 1\n").refused("my.label").cured(utf8Flag)}},
		{name: "client_python#442 the standard base64 alphabet: the text names the right one", steps: []step{post("/job/x/path@base64/Pz8+Pw==", "a 1\n").refused("base64url")}},
	}
	testDemands(t, nil, demands)
}

// PGW#601, pulsar#22205: a whole page without its types collides with many families of
// the gateway itself.
func TestAPageWithoutTypesIsRefusedInAFewWords(t *testing.T) {
	g := newSite(t).start()
	var page strings.Builder
	for line := range strings.Lines(g.must(http.StatusOK, http.MethodGet, "/metrics", "").body) {
		if !strings.HasPrefix(line, "#") {
			page.WriteString(line)
		}
	}
	a := g.must(http.StatusBadRequest, http.MethodPut, "/metrics/job/node/instance/h1", page.String())
	checkRefusal(t, "PUT of a page without types", a)
	first, _, _ := strings.Cut(a.body, "\n")
	if !regexp.MustCompile(`\d+ .*gateway`).MatchString(first) {
		t.Errorf("the first line does not say how many families are the gateway's own: %q", first)
	}
	if len(a.body) > 8*maxRefusal {
		t.Errorf("the refusal has %d bytes", len(a.body))
	}
}

// PGW#289: hosts push the same names into two differently shaped groups.
func TestManyClashesAreRefusedInAFewWords(t *testing.T) {
	g := newSite(t).start()
	var shaped, flat strings.Builder
	for i := range 120 {
		fmt.Fprintf(&shaped, "m%d 1\n", i)
		fmt.Fprintf(&flat, "m%d{instance=\"h1\"} 1\n", i)
	}
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/node/instance/h1", shaped.String())
	a := g.must(http.StatusBadRequest, http.MethodPut, "/metrics/job/node", flat.String())
	checkRefusal(t, "PUT of 120 series that stand elsewhere", a)
	first, _, _ := strings.Cut(a.body, "\n")
	for _, says := range []string{"m0", "/job/node/instance/h1"} {
		if !strings.Contains(first, says) {
			t.Errorf("the first line does not name %s: %q", says, first)
		}
	}
	if len(a.body) > 8*maxRefusal {
		t.Errorf("the refusal has %d bytes", len(a.body))
	}
}

// Pushgateway accepts labels of any size. Sluice has a limit for names, and for those
// in the path; label values in a body are bounded by the body, unless the flag is given.
func TestLabelsHaveALimit(t *testing.T) {
	g := newSite(t).start()
	long := strings.Repeat("a", 50_000) // less than --web.max-header-bytes
	for name, s := range map[string]step{
		"a label name in a body": put("/job/x", "m{"+long+"=\"a\"} 1\n"),
		"a metric's name":        put("/job/x", long+" 1\n"),
		"a group's job":          put("/job/"+long, "m 1\n"),
		"a group's label value":  post("/job/x/a/"+long, "m 1\n"),
		"a group's label name":   post("/job/x/"+long+"/v", "m 1\n"),
		"a value in base64":      put("/job/x/a@base64/"+long, "m 1\n"),
	} {
		a, err := g.exchange(s)
		if err != nil {
			t.Fatal(err)
		}
		if a.code != http.StatusBadRequest && a.code != http.StatusRequestEntityTooLarge && a.code != http.StatusRequestURITooLong {
			t.Errorf("%s of 50,000 bytes: %d %.200q, want 400, 413 or 414", name, a.code, a.body)
		}
		if !strings.Contains(a.body, "--push.max-label-bytes") || len(a.body) > maxRefusal {
			t.Errorf("%s of 50,000 bytes: the text of %d bytes does not name --push.max-label-bytes: %.200q", name, len(a.body), a.body)
		}
	}
	if lines, _ := g.scrape().withoutTimes(); len(lines) > 0 {
		t.Errorf("%d series are stored", len(lines))
	}
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/x", "m{a=\""+long+"\"} 1\n")
	if lines, _ := g.scrape().withoutTimes(); len(lines) != 1 {
		t.Errorf("%d series are stored, want the one with a long label value", len(lines))
	}
}
