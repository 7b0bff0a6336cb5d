package ingest

import (
	"errors"
	"io"
	"strings"
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

// Bodies that are being read hold memory: past the bound others are told to come
// back, and what was held is free again afterwards.
func TestBodiesThatAreReadAreBounded(t *testing.T) {
	b := newBodies(1000, 1500)
	slow, feed := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, free, err := b.read(slow, "")
		if err == nil {
			free()
		}
		done <- err
	}()
	if _, err := io.WriteString(feed, strings.Repeat("x", 900)); err != nil {
		t.Fatal(err)
	}
	// The reader takes them into account before it reads on.
	if _, err := io.WriteString(feed, "x"); err != nil {
		t.Fatal(err)
	}
	_, _, err := b.read(strings.NewReader(strings.Repeat("x", 700)), "")
	var refused *Error
	if !errors.As(err, &refused) || refused.Status() != 503 || refused.RetryAfter == 0 || !strings.Contains(refused.Message, "--push.max-waiting-bytes") {
		t.Errorf("got %v, want 503", err)
	}
	if _, free, err := b.read(strings.NewReader("x"), ""); err != nil {
		t.Errorf("one that fits: %v", err)
	} else {
		free()
	}
	feed.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if held := b.held.held.Load(); held != 0 {
		t.Errorf("%d bytes are held", held)
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
