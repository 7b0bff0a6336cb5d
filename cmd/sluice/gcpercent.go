package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

const (
	// minHeadroom is how much garbage, in bytes, may gather before a collection.
	// With a small live heap Go's rule (as much garbage as live heap) collects several
	// times a second under load, which takes a tenth of the processor time.
	minHeadroom = 128 << 20
	// headroomShare is the same for large heaps, in percent of the live heap: Go's
	// default. Half of it saves 100 bytes a series at 2,000,000 series, but then the
	// collector takes a third of the processor time.
	headroomShare = 100
	// maxPercent bounds the setting while the live heap is tiny.
	maxPercent = 400
)

// gcPercent adapts the garbage collector's percentage to the size of the live heap.
// It is set after each collection, when that size is known.
type gcPercent struct {
	stopped atomic.Bool
}

// sentinel is an object that is finalized by the next collection.
type sentinel struct{ tuned *gcPercent }

// startGCPercent adapts the percentage until stop is called. It does nothing if GOGC
// or GOMEMLIMIT is set.
func startGCPercent() (stop func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	percent := &gcPercent{}
	percent.adjust()
	return func() { percent.stopped.Store(true) }
}

func (p *gcPercent) adjust() {
	if p.stopped.Load() {
		return
	}
	debug.SetGCPercent(collectorPercent(liveHeap()))
	runtime.SetFinalizer(&sentinel{p}, func(s *sentinel) { s.tuned.adjust() })
}

// collectorPercent returns the percentage for a live heap of that many bytes.
func collectorPercent(live uint64) int {
	return min(max(headroomShare, int(100*minHeadroom/max(live, 1))), maxPercent)
}

// liveHeap returns the size of the live heap after the last collection, in bytes.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
