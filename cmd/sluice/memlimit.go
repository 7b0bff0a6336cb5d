package main

import (
	"math"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/urfave/cli/v2"
)

const (
	// waitingBytesFlag bounds what pushes under way may hold. Its default is for a
	// machine with plenty of memory: a hundred pushes of 15,000 series at once hold
	// some 300 MB.
	waitingBytesFlag       = "push.max-waiting-bytes"
	defaultMaxWaitingBytes = 1 << 30
	// waitingShare is the part of the memory limit that it is by default where that is
	// less. The rest is for the groups, the stream, and garbage.
	waitingShare = 0.4
	// defaultMemoryRatio is that of Prometheus. The rest is for what the Go runtime
	// does not count, such as the page cache of the stream's files.
	defaultMemoryRatio = 0.9
)

// memoryFlags say how much memory the process may use, as Prometheus' flags do.
func (o *options) memoryFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "auto-gomemlimit", Destination: &o.limitsMemory, Value: true, Usage: "set GOMEMLIMIT to a part of the memory of the container or the machine, unless it is set"},
		&cli.Float64Flag{Name: "auto-gomemlimit.ratio", Destination: &o.memoryRatio, Value: defaultMemoryRatio, Usage: "`part` of the memory for --auto-gomemlimit"},
	}
}

// limitMemory sets the soft memory limit of the Go runtime to a part of the limit of
// the cgroup, or else of the machine's memory, as Prometheus 3 does. A GOMEMLIMIT in
// the environment stays as it is. byDefault says that --push.max-waiting-bytes
// follows from the limit.
func (o *options) limitMemory(byDefault bool) {
	if o.limitsMemory {
		// Where the memory cannot be found out there is no limit, as without the flag.
		_, _ = memlimit.Set(memlimit.WithRatio(o.memoryRatio),
			memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)))
	}
	if byDefault {
		o.gateway.SetMaxHeld(maxWaitingBytes(debug.SetMemoryLimit(-1)))
	}
}

// maxWaitingBytes returns the default of --push.max-waiting-bytes under a memory
// limit in bytes.
func maxWaitingBytes(limit int64) int64 {
	if limit == math.MaxInt64 {
		return defaultMaxWaitingBytes
	}
	return min(defaultMaxWaitingBytes, int64(waitingShare*float64(limit)))
}
