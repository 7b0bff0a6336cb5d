package ingest

import (
	"cmp"
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"sluice/bus"
	"sluice/store"
)

const (
	// expiryPause is the longest time between two looks at what is due: a push may
	// bring a shorter time to live than all others at any time.
	expiryPause = 100 * time.Millisecond
	// expiryRetry is how long to wait when the stream does not take events.
	expiryRetry = time.Second
	// firstSweep bounds how long a gateway waits before it is ready for what was
	// due while it was away.
	firstSweep = 10 * time.Second
)

// Expirer makes an end of groups whose time to live is over, and forgets those
// that are dead for long enough. What it wants is judged and appended like a push:
// an expiry is an event, at one sequence for all gateways, and a push that comes
// first keeps its group alive. (The server's own expiry does not go through that
// judgement: its marker was seen to remove pushes that were acknowledged a moment
// before.) Any number of gateways may do this at once: who comes second finds that
// there is nothing to do.
type Expirer struct {
	bus       *bus.Bus
	store     *store.Store
	committer *Committer
	logger    *slog.Logger
	now       func() time.Time
	swept     atomic.Bool
}

// NewExpirer returns an expirer that does nothing until Run.
func NewExpirer(b *bus.Bus, s *store.Store, l *Committer, logger *slog.Logger) *Expirer {
	return &Expirer{bus: b, store: s, committer: l, logger: logger, now: time.Now}
}

// Swept tells whether what was due while no gateway ran has been done: before
// that, a scrape would show groups that are long dead.
func (x *Expirer) Swept() bool { return x.swept.Load() }

// Run looks for what is due until ctx ends. It always returns nil.
func (x *Expirer) Run(ctx context.Context) error {
	if x.bus.WaitReady(ctx) != nil {
		return nil // stopped before it began
	}
	first, cancel := context.WithTimeout(ctx, firstSweep)
	for first.Err() == nil {
		_, err := x.sweep(first)
		if err == nil {
			break
		}
		x.logger.Warn("cannot expire groups yet", "err", err)
		pause(first, expiryPause)
	}
	cancel()
	x.swept.Store(true)
	for ctx.Err() == nil {
		next, err := x.sweep(ctx)
		wait := expiryPause
		switch {
		case err != nil && ctx.Err() == nil:
			x.logger.Debug("cannot expire groups", "err", err)
			wait = expiryRetry
		case next != 0:
			wait = min(wait, max(time.Unix(0, next).Sub(x.now()), time.Millisecond))
		}
		pause(ctx, wait)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// sweep does all that is due. It returns when something will be, 0 for never, or
// the first reason why something could not be done.
func (x *Expirer) sweep(ctx context.Context) (next int64, err error) {
	for ctx.Err() == nil {
		keys, next := x.store.Due(x.now().UnixNano(), maxBatch)
		if len(keys) == 0 {
			return next, nil
		}
		if err := x.end(ctx, keys); err != nil {
			return 0, err
		}
	}
	return 0, ctx.Err()
}

// end asks for the end of groups and waits for the verdicts.
func (x *Expirer) end(ctx context.Context, keys []store.Key) error {
	verdicts := make(chan error, len(keys))
	asked := 0
	var failed error
	for _, key := range keys {
		c := Change{Op: store.OpExpire, Key: key, Time: x.now()}
		if failed = x.committer.Enqueue(ctx, c, func(err error) { verdicts <- err }); failed != nil {
			break // what is left is due again in a second
		}
		asked++
	}
	for range asked {
		select {
		case err := <-verdicts:
			failed = cmp.Or(failed, err)
		case <-x.committer.ended:
			return refuse(CodeUnavailable, "the gateway is stopping")
		}
	}
	return failed
}
