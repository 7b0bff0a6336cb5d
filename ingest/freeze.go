package ingest

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// freezeTick is the time between two ticks of a freezeDetector. A tick that is
	// later than freezeMin means that the process was frozen: stopped by a signal,
	// or with the whole machine. A wrong guess costs hangupPause for each batch.
	freezeTick = 100 * time.Millisecond
	freezeMin  = time.Second
	// freezeTail is how long after a freeze requests may arrive that were sent
	// before its end. hangupPause is how long it takes at most to see that the
	// client of a request has gone: its last packet is here already.
	freezeTail  = time.Second
	hangupPause = 50 * time.Millisecond
)

// freezeDetector tells whether the process has been frozen a moment ago. Then
// there are requests whose clients have given up and have pushed to another
// gateway, perhaps newer values, which a late commit would overwrite. The zero
// value has seen no freeze.
type freezeDetector struct {
	last  atomic.Int64 // time of the last tick, in nanoseconds of the wall clock
	ended atomic.Int64 // time at which the last freeze ended
}

// run ticks until ctx ends.
func (d *freezeDetector) run(ctx context.Context) {
	ticker := time.NewTicker(freezeTick)
	defer ticker.Stop()
	defer d.last.Store(0)
	for {
		d.tick(time.Now())
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (d *freezeDetector) tick(now time.Time) {
	if d.isLate(now) {
		d.ended.Store(now.UnixNano())
	}
	d.last.Store(now.UnixNano())
}

// isLate tells whether the next tick is missing. It uses the wall clock, since
// the monotonic clock stands still while a machine sleeps.
func (d *freezeDetector) isLate(now time.Time) bool {
	last := d.last.Load()
	return last != 0 && now.UnixNano()-last > int64(freezeMin)
}

// recently tells whether there may be requests from before the end of a freeze.
func (d *freezeDetector) recently(now time.Time) bool {
	ended := d.ended.Load()
	return d.isLate(now) || ended != 0 && now.UnixNano()-ended < int64(freezeTail)
}
