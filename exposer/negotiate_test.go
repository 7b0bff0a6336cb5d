package exposer

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"

	"sluice/store"
)

// onlyOpenMetrics are the Accept headers that get OpenMetrics, and what they
// get. It is the first of the two rules by which Sluice's answers are others
// than Pushgateway's: a header that names OpenMetrics and nothing else that
// there is.
var onlyOpenMetrics = map[string]string{
	"<om>":                               "<om>; version=0.0.1; charset=utf-8; escaping=underscores",
	"<om>;version=1.0.0":                 "<om>; version=1.0.0; charset=utf-8; escaping=underscores",
	"<om>; version=0.0.1; charset=utf-8": "<om>; version=0.0.1; charset=utf-8; escaping=underscores",
	"<om>;version=1.0.0;escaping=allow-utf-8":             "<om>; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
	"<om>;version=0.0.1;q=0.9,<om>;version=1.0.0;q=0.8":   "<om>; version=0.0.1; charset=utf-8; escaping=underscores",
	"<om>;version=2.0.0,<om>;version=1.0.0;q=0.5":         "<om>; version=1.0.0; charset=utf-8; escaping=underscores",
	"<om>,text/plain;q=0":                                 "<om>; version=0.0.1; charset=utf-8; escaping=underscores",
	"<om>;q=0.1,text/html,application/json;escaping=dots": "<om>; version=0.0.1; charset=utf-8; escaping=dots",
	"<om>;version=1.0.0,*/*;q=0":                          "<om>; version=1.0.0; charset=utf-8; escaping=underscores",
	"text/html | <om>":                                    "<om>; version=0.0.1; charset=utf-8; escaping=underscores",
}

// onlyZstd are the Accept-Encoding headers that get zstd: the second rule. They
// name zstd and not gzip, and rather than identity.
var onlyZstd = []string{
	"zstd", "zstd, *;q=0.1", "zstd, identity;q=0.5", "br, zstd;q=0.5", "zstd, deflate", "zstd, identity;q=0", "zstd;q=0.1, x-gzip",
}

// The content types and encodings are those of Pushgateway, but for two rules.
func TestScrapeNegotiation(t *testing.T) {
	s := newTestScraper(filled(t, nil), true)
	headers := func(name string, lines []string) http.Header {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		for _, line := range lines {
			r.Header.Add(name, inFull.Replace(line))
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != http.StatusOK || strings.Join(w.Header().Values("Vary"), ",") != "Accept,Accept-Encoding" {
			t.Errorf("%s %q: got %d, %v", name, lines, w.Code, w.Header())
		}
		return w.Header()
	}
	deviations := 0
	for _, c := range acceptAnswers {
		want, deviates := onlyOpenMetrics[strings.Join(c.accept, " | ")]
		if deviates {
			deviations++
		} else {
			want = c.want
		}
		if got := headers("Accept", c.accept).Get("Content-Type"); got != inFull.Replace(want) {
			t.Errorf("Accept %q: got %q, want %q", c.accept, got, want)
		}
	}
	if deviations != len(onlyOpenMetrics) {
		t.Errorf("%d headers got OpenMetrics, want %d", deviations, len(onlyOpenMetrics))
	}
	deviations = 0
	for _, c := range encodingAnswers {
		want := c.want
		for _, header := range onlyZstd {
			if strings.Join(c.accept, " | ") == header {
				deviations++
				want = "zstd"
			}
		}
		if got := headers("Accept-Encoding", c.accept).Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q: got %q, want %q", c.accept, got, want)
		}
	}
	if deviations != len(onlyZstd) {
		t.Errorf("%d headers got zstd, want %d", deviations, len(onlyZstd))
	}
}

// The recorded answers are old. What the same handler of today answers differs
// in the escaping alone: it no longer takes that from a wish for another
// format. A wildcard with the parameters of protobuf has become protobuf.
func TestScrapeNegotiationOfToday(t *testing.T) {
	handler := promhttp.HandlerFor(prometheus.NewRegistry(), promhttp.HandlerOpts{
		OfferedCompressions: []promhttp.Compression{promhttp.Identity, promhttp.Gzip},
	})
	answer := func(name string, lines []string) http.Header {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		for _, line := range lines {
			r.Header.Add(name, inFull.Replace(line))
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Header()
	}
	media := func(contentType string) string {
		before, _, _ := strings.Cut(contentType, "; escaping=")
		return before
	}
	for _, c := range acceptAnswers {
		if len(c.accept) > 0 && strings.Contains(c.accept[0], "*;proto=") {
			continue
		}
		if got := answer("Accept", c.accept).Get("Content-Type"); media(got) != media(inFull.Replace(c.want)) {
			t.Errorf("Accept %q: promhttp answers %q, recorded is %q", c.accept, got, c.want)
		}
	}
	for _, c := range encodingAnswers {
		if got := answer("Accept-Encoding", c.accept).Get("Content-Encoding"); got != c.want {
			t.Errorf("Accept-Encoding %q: promhttp answers %q, recorded is %q", c.accept, got, c.want)
		}
	}
}

// FuzzAcceptEncoding holds the choice of an encoding against promhttp's.
func FuzzAcceptEncoding(f *testing.F) {
	for _, c := range encodingAnswers {
		f.Add(strings.Join(c.accept, ", "))
	}
	manyDigits := regexp.MustCompile(`[0-9]{16}`)
	promised := promhttp.HandlerFor(prometheus.NewRegistry(), promhttp.HandlerOpts{
		OfferedCompressions: []promhttp.Compression{promhttp.Identity, promhttp.Gzip},
	})
	f.Fuzz(func(t *testing.T, value string) {
		if manyDigits.MatchString(value) {
			return // promhttp counts them in an integer, which overflows
		}
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Header["Accept-Encoding"] = []string{value}
		got := acceptedEncoding(r.Header)
		if got == zstded {
			return // by the rule that promhttp does not have
		}
		w := httptest.NewRecorder()
		promised.ServeHTTP(w, r)
		want := w.Header().Get("Content-Encoding")
		if want == "" {
			want = identity
		}
		if got != want {
			t.Errorf("%q: got %s, promhttp chooses %s", value, got, want)
		}
	})
}

// A query does not filter families: promhttp has learned name[] since, but
// Pushgateway 1.11 does not know it.
func TestScrapeIgnoresNames(t *testing.T) {
	s := newTestScraper(filled(t, map[string]string{"/job/a": "# TYPE t_a gauge\nt_a{instance=\"\",job=\"a\"} 1\n"}), true)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics?name[]=t_a", nil))
	if !strings.Contains(w.Body.String(), "\ngo_goroutines ") || !strings.Contains(w.Body.String(), "\nt_a{") {
		t.Errorf("got %s", w.Body)
	}
}

func TestScrapeZstd(t *testing.T) {
	var text strings.Builder
	text.WriteString("# TYPE t_a gauge\n")
	for range 50_000 {
		text.WriteString("t_a{instance=\"\",job=\"a\"} 1\n")
	}
	s := newTestScraper(filled(t, map[string]string{"/job/a": text.String()}), true)
	want := pushedOnly(scrape(s).Body.String())
	for range 3 { // the encoder is used again
		w := scrape(s, "Accept-Encoding", "zstd")
		if got := w.Header().Get("Content-Encoding"); got != "zstd" {
			t.Fatalf("got encoding %q, want zstd", got)
		}
		z, err := zstd.NewReader(w.Body, zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(z)
		z.Close()
		if err != nil {
			t.Fatal(err)
		}
		if pushedOnly(string(got)) != want {
			t.Error("decompressed it is another scrape")
		}
	}
}

// A stream whose source fails has no end, and the next one is whole.
func TestZstdBrokenStream(t *testing.T) {
	z := newZstds()
	var broken, whole bytes.Buffer
	if err := z.stream(&broken, func(w io.Writer) error {
		io.WriteString(w, strings.Repeat("x", 1<<20))
		return io.ErrUnexpectedEOF
	}); err != io.ErrUnexpectedEOF {
		t.Errorf("got %v", err)
	}
	if err := z.stream(&whole, func(w io.Writer) error {
		_, err := io.WriteString(w, "hello")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	if got, err := decoder.DecodeAll(whole.Bytes(), nil); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := decoder.DecodeAll(broken.Bytes(), nil); err == nil {
		t.Error("the broken stream can be read")
	}
}

// Formats for people are Pushgateway's, too.
func TestScrapeProtobufText(t *testing.T) {
	s := newTestScraper(store.New(store.Settings{}), true)
	w := scrape(s, "Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text")
	if expfmt.Format(w.Header().Get("Content-Type")).FormatType() != expfmt.TypeProtoText || !strings.Contains(w.Body.String(), `name:`) {
		t.Errorf("got %v, %.100s", w.Header(), w.Body)
	}
}
