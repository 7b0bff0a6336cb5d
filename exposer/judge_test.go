package exposer

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

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
			if w.Code != code || !strings.Contains(w.Body.String(), text) {
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
	if n := strings.Count(log.String(), "level=ERROR"); n != 2 {
		t.Errorf("got %d errors in the log, want one for each cause:\n%s", n, log.String())
	}
}
