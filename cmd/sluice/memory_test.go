package main

import "testing"

func TestCollectorPercent(t *testing.T) {
	f := func(live uint64, want int) {
		t.Helper()
		if got := collectorPercent(live); got != want {
			t.Errorf("%d bytes: got %d, want %d", live, got, want)
		}
	}
	f(0, 1600)
	f(64<<20, 200)
	f(128<<20, 100)
	f(256<<20, 50)
	f(4<<30, 50)
}
