package main

import (
	"math"
	"testing"
)

func TestMaxWaitingBytes(t *testing.T) {
	f := func(limit, want int64) {
		t.Helper()
		if got := maxWaitingBytes(limit); got != want {
			t.Errorf("%d: got %d, want %d", limit, got, want)
		}
	}
	f(math.MaxInt64, 1<<30) // no limit
	f(16<<30, 1<<30)
	f(1<<30, 429496729)
	f(256<<20, 107374182)
}
