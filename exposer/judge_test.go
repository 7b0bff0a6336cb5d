package exposer

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"

	"sluice/store"
)

// Without the consistency check a scrape fails as Pushgateway's does, readiness
// tells why, the log once, and all is well when the cause is gone.
func TestInconsistentScrape(t *testing.T) {
	s := store.New(store.Settings{Unchecked: true})
	seq := uint64(0)
	apply := func(op store.Op, path, text string) {
		t.Helper()
		key, err := store.ParseKey(path)
		if err != nil {
			t.Fatal(err)
		}
		families, err := store.ParseText([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		seq++
		s.Apply(seq, store.Event{Op: op, Key: key, PushTime: 1, Families: families})
	}
	var log bytes.Buffer
	self := NewSelfMetrics()
	judge := NewJudge(s, self, slog.New(slog.NewTextHandler(&log, nil)))
	scraper := NewScraper(s, self, func() bool { return true }, judge, promslog.NewNopLogger())
	check := func(code int, text string) {
		t.Helper()
		for range 2 {
			w := scrape(scraper)
			if w.Code != code || !strings.Contains(oneSpace(w.Body.String()), text) {
				t.Errorf("got %d %.300q, want %d with %q", w.Code, w.Body, code, text)
			}
		}
		if got := judge.Inconsistent(); (got != "") != (code == 500) || code == 500 && strings.Contains(got, "\n") {
			t.Errorf("readiness says %q", got)
		}
	}
	apply(store.OpPut, "/job/a", "# TYPE m histogram\nm_bucket{instance=\"\",job=\"a\",le=\"+Inf\"} 1\nm_sum{instance=\"\",job=\"a\"} 1\nm_count{instance=\"\",job=\"a\"} 1\n")
	check(200, "m_bucket")
	apply(store.OpPut, "/job/b", "# TYPE m_count untyped\nm_count{instance=\"\",job=\"b\"} 1\n")
	check(500, "An error has occurred while serving metrics:\n\ncollected metric named \"m_count\" collides with previously collected histogram named \"m\"")
	apply(store.OpDelete, "/job/b", "")
	check(200, "m_bucket")
	apply(store.OpPut, "/job/b", "# TYPE m gauge\nm{instance=\"\",job=\"b\"} 1\n")
	check(500, "is not a")
	apply(store.OpPut, "/job/b", "# TYPE m gauge\nm{instance=\"\",job=\"b\"} 2\n")
	check(500, "is not a")
	apply(store.OpDelete, "/job/b", "")
	check(200, "m_bucket")

	// A series twice in one push.
	apply(store.OpPut, "/job/b", "# TYPE t untyped\nt{a=\"1\",instance=\"\",job=\"b\"} 1\nt{a=\"1\",instance=\"\",job=\"b\"} 2\n")
	check(500, `{ label:{name:"a" value:"1"} label:{name:"instance" value:""} label:{name:"job" value:"b"} untyped:{value:2}} was collected before`)
	// A help text that differs from the gateway's own breaks no scrape.
	apply(store.OpPut, "/job/b", "# HELP go_goroutines another\n# TYPE go_goroutines gauge\ngo_goroutines{instance=\"\",job=\"b\"} 2\n# TYPE m gauge\nm{instance=\"\",job=\"b\"} 1\n")
	check(500, "is not a")
	apply(store.OpDelete, "/job/a", "")
	check(200, "# HELP go_goroutines Number of goroutines that currently exist.\n")

	if n := strings.Count(log.String(), "level=ERROR"); n != 4 {
		t.Errorf("got %d errors in the log, want one for each cause:\n%s", n, log.String())
	}
}

// Names that become the same when they are escaped break those scrapes only that ask
// for it.
func TestInconsistentEscapedScrape(t *testing.T) {
	s := store.New(store.Settings{Unchecked: true})
	self := NewSelfMetrics()
	var log bytes.Buffer
	judge := NewJudge(s, self, slog.New(slog.NewTextHandler(&log, nil)))
	scraper := NewScraper(s, self, func() bool { return true }, judge, promslog.NewNopLogger())
	check := func(readiness string, broken ...model.EscapingScheme) {
		t.Helper()
		for _, scheme := range schemes {
			w := scrape(scraper, "Accept", "text/plain;escaping="+scheme.String())
			if (w.Code == 500) != slices.Contains(broken, scheme) || w.Code == 500 && !strings.Contains(w.Body.String(), "with escaping="+scheme.String()) {
				t.Errorf("%s: got %d %.300q", scheme, w.Code, w.Body)
			}
		}
		if got := judge.Inconsistent(); (readiness == "") != (got == "") || !strings.Contains(oneSpace(got), readiness) {
			t.Errorf("readiness says %q, want %q", got, readiness)
		}
	}
	gauge := func(name, labels string) string {
		return "# TYPE " + name + " gauge\n{" + name + "," + labels + "instance=\"\",job=\"a\"} 1\n"
	}
	apply := func(path, text string) { t.Helper(); applyText(t, s, path, text) }
	apply("/job/a", gauge(`"m.n"`, `"a.b"="1",`))
	check("")
	apply("/job/a", gauge(`"m.n"`, `"a-b"="1","a.b"="1",`))
	check(`with escaping=underscores two labels of a series, or two series, of family "m.n" become the same: { label:{name:"a-b" value:"1"}`, model.UnderscoreEscaping)
	apply("/job/a", gauge(`"m.n"`, ""))
	check("")
	apply("/job/b", "# TYPE m_dot_n gauge\nm_dot_n{instance=\"\",job=\"b\"} 1\n")
	check(`with escaping=dots the name of family "m.n" becomes the same as another one`, model.DotsEscaping)
	apply("/job/b", "# TYPE U__m_2e_n gauge\nU__m_2e_n{instance=\"\",job=\"b\"} 1\n# TYPE m_n gauge\nm_n{instance=\"\",job=\"b\"} 1\n")
	check(`the name of family "m.n"`, model.UnderscoreEscaping, model.ValueEncodingEscaping)
	apply("/job/a", gauge(`"go.goroutines"`, ""))
	check(`the name of family "go.goroutines"`, model.UnderscoreEscaping)
	apply("/job/a", "")
	check("")
	if n := strings.Count(log.String(), "level=ERROR"); n != 4 {
		t.Errorf("got %d errors in the log, want one for each cause:\n%s", n, log.String())
	}
}

// applyText replaces a group by canonical text that nobody has checked.
func applyText(tb testing.TB, s *store.Store, path, text string) {
	tb.Helper()
	key, err := store.ParseKey(path)
	if err != nil {
		tb.Fatal(err)
	}
	families, err := store.ParseText([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	s.Apply(s.Sequence()+1, store.Event{Op: store.OpPut, Key: key, PushTime: 1, Families: families})
}

// oneSpace undoes that protobuf's text has one or two spaces between fields, by a hash
// of the binary, so that nobody relies on it.
func oneSpace(text string) string { return strings.ReplaceAll(text, "  ", " ") }
