package ingest

import (
	"context"
	"testing"
	"time"

	"sluice/bus"
)

func TestPing(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	if err := g.committer.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}

	// A committer that hangs does not answer.
	release := make(chan struct{})
	if err := g.committer.Enqueue(t.Context(), putChange(t, "/job/hang", "a 1\n"), func(error) { <-release }); err != nil {
		t.Fatal(err)
	}
	hung := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		return g.committer.Ping(ctx) != nil
	}
	for start := time.Now(); !hung(); {
		if time.Since(start) > patience {
			t.Error("a committer that hangs answers")
			break
		}
	}
	close(release)
	if err := g.committer.Ping(t.Context()); err != nil {
		t.Error(err)
	}

	// One that has ended says so.
	g.cancel()
	<-g.committer.ended
	if err := g.committer.Ping(t.Context()); err == nil {
		t.Error("a committer that has ended answers")
	}
}
