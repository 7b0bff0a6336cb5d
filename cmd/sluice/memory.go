package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// minHeadroom is how much garbage, in bytes, may pile up before it is
	// collected. With little stored, the usual rule (as much as there is living)
	// would collect several times a second under load, for a tenth of the time.
	minHeadroom = 128 << 20
	// headroomShare is the same for large states, in percent of what is living:
	// less than the usual 100, since a gateway is sized by what it stores.
	headroomShare = 50
	// tuneInterval is how often the rule is adjusted.
	tuneInterval = 2 * time.Second
)

// tuneCollector keeps the garbage collector's pace in step with the size of the
// state until ctx ends. Whoever has set GOGC or GOMEMLIMIT knows better.
func tuneCollector(ctx context.Context) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	tick := time.NewTicker(tuneInterval)
	defer tick.Stop()
	for {
		debug.SetGCPercent(collectorPercent(liveHeap()))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// collectorPercent returns the setting for a living heap of so many bytes.
func collectorPercent(live uint64) int {
	return max(headroomShare, int(100*minHeadroom/max(live, 8<<20)))
}

// liveHeap is what the last collection has left, in bytes.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
