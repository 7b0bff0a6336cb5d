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
	// expiryPause is the longest time between two looks at what is due. At any time
	// a push may bring a time to live that is shorter than all others.
	expiryPause = 100 * time.Millisecond
	// expiryRetry is the pause after the stream has taken no events.
	expiryRetry = time.Second
	// firstSweep bounds how long the start of a gateway waits until the groups that
	// were due before have expired.
	firstSweep = 10 * time.Second
)

// Expirer expires groups whose time to live is over, and forgets those that have
// been dead for long enough. Its changes are judged and appended like pushes: an
// expiry is an event, at one sequence for all gateways, and a push that comes first
// keeps its group alive. (Message TTLs of the NATS server bypass that judgement: a
// marker of the server was seen to remove pushes that had just been acknowledged.)
// Any number of gateways may do this at the same time: the second one finds nothing
// to do.
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

// Swept tells whether the groups that were due while no gateway ran have expired.
// Before that, a scrape would show groups that have been dead for long.
func (x *Expirer) Swept() bool { return x.swept.Load() }

// Run expires and forgets groups until ctx ends. It always returns nil.
func (x *Expirer) Run(ctx context.Context) error {
	if x.bus.WaitReady(ctx) != nil {
		return nil // ctx has ended
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

// sweep does all that is due. It returns when more will be due, in nanoseconds since
// 1970, 0 for never, or the first error.
func (x *Expirer) sweep(ctx context.Context) (next int64, err error) {
	for ctx.Err() == nil {
		keys, next := x.store.Due(x.now().UnixNano(), maxBatch)
		if len(keys) == 0 {
			return next, nil
		}
		if err := x.expire(ctx, keys); err != nil {
			return 0, err
		}
	}
	return 0, ctx.Err()
}

// expire submits the expiry of groups and waits for the verdicts.
func (x *Expirer) expire(ctx context.Context, keys []store.Key) error {
	verdicts := make(chan error, len(keys))
	asked := 0
	var failed error
	for _, key := range keys {
		c := Change{Op: store.OpExpire, Key: key, Time: x.now()}
		if failed = x.committer.Enqueue(ctx, c, func(err error) { verdicts <- err }); failed != nil {
			break // the rest is tried again in a second
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
