package explain

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/encoding/protodelim"

	"sluice/e2e/testkit"
	"sluice/ingest/decode"
	"sluice/ingest/decode/seeds"
	"sluice/store"
)

const protobufContentType = decode.ProtobufType + "; proto=io.prometheus.client.MetricFamily; encoding=delimited"

var key = testkit.NewKey("j")

// delimited is the body of a push in protobuf that says what a text says.
func delimited(t *testing.T, texts ...string) string {
	t.Helper()
	var b bytes.Buffer
	for _, text := range texts {
		parser := expfmt.NewTextParser(model.LegacyValidation)
		families, err := parser.TextToMetricFamilies(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, mf := range families {
			if _, err := protodelim.MarshalTo(&b, mf); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.String()
}

// explained reads a body that is refused.
func explained(t *testing.T, body string, req Request, opts decode.Options) string {
	t.Helper()
	_, err := decode.Families([]byte(body), req.ContentType, key, opts)
	if err == nil {
		t.Fatalf("%.100q is taken", body)
	}
	return Explain(err, []byte(body), req, key, opts).Error()
}

func TestExplainProtobuf(t *testing.T) {
	f := func(body string, wants ...string) {
		t.Helper()
		text := explained(t, body, Request{ContentType: protobufContentType}, decode.Options{})
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%.100q: %q lacks %q", body, text, want)
			}
		}
	}
	good := delimited(t, "a 1\n", "b 2\n")
	f("some_metric 1\n", "looks like text", "text/plain; version=0.0.4")
	f("# TYPE a gauge\na 1\n", "looks like text", "text/plain")
	f(good+"\x05\n", "in family 3", fmt.Sprintf("byte %d of %d", len(good), len(good)+2), "unexpected EOF")
	f(good+"\x02\n\x05", "in family 3", "proto")
	f("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "in family 1", "varint")
	f("\x1f\x8b\x08\x00\x00\x00\x00", "looks like gzip", "Content-Encoding: gzip")
	f(delimited(t, "a 1\n", "b{x=\"1\"} 1\nb 1 5\n"),
		"must not have timestamps", `family 2 ("b"), metric 2`, "Remove the timestamp")
}

func TestExplainNamesWithTheFlag(t *testing.T) {
	f := func(body string, wants ...string) {
		t.Helper()
		text := explained(t, body, Request{}, decode.Options{Scheme: model.UTF8Validation})
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%q: %q lacks %q", body, text, want)
			}
		}
		if strings.Contains(text, "--push.enable-utf8-names") {
			t.Errorf("%q: %q names a flag that is set", body, text)
		}
	}
	f("a.b 1\n", "column 2: a dot in the metric name", `Write any other name as {"a.b"}`)
	f("m{a.b=\"1\"} 1\n", "column 4: a dot in the label name", `{"a.b"="value"}`)
	f("größe 1\n", "column 3", `{"größe"}`)
	f("{\"a\xff\"} 1\n", "column 4: the byte 0xff")
}

// A last line without a line feed is told where the line feed belongs, and
// --data-binary only where that may be what was forgotten.
func TestExplainMissingLineFeed(t *testing.T) {
	f := func(body, contentType, want, not string) {
		t.Helper()
		text := explained(t, body, Request{ContentType: contentType}, decode.Options{})
		if !strings.Contains(text, want) || not != "" && strings.Contains(text, not) {
			t.Errorf("%q as %q: %q lacks %q, or has %q", body, contentType, text, want, not)
		}
	}
	const form = "application/x-www-form-urlencoded"
	f("x 1", form, "column 4: the last line does not end with a line feed", "drops")
	f("x 1", form, `printf 'some_metric 3.14\n' | curl --data-binary @-`, "")
	f("x 1", "", "column 4: the last line does not end with a line feed", "")
	f("x 1", "", `printf 'some_metric 3.14\n'`, "")
	f("a 1\nx 1", form, `printf 'some_metric 3.14\n'`, "-d ")
	f("a 1\n# TYPE x gauge", "", "column 15: the last line does not end with a line feed", "-d ")
	f("a 1b 2", form, "curl -d removes", "")
}

// A body under the content type of OpenMetrics is told how it was read, and
// whether # EOF is missing.
func TestExplainOpenMetrics(t *testing.T) {
	const om = "application/openmetrics-text; version=1.0.0"
	f := func(body string, wants ...string) {
		t.Helper()
		text := explained(t, body, Request{ContentType: om}, decode.Options{})
		checkMessage(t, text)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%q: %q lacks %q", body, text, want)
			}
		}
	}
	f("# TYPE req counter\nreq_total -1\n# EOF\n", `OpenMetrics parsing error in line 2: counter "req" must not be -1`+"\n",
		"read as OpenMetrics", "Content-Type: text/plain; version=0.0.4")
	f("# TYPE a info\na_info 1\n", "OpenMetrics parsing error in line 3: data does not end with # EOF\n", "must end with the line # EOF")
	f("# TYPE a info\na_info one\n", "OpenMetrics parsing error in line 2: ", "must end with the line # EOF")
	f("a 1 1000\n", "must not have timestamps", "line 1, column 5", "read as text format, since it has no line # EOF")
	f("a 1\na 1\n", "line 2, column 1: the same series as in line 1", "read as text format, since it has no line # EOF")
	f("\x1f\x8b\x08\x00\x00", "looks like gzip")
	if text := explained(t, "a 1 1000\n", Request{}, decode.Options{}); strings.Contains(text, "EOF") {
		t.Errorf("text format: %q", text)
	}
	if text := explained(t, "a 1 1000\n# EOF\n", Request{ContentType: om}, decode.Options{}); strings.Contains(text, "EOF") {
		t.Errorf("OpenMetrics: %q", text)
	}
}

// A push that another group's types are in the way of is told if # EOF was missing,
// in this push or perhaps in that one.
func TestConflict(t *testing.T) {
	f := func(first, second, secondType, want string) {
		t.Helper()
		s := store.New(store.Settings{})
		families, err := decode.Families([]byte(first), "", testkit.NewKey("a"), decode.Options{})
		if err != nil {
			t.Fatal(err)
		}
		event, err := s.Draft().Put(store.Push{Key: testkit.NewKey("a"), Families: families, Time: 1})
		if err != nil {
			t.Fatal(err)
		}
		s.Apply(1, event)
		families, err = decode.Families([]byte(second), secondType, testkit.NewKey("b"), decode.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Draft().Put(store.Push{Key: testkit.NewKey("b"), Families: families, Time: 2})
		conflict, ok := errors.AsType[*store.Conflict](err)
		if !ok {
			t.Fatalf("%q after %q: %v is no conflict", second, first, err)
		}
		got := Conflict(conflict, decode.FormatOf([]byte(second), secondType))
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q after %q: got %q, want %q", second, first, got, want)
		}
	}
	const om = "application/openmetrics-text"
	const good = "# TYPE req counter\nreq_total 1\n# EOF\n"
	const early = "The group /job/a may have been pushed as OpenMetrics without the line # EOF"
	f("req_total 1\n", good, om, early)
	f("req_total 1\n", "# TYPE req_total counter\nreq_total 1\n", "", early)
	f("a 1\n", "# TYPE a gauge\na 1\n", "", "")
	f("# TYPE req_total gauge\nreq_total 1\n", good, om, "")
	f("# TYPE req_total counter\nreq_total 1\n", "# TYPE req counter\nreq_total 1\n", om, "This push was read as text format, since it has no line # EOF")
	f("# TYPE req_total counter\nreq_total 1\n", "# TYPE req counter\nreq_total 1\n", "", "")
}

// Errors of other kinds, and those of which nothing more is known, stay.
func TestExplainKeepsWhatItDoesNotKnow(t *testing.T) {
	other := errors.New("other")
	if got := Explain(other, nil, Request{}, key, decode.Options{}); got != other {
		t.Errorf("got %v", got)
	}
	openMetrics := &decode.SyntaxError{Line: 3, Message: "OpenMetrics parsing error in line 3: odd"}
	if got := Explain(openMetrics, []byte("a 1\n"), Request{}, key, decode.Options{}); got.Error() != openMetrics.Message {
		t.Errorf("got %v", got)
	}
}

// The time is linear in the body.
func TestExplainLargeBodies(t *testing.T) {
	const size = 2 << 20
	f := func(name, body string) {
		t.Helper()
		for _, err := range []error{
			&decode.SyntaxError{Line: 1, Message: "text format parsing error in line 1: x"},
			&decode.SyntaxError{Line: 1 + strings.Count(body, "\n"), Message: "text format parsing error in line 1: second TYPE line for metric name \"m\""},
			&decode.RefusedError{Message: "m", Reason: decode.HasTimestamp, Metric: "m"},
			&decode.RefusedError{Message: "m", Reason: decode.DuplicateSeries, Metric: "m", Labels: "never"},
			&decode.LimitError{Message: "m", Reason: decode.LabelTooLong, Metric: "other"},
		} {
			start := time.Now()
			text := Explain(err, []byte(body), Request{}, key, decode.Options{}).Error()
			// It takes a fraction of a second; the square of it would take hours.
			if took := time.Since(start); took > time.Minute {
				t.Errorf("%s: %s", name, took)
			}
			checkMessage(t, text)
		}
	}
	for _, part := range []string{"m", "m 1\n", "m{a=\"1\"} 1\n", "\n", "\r", " ", "\"", "\\", "{", "a=\"1\",", "1 ", "\xff", "# TYPE m gauge\n", "m 1 1\n", ",", "\x00"} {
		f(fmt.Sprintf("%q", part), strings.Repeat(part, size/len(part)))
		f(fmt.Sprintf("in braces %q", part), "m{"+strings.Repeat(part, size/len(part)))
	}
}

// checkMessage holds what is true of all texts.
func checkMessage(t *testing.T, text string) {
	t.Helper()
	if text == "" || len(text) > 920 || !utf8.ValidString(text) {
		t.Fatalf("%d bytes: %q", len(text), text)
	}
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' {
			t.Fatalf("control character %q in %q", r, text)
		}
	}
	if first, _, _ := strings.Cut(text, "\n"); strings.TrimSpace(first) == "" {
		t.Fatalf("no gist in %q", text)
	}
}

// FuzzExplain explains whatever is refused.
func FuzzExplain(f *testing.F) {
	for i, seed := range slices.Concat(seeds.Text, seeds.MoreText, seeds.Protobuf) {
		f.Add([]byte(seed), i%3 == 0, i%5 == 0, "", "")
	}
	for _, seed := range []string{"m{a=\"1\" b", "{\"a.b\"", "m 1\r\n", "\xef\xbb\xbf", "m {{ x }}\n", "m{a=“1”} 1\n", "\"m 1\"\r\n", "$ m 1\n", "m 1,5\n", "m 1 2 3\n", "m 1 # {a=\"b\"} 1\n", "# TYPE m info\n"} {
		f.Add([]byte(seed), false, false, "text/plain", "br")
		f.Add([]byte(seed), true, true, "application/x-protobuf", "gzip")
	}
	keys := []store.Key{key, testkit.NewKey("j", store.Label{Name: "instance", Value: ""}, store.Label{Name: "zone", Value: "e\"u\\\n"}), testkit.NewKey("j", store.Label{Name: "le", Value: "5"})}
	f.Fuzz(func(t *testing.T, body []byte, utf8, decoded bool, contentType, encoding string) {
		opts := decode.Options{Scheme: model.LegacyValidation, Limits: decode.Limits{Series: 20, Labels: 5, LabelBytes: 50, ValueBytes: 50, TextBytes: 2000}}
		if utf8 {
			opts.Scheme = model.UTF8Validation
		}
		key := keys[len(body)%len(keys)]
		req := Request{ContentType: contentType, Encoding: encoding, Decoded: decoded, RemoteWrite: len(encoding) == 3}
		for _, contentType := range []string{contentType, protobufContentType} {
			req.ContentType = contentType
			_, err := decode.Families(body, contentType, key, opts)
			if err == nil {
				continue
			}
			text := Explain(err, body, req, key, opts).Error()
			checkMessage(t, text)
			if syntax, ok := errors.AsType[*decode.SyntaxError](err); ok && contentType != protobufContentType && syntax.Line > 0 &&
				!strings.HasPrefix(text, fmt.Sprintf("text format parsing error in line %d: ", syntax.Line)) {
				t.Fatalf("%q does not begin as Pushgateway's", text)
			}
		}
	})
}
