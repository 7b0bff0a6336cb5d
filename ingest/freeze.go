package ingest

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// beat is the time between two beats of a pulse, and frozenAfter how late one
	// may be until the process is taken to have been frozen: stopped by a signal, or
	// with the whole machine. Being wrong costs thawPause a batch.
	beat        = 100 * time.Millisecond
	frozenAfter = time.Second
	// thawTime is how long requests may come after a thaw that were sent before
	// it, and thawPause how long it takes at most to learn that the client of one
	// has gone meanwhile: what it has sent last is here already.
	thawTime  = time.Second
	thawPause = 50 * time.Millisecond
)

// A pulse tells whether the process has been frozen a moment ago. Then there are
// requests whose clients have given up and pushed somewhere else, maybe newer
// values: to take them late would undo those. The zero value is one that never
// has been.
type pulse struct {
	last   atomic.Int64 // time of the last beat, in nanoseconds of the wall clock
	thawed atomic.Int64 // time of the last thaw
}

// run beats until ctx ends.
func (p *pulse) run(ctx context.Context) {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	defer p.last.Store(0)
	for {
		p.beatAt(time.Now())
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (p *pulse) beatAt(now time.Time) {
	if p.late(now) {
		p.thawed.Store(now.UnixNano())
	}
	p.last.Store(now.UnixNano())
}

// late tells whether the next beat is missing. The wall clock is asked, since the
// other one stands still while a machine sleeps.
func (p *pulse) late(now time.Time) bool {
	last := p.last.Load()
	return last != 0 && now.UnixNano()-last > int64(frozenAfter)
}

// thawing tells whether there may be requests from before a thaw.
func (p *pulse) thawing(now time.Time) bool {
	thawed := p.thawed.Load()
	return p.late(now) || thawed != 0 && now.UnixNano()-thawed < int64(thawTime)
}
