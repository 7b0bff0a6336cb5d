package main

import (
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// defaultMemoryRatio is Prometheus' own: the rest is for what the Go runtime does
	// not count, such as the page cache of the stream's files.
	defaultMemoryRatio = 0.9
	// defaultMaxWaitingBytes is what pushes under way may hold where memory is
	// plenty: a hundred pushes of 15,000 series at once hold some 300 MB.
	defaultMaxWaitingBytes = 1 << 30
	// waitingShare is the part of the memory limit that they may hold where it is not.
	// The rest is for the groups, the stream, and garbage.
	waitingShare = 0.4
	// committerShare is the part of it for pushes that have been read and wait.
	committerShare = 4
)

// limitMemory sets the soft memory limit of the Go runtime to a part of the limit of
// the cgroup, or else of the machine's memory, as Prometheus 3 does. A GOMEMLIMIT in
// the environment is left as it is.
func limitMemory(ratio float64, logger *slog.Logger) error {
	if ratio <= 0 || ratio > 1 {
		return fmt.Errorf("--auto-gomemlimit.ratio: %v is not between 0 and 1", ratio)
	}
	_, err := memlimit.Set(memlimit.WithRatio(ratio), memlimit.WithLogger(logger),
		memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)))
	if err != nil {
		logger.Warn("cannot set the memory limit of the Go runtime", "err", err) // as Prometheus
	}
	return nil
}

// memoryLimit returns the soft memory limit of the Go runtime in bytes.
func memoryLimit() int64 { return debug.SetMemoryLimit(-1) }

// maxWaitingBytes returns the default of --push.max-waiting-bytes under a memory
// limit.
func maxWaitingBytes(limit int64) int64 {
	if limit == math.MaxInt64 {
		return defaultMaxWaitingBytes
	}
	return min(defaultMaxWaitingBytes, int64(waitingShare*float64(limit)))
}
