package ingest

import (
	"testing"

	"sluice/bus"
)

func TestBudget(t *testing.T) {
	b := budget{limit: 100}
	f := func(n, already int64, want bool, held int64) {
		t.Helper()
		if got := b.reserve(n, already); got != want || b.held.Load() != held {
			t.Errorf("%d after %d: %v with %d held, want %v with %d", n, already, got, b.held.Load(), want, held)
		}
	}
	f(150, 0, true, 150)   // alone
	f(10, 150, true, 160)  // and still
	f(1, 0, false, 160)    // another
	f(10, 100, false, 160) // no longer alone
	b.release(160)
	f(100, 0, true, 100)
	f(1, 0, false, 100)
	if unlimited := (budget{}); !unlimited.reserve(1<<40, 0) {
		t.Error("no limit is one")
	}
}

func TestPushesThatWaitHoldNothingAfterwards(t *testing.T) {
	committer := defaultCommitter
	committer.MaxWaitingBytes = 1000
	g := startGateway(t, bus.Config{}, committer)
	for range 3 {
		if code, text := g.do("PUT", "/metrics/job/x", "a 1\n"); code != 200 { // alone
			t.Errorf("%d %s", code, text)
		}
		if code, _ := g.do("PUT", "/metrics/job/x", "a 1 1\n"); code != 400 {
			t.Errorf("%d, want 400", code)
		}
	}
	if held := g.committer.held.held.Load(); held != 0 {
		t.Errorf("%d bytes are held", held)
	}
}
