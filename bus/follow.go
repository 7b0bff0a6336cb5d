package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sluice/store"
)

const (
	// applyStep is the number of events after which those who wait are told.
	applyStep = 256
	// firstPause and maxPause bound the wait before the stream is tried again.
	firstPause = 50 * time.Millisecond
	maxPause   = 2 * time.Second
	// latePatience is how long a copy of the stream may have less than it should.
	// A former leader steps down after 10 s without the others.
	latePatience = 30 * time.Second
	// copiesPeriod is how often a cluster is looked at for more copies of the stream.
	copiesPeriod = 10 * time.Second
)

// Follow brings the stream into the store: the newest event of each group first,
// then what is published. It blocks until ctx ends or the bus is closed, and
// returns nil then; it never gives up, unless the cluster has another stream than
// the one that this gateway brings along, which is an error. The store must be empty,
// and from then on only Follow may apply events to it. Follow may be called once.
func (b *Bus) Follow(ctx context.Context, st *store.Store) error {
	b.following.Add(1)
	defer b.following.Done()
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(b.life, cancel)
	defer stop()
	var asking sync.WaitGroup
	asking.Go(func() { b.watchStream(ctx, st) })
	if b.embedded != nil {
		asking.Go(func() { b.restartServer(ctx) })
	}
	asking.Go(func() { b.keepSettled(ctx, st) })
	defer asking.Wait()
	defer cancel() // also when following ends by itself

	f := &follower{Bus: b, store: st, pause: firstPause, tracker: newTracker()}
	for next := f.replay; next != nil && ctx.Err() == nil; {
		next = next(ctx)
	}
	return f.fatal
}

// state is what a follower does at a time; it returns what it does next.
//
//	           ┌──────────── the stream is another one, ◀────────────┐
//	           ▼             or too much time has passed             │
//	replay ──caught up──▶ follow ──subscription lost──▶ resume ──────┤
//	  ▲ │                   ▲                                        │
//	  └─┘ failed            └────────── nothing missed ──────────────┘
type state func(context.Context) state

// follower is the goroutine of Follow.
type follower struct {
	*Bus
	store *store.Store

	created      time.Time     // of the stream that the store shows
	current      time.Time     // when the store had, provably, all that the stream had
	subscription *subscription // open in follow
	spare        []item        // memory of the last batch
	number       uint64        // delivery number of the last item that was applied
	pause        time.Duration // before the next try
	stuck        time.Time     // since when the server has not delivered what it has
	late         time.Time     // since when the stream, or a copy of it, has less than it should
	tracker      *tracker      // of the store
	backSince    time.Time     // since when the stream has said that it ends before what the store has
	reported     bool          // it has been told why the stream is being restored
	fatal        error         // why following ends
}

// follow applies what the subscription brings.
func (f *follower) follow(ctx context.Context) state {
	defer func() { f.closeSubscription(f.subscription) }()
	f.localApply.open(f.store)
	defer f.localApply.open(nil)
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	select {
	case <-f.looks: // it is as old as the last subscription
	default:
	}
	connected, lost := f.link.state()
	for connected {
		got := f.subscription.take(f.spare)
		f.spare = got.items
		f.applyAll(f.store, f.tracker, got.items, func(applied uint64) { f.progress.advance(applied) })
		stale := f.stale() // before noteCurrent: what has come may be old
		f.noteCurrent(got.idle)
		if got.err != nil {
			f.limited.Warn("lost touch with the stream", "applied", f.store.Sequence(), "err", got.err)
			break
		}
		if stale {
			f.limited.Warn("too far behind the stream to follow it", "applied", f.store.Sequence())
			return f.replay
		}
		select {
		case <-f.subscription.news:
		case <-ticker.C:
			if last := f.progress.known(); last > f.store.Sequence() && f.stepOver(ctx, last) {
				connected = false
			}
		case l := <-f.looks:
			if next := f.examineStream(ctx, l); next != nil {
				return next
			}
		case last := <-f.nudges:
			connected = !f.stepOver(ctx, last)
		case <-lost:
			connected = false
		case <-ctx.Done():
			return nil
		}
	}
	f.pause = firstPause
	return f.resume
}

// applyAll applies items to a store, and calls applied from time to time with
// the sequence that it has then. A tracker notes them.
func (f *follower) applyAll(st *store.Store, t *tracker, items []item, applied func(uint64)) {
	f.localApply.mu.Lock()
	defer f.localApply.mu.Unlock()
	has := st.Sequence()
	for i := range items {
		it := &items[i]
		switch {
		case it.seq <= has: // it was applied locally
		case it.err != nil:
			f.counters.damaged.Add(1)
			f.limited.Warn("skipped an event of the stream", "sequence", it.seq, "err", it.err)
			st.Skip(it.seq)
		case it.apply:
			st.Apply(it.seq, it.event)
			f.localApply.tell(st, it.seq, &it.event)
		default:
			st.Skip(it.seq)
		}
		t.note(it)
		f.progress.seen(it.seq, it.id, it.subject)
		f.fairness.seen(it.id)
		f.number = it.delivery
		if i == len(items)-1 || i%applyStep == applyStep-1 {
			applied(it.seq)
		}
	}
}

// noteCurrent notes that the store has all that the stream had at a time. The
// server of a subscription knows that, unless it has a copy of the stream that may be
// behind: then the word of the leader counts.
func (f *follower) noteCurrent(idle time.Time) {
	if f.quorum.watched {
		idle = f.quorum.current(f.store.Sequence())
	}
	if !idle.IsZero() {
		f.current = idle
	}
}

// stale tells whether so much time has passed since the store was current that
// deletes may have left the stream unseen. The clock that stands still while a
// machine sleeps is not asked.
func (f *follower) stale() bool {
	return time.Now().Round(0).Sub(f.current.Round(0)) > f.resumeWithin
}

// resume goes on behind what the store has, if it can have missed nothing that
// has left the stream since.
func (f *follower) resume(ctx context.Context) state {
	if !f.waitLink(ctx) {
		return nil
	}
	info, err := f.setup.ensureStream(ctx)
	if bad := (*unusableError)(nil); errors.As(err, &bad) {
		return f.beginRestore(bad.Error())
	}
	if err != nil {
		return f.again(ctx, f.resume, err)
	}
	applied := f.store.Sequence()
	same := info.Created.Equal(f.created)
	if same && info.State.LastSeq < applied && f.behind() {
		return f.again(ctx, f.resume, fmt.Errorf("the stream says that it ends at %d, and %d has been seen: a copy of it that is behind has answered", info.State.LastSeq, applied))
	}
	switch changed := !same || info.State.LastSeq < applied; {
	case changed && (!f.stale() || info.State.Msgs == 0):
		why := wentBackText(applied, info.State.LastSeq)
		if !same {
			why = "another stream has taken its place"
		}
		return f.beginRestore(why)
	case changed:
		// What others have deleted there meanwhile is not known any more.
		f.logger.Warn("the stream is not the one that was there before", "stream", info.Config.Name,
			"created", info.Created, "last", info.State.LastSeq, "applied", applied)
		return f.replay
	case f.stale():
		f.logger.Info("was away from the stream for too long to go on", "since", f.current.Round(time.Second))
		return f.replay
	}
	if begun, _ := f.store.Importing(); begun != 0 {
		// The import may have been begun anew, of which the stream keeps no trace
		// once it is complete.
		return f.replay
	}
	switch continues, err := f.continues(ctx); {
	case err != nil:
		return f.again(ctx, f.resume, err)
	case !continues:
		return f.beginRestore("") // unless the clocks of two leaders differ
	}
	if f.subscription, err = f.openSubscription(ctx, applied+1); err != nil {
		return f.again(ctx, f.resume, err)
	}
	f.number = 0
	f.late = time.Time{}
	f.progress.know(info.State.LastSeq)
	return f.follow
}

// behind tells whether it may be a copy of the stream that is behind the others
// which does not have what has been seen: a former leader that does not know yet
// that there is a new one. After a while it is the stream that has lost something.
func (f *follower) behind() bool {
	if f.late.IsZero() {
		f.late = time.Now()
	}
	return f.quorum.watched && time.Since(f.late) < latePatience
}

// again waits before a state is tried again.
func (f *follower) again(ctx context.Context, next state, err error) state {
	if ctx.Err() != nil {
		return nil
	}
	if fatal(err) {
		f.fatal = err
		return nil
	}
	err = f.explain(err)
	f.quorum.wait(err)
	f.limited.Warn("cannot read the stream", "err", err)
	if !pause(ctx, f.pause) {
		return nil
	}
	f.pause = min(2*f.pause, maxPause)
	return next
}

// waitLink waits until the server is connected, and returns false if ctx ends
// before.
func (f *follower) waitLink(ctx context.Context) bool {
	for {
		connected, changed := f.link.state()
		if connected {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// watchStream keeps the stream's size and last sequence known, and whether it
// can be reached, and sees to it that it has its copies.
func (b *Bus) watchStream(ctx context.Context, st *store.Store) {
	ticker := time.NewTicker(lookPeriod)
	defer ticker.Stop()
	var copied time.Time
	missing := 0
	for {
		l, ok := b.lookAtStream(ctx, st, &missing)
		if ok {
			select {
			case b.looks <- l:
			default: // the follower has not taken the one before
			}
		}
		if ok && l.info != nil && time.Since(copied) >= copiesPeriod {
			copied = time.Now()
			b.setup.keepCopies(ctx, l.info)
		}
		if b.routed() {
			b.quorum.majority()
		}
		if b.cfg.Server.Cluster.On() {
			b.metrics.members.Set(float64(b.cfg.Server.Cluster.Size))
			b.metrics.connected.Set(float64(b.embedded.MembersConnected()))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
