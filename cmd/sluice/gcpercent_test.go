package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestCollectorPercent(t *testing.T) {
	f := func(live uint64, want int) {
		t.Helper()
		if got := collectorPercent(live); got != want {
			t.Errorf("%d bytes: got %d, want %d", live, got, want)
		}
	}
	f(0, 400)
	f(64<<20, 200)
	f(128<<20, 100)
	f(256<<20, 100)
	f(4<<30, 100)
}

// The percentage is set after each collection until it is stopped.
func TestGCPercentFollowsCollections(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	stop := startGCPercent()
	defer stop()
	for range 3 {
		debug.SetGCPercent(77) // as if it were out of step
		deadline := time.Now().Add(30 * time.Second)
		for {
			runtime.GC()
			got := debug.SetGCPercent(77)
			if got != 77 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("a collection did not set the percentage")
			}
			time.Sleep(time.Millisecond)
		}
	}
}
