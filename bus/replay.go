package bus

import (
	"context"
	"fmt"
	"math"
	"time"

	"sluice/store"
)

// progressPeriod is how often a replay logs how far it is.
const progressPeriod = 2 * time.Second

// replay reads the newest event of each group. The first replay fills the
// follower's store; a later one fills another, which then takes its place at
// once, so that nobody sees half of it.
func (f *follower) replay(ctx context.Context) state {
	if !f.waitLink(ctx) {
		return nil
	}
	r, err := f.startReplay(ctx)
	if err != nil {
		return f.again(ctx, f.replay, err)
	}
	err = r.run(ctx)
	f.replaying.on.Store(false)
	if err != nil {
		f.closeSubscription(r.subscription)
		return f.again(ctx, f.replay, err)
	}
	r.finish(ctx)
	f.subscription = r.subscription
	f.pause = firstPause
	return f.follow
}

// replayRun is one replay.
type replayRun struct {
	*follower
	subscription *subscription
	into         *store.Store
	created      time.Time
	started      time.Time
	target       uint64 // what the store must have to be ready
	settled      bool   // the target is where all is that was missing
	tracker      *tracker
	awaits       bool            // something has been appended that must be delivered
	restored     int             // events that were written again
	givenUp      map[string]bool // groups that cannot be restored, by path
	total        uint64          // events that the server promised
	done         uint64          // events that have come
	logged       time.Time
}

func (f *follower) startReplay(ctx context.Context) (*replayRun, error) {
	r := &replayRun{follower: f, started: time.Now(), into: f.store, tracker: newTracker()}
	info, err := f.setup.ensureStream(ctx)
	if err != nil {
		return nil, err
	}
	r.created, r.target = info.Created, info.State.LastSeq
	f.codec.Forget()
	if r.subscription, err = f.openSubscription(ctx, 0); err != nil {
		return nil, err
	}
	if f.store.Sequence() > 0 || f.store.Groups() > 0 {
		r.into = f.store.Fresh()
	}
	r.total = r.subscription.total
	f.number = 0
	f.replaying.done.Store(0)
	f.replaying.total.Store(r.total)
	f.replaying.on.Store(true)
	r.logged = r.started
	f.logger.Info("replaying the stream", "stream", info.Config.Name, "events", r.total, "last", r.target, "bytes", info.State.Bytes)
	return r, nil
}

// run applies events until the store has all that the stream had at the start, or
// what has replaced it.
func (r *replayRun) run(ctx context.Context) error {
	_, lost := r.link.state()
	ticker := time.NewTicker(holePatience)
	defer ticker.Stop()
	for quiet := false; ; {
		got := r.subscription.take(r.spare)
		r.spare = got.items
		r.apply(got.items)
		if r.complete(ctx, got) {
			return nil
		}
		if got.err != nil {
			return got.err
		}
		if quiet && len(got.items) == 0 && r.into.Sequence() < r.target {
			if over, err := r.examine(ctx); over || err != nil {
				return err
			}
		}
		quiet = false
		select {
		case <-r.subscription.news:
		case <-ticker.C:
			quiet = true
		case <-r.nudges: // CatchUp waits for the replay in any case
		case <-lost:
			return errLost
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// complete tells whether the replay is over: the store has the target, or a server
// whose copy of the stream is the only one has nothing more.
func (r *replayRun) complete(ctx context.Context, got batch) bool {
	if r.into.Sequence() >= r.target {
		return r.reached(ctx)
	}
	return !r.quorum.watched && !r.awaits && (r.total == 0 || r.done >= r.total && !got.idle.IsZero())
}

// examine finds out why a subscription that has more to deliver is quiet, and mends
// that. over tells that the target cannot be reached any more, and that the replay is
// complete.
func (r *replayRun) examine(ctx context.Context) (over bool, err error) {
	switch r.look(ctx, r.subscription) {
	case gone:
		return false, fmt.Errorf("%w: its consumer does not answer", errLost)
	case exhausted:
		// The server has promised more than it can read, or than there is any more. Or
		// it has a copy of the stream that is behind.
		if !r.quorum.watched {
			return true, nil
		}
		if r.nothingTo(ctx, r.into.Sequence(), r.target) {
			r.into.Skip(r.target)
			r.late = time.Time{}
			return false, nil // what has replaced it may be on its way
		}
		if r.overdue() {
			return false, fmt.Errorf("%w: the copy of the stream that it reads is behind", errLost)
		}
	case stuck:
		return false, r.goRound(ctx)
	}
	return false, nil
}

// reached tells whether a store that has the target is complete. What other
// gateways publish during a replay replaces events before they are read: then the
// target becomes what the stream has now, since the later ones are there. Without
// that a gateway which comes back would show less than it has shown before, for a
// moment, or for longer if the copy that it reads is behind.
func (r *replayRun) reached(ctx context.Context) bool {
	gaps, unsettled := r.into.Gaps()
	if !r.quorum.watched || r.settled || !unsettled {
		return true
	}
	info, err := r.streamInfo(ctx)
	if err != nil {
		return false // asked again with what comes, and after a tick
	}
	r.settled = true
	r.target = max(r.target, info.State.LastSeq)
	r.into.Settle(gaps, r.target)
	return r.into.Sequence() >= r.target
}

// goRound goes on behind a part of the stream that cannot be read.
func (r *replayRun) goRound(ctx context.Context) error {
	next, err := r.around(ctx, r.subscription, r.into.Sequence(), r.target)
	if err == nil {
		r.subscription = next
	}
	return err
}

func (r *replayRun) apply(items []item) {
	r.applyAll(r.into, r.tracker, items, func(applied uint64) {
		if r.into == r.store {
			r.progress.advance(applied)
		}
	})
	r.done += uint64(len(items))
	r.replaying.done.Store(min(r.done, r.total))
	if now := time.Now(); now.Sub(r.logged) >= progressPeriod {
		r.logged = now
		r.logger.Info("still replaying the stream", "done", r.done, "events", r.total, "rate", r.rate())
	}
}

func (r *replayRun) rate() float64 {
	return math.Round(float64(r.done) / time.Since(r.started).Seconds())
}

// finish makes the result of the replay the store's.
func (r *replayRun) finish(ctx context.Context) {
	// What ends below the target has been deleted, has expired, or is damaged:
	// it cannot come any more.
	r.into.Skip(r.target)
	r.tracker.pass(r.target)
	applied := r.into.Sequence()
	if r.into != r.store {
		r.store.Replace(r.into)
		r.progress.reset(applied, max(applied, r.target))
	} else {
		r.progress.advance(applied)
	}
	r.follower.created, r.follower.tracker = r.created, r.tracker
	r.current = r.started
	seconds := time.Since(r.started).Seconds()
	r.metrics.replaySeconds.Set(seconds)
	r.replaying.done.Store(r.total)
	r.reportMissing(ctx)
	r.progress.setReady()
	r.logger.Info("replayed the stream", "events", r.done, "groups", r.store.Groups(),
		"seconds", math.Round(seconds*1000)/1000, "rate", r.rate(), "applied", applied)
}

// reportMissing reports events that the server has promised but not delivered:
// it cannot read them, and says so to nobody. Each event that was published
// meanwhile may have replaced one of those that were promised.
func (r *replayRun) reportMissing(ctx context.Context) {
	if r.done >= r.total {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	info, err := r.streamInfo(ctx)
	if err != nil {
		return // the link is down, and the next replay will tell
	}
	missing := r.total - r.done
	missing -= min(missing, info.State.LastSeq-min(r.target, info.State.LastSeq))
	if missing > 0 {
		r.counters.missing.Add(missing)
		r.logger.Warn("the stream did not deliver all events that it had promised", "missing", missing)
	}
}
