package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

const (
	// minHeadroom is how much garbage, in bytes, may pile up before it is
	// collected. With little stored, the usual rule (as much as there is living)
	// would collect several times a second under load, for a tenth of the time.
	minHeadroom = 128 << 20
	// headroomShare is the same for large states, in percent of what is living:
	// Go's default. Half of that was tried: at 2,000,000 series it saves 100 bytes
	// a series and gives a third of all processor time to the collector.
	headroomShare = 100
	// maxPercent bounds the setting while next to nothing is living.
	maxPercent = 400
)

// collectorPace keeps the garbage collector's pace in step with the size of the
// state: it is set anew after each collection, when what is living is known.
type collectorPace struct {
	stopped atomic.Bool
}

// sentinel is an object that the next collection finds dead.
type sentinel struct{ pace *collectorPace }

// startPace starts the pace and returns a function that ends it. Whoever has set
// GOGC or GOMEMLIMIT knows better.
func startPace() (stop func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	pace := &collectorPace{}
	pace.adjust()
	return func() { pace.stopped.Store(true) }
}

func (p *collectorPace) adjust() {
	if p.stopped.Load() {
		return
	}
	debug.SetGCPercent(collectorPercent(liveHeap()))
	runtime.SetFinalizer(&sentinel{p}, func(s *sentinel) { s.pace.adjust() })
}

// collectorPercent returns the setting for a living heap of so many bytes.
func collectorPercent(live uint64) int {
	return min(max(headroomShare, int(100*minHeadroom/max(live, 1))), maxPercent)
}

// liveHeap is what the last collection has left, in bytes.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
