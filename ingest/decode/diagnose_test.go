package decode

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"
)

// explained reads a body that is refused.
func explained(t *testing.T, body string, req Request, opts Options) string {
	t.Helper()
	_, err := Families([]byte(body), req.ContentType, mustKey("j"), opts)
	if err == nil {
		t.Fatalf("%.100q is taken", body)
	}
	return Explain(err, []byte(body), req, mustKey("j"), opts).Error()
}

func TestExplainProtobuf(t *testing.T) {
	f := func(body string, wants ...string) {
		t.Helper()
		text := explained(t, body, Request{ContentType: protobufContentType}, Options{})
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%.100q: %q lacks %q", body, text, want)
			}
		}
	}
	good := delimited(family("a", dto.MetricType_GAUGE, gauge(1)), family("b", dto.MetricType_GAUGE, gauge(2)))
	stamped := gauge(1)
	stamped.TimestampMs = proto.Int64(5)
	f("some_metric 1\n", "looks like text", "text/plain; version=0.0.4")
	f("# TYPE a gauge\na 1\n", "looks like text", "text/plain")
	f(string(good)+"\x05\n", "in family 3", fmt.Sprintf("byte %d of %d", len(good), len(good)+2), "unexpected EOF")
	f(string(good)+"\x02\n\x05", "in family 3", "proto")
	f("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "in family 1", "varint")
	f("\x1f\x8b\x08\x00\x00\x00\x00", "looks like gzip", "Content-Encoding: gzip")
	f(string(delimited(family("a", dto.MetricType_GAUGE, gauge(1)), family("b", dto.MetricType_GAUGE, gauge(1, "x", "1"), stamped))),
		"must not have timestamps", `family 2 ("b"), metric 2`, "Remove the timestamp")
}

func TestExplainNamesWithTheFlag(t *testing.T) {
	f := func(body string, wants ...string) {
		t.Helper()
		text := explained(t, body, Request{}, Options{Scheme: model.UTF8Validation})
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%q: %q lacks %q", body, text, want)
			}
		}
		if strings.Contains(text, "--push.enable-utf8-names") {
			t.Errorf("%q: %q names a flag that is set", body, text)
		}
	}
	f("a.b 1\n", "column 2: a dot in the metric name", `write any other as {"a.b"}`)
	f("m{a.b=\"1\"} 1\n", "column 4: a dot in the label name", `{"a.b"="value"}`)
	f("größe 1\n", "column 3", `{"größe"}`)
	f("{\"a\xff\"} 1\n", "column 4: the byte 0xff")
}

// Errors of other kinds, and those of which nothing more is known, stay.
func TestExplainKeepsWhatItDoesNotKnow(t *testing.T) {
	other := errors.New("other")
	if got := Explain(other, nil, Request{}, mustKey("j"), Options{}); got != other {
		t.Errorf("got %v", got)
	}
	openMetrics := &SyntaxError{Line: 3, Message: "OpenMetrics parsing error in line 3: odd"}
	if got := Explain(openMetrics, []byte("a 1\n"), Request{}, mustKey("j"), Options{}); got.Error() != openMetrics.Message {
		t.Errorf("got %v", got)
	}
}

// The time is linear in the body.
func TestExplainLargeBodies(t *testing.T) {
	const size = 2 << 20
	f := func(name, body string) {
		t.Helper()
		for _, err := range []error{
			&SyntaxError{Line: 1, Message: "text format parsing error in line 1: x"},
			&SyntaxError{Line: 1 + strings.Count(body, "\n"), Message: "text format parsing error in line 1: second TYPE line for metric name \"m\""},
			&RefusedError{Message: "m", Reason: HasTimestamp, name: "m"},
			&RefusedError{Message: "m", Reason: DuplicateSeries, name: "m", labels: "never"},
			&LimitError{Message: "m", Reason: LabelTooLong, name: "other"},
		} {
			start := time.Now()
			text := Explain(err, []byte(body), Request{}, mustKey("j"), Options{}).Error()
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
	for i, seed := range slices.Concat(textSeeds, moreTextSeeds, protobufSeeds) {
		f.Add([]byte(seed), i%3 == 0, i%5 == 0, "", "")
	}
	for _, seed := range []string{"m{a=\"1\" b", "{\"a.b\"", "m 1\r\n", "\xef\xbb\xbf", "m {{ x }}\n", "m{a=“1”} 1\n", "\"m 1\"\r\n", "$ m 1\n", "m 1,5\n", "m 1 2 3\n", "m 1 # {a=\"b\"} 1\n", "# TYPE m info\n"} {
		f.Add([]byte(seed), false, false, "text/plain", "br")
		f.Add([]byte(seed), true, true, "application/x-protobuf", "gzip")
	}
	f.Fuzz(func(t *testing.T, body []byte, utf8, decoded bool, contentType, encoding string) {
		opts := Options{Scheme: fuzzScheme(utf8), Limits: Limits{Series: 20, Labels: 5, LabelBytes: 50, TextBytes: 2000}}
		req := Request{ContentType: contentType, Encoding: encoding, Decoded: decoded, RemoteWrite: len(encoding) == 3}
		for _, contentType := range []string{contentType, protobufContentType} {
			req.ContentType = contentType
			_, err := Families(body, contentType, fuzzKey(uint8(len(body))), opts)
			if err == nil {
				continue
			}
			text := Explain(err, body, req, fuzzKey(uint8(len(body))), opts).Error()
			checkMessage(t, text)
			if syntax, ok := errors.AsType[*SyntaxError](err); ok && contentType != protobufContentType && syntax.Line > 0 &&
				!strings.HasPrefix(text, fmt.Sprintf("text format parsing error in line %d: ", syntax.Line)) {
				t.Fatalf("%q does not begin as Pushgateway's", text)
			}
		}
	})
}
