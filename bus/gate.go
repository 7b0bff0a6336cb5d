package bus

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errRestoring ends an append that is under way when the gate shuts.
var errRestoring = errors.New("the stream was changed from outside and is being restored")

// gate lets nobody append while the stream is being restored: what the store shows is not
// what the stream has then.
type gate struct {
	mu       sync.Mutex
	why      string // it is shut
	seen     Seen   // what the store had of the stream when the gate was shut
	restored *Seen  // the same of the last time; nil if nothing was to be restored so far
	since    time.Time
	opened   chan struct{}      // closed when it opens; nil while it is open
	period   context.Context    // ends when it shuts; nil until somebody passes
	end      context.CancelFunc // ends period
}

// shut closes the gate, and ends what has passed. It may be shut already: then only the
// reason is new.
func (g *gate) shut(why string, seen Seen) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.why = why
	if g.opened != nil {
		return
	}
	g.seen, g.since = seen, time.Now()
	g.opened = make(chan struct{})
	if g.end != nil {
		g.end()
		g.period, g.end = nil, nil
	}
}

// open opens it. changed tells that the stream was not what the store had seen of it.
func (g *gate) open(changed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened == nil {
		return
	}
	if changed {
		seen := g.seen
		g.restored = &seen
	}
	close(g.opened)
	g.why, g.opened = "", nil
}

// state returns why the gate is shut, "" if it is open, since when, and what the store had
// seen then.
func (g *gate) state() (why string, since time.Time, seen Seen) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.why, g.since, g.seen
}

// last returns what the store had seen when the gate was shut last and something was to be
// restored; nil if it never was.
func (g *gate) last() *Seen {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.restored
}

// pass waits until the gate is open or ctx ends. It returns a context that ends when the
// gate shuts again, and whether it has waited.
func (g *gate) pass(ctx context.Context) (period context.Context, waited bool, err error) {
	for {
		g.mu.Lock()
		if g.opened == nil {
			if g.period == nil {
				g.period, g.end = context.WithCancel(context.Background())
			}
			defer g.mu.Unlock()
			return g.period, waited, nil
		}
		opened := g.opened
		g.mu.Unlock()
		waited = true
		select {
		case <-opened:
		case <-ctx.Done():
			return nil, true, context.Cause(ctx)
		}
	}
}
