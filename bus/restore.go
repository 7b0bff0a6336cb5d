package bus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"sluice/bus/event"
	"sluice/store"
)

const (
	// restoreGrace is how long a gateway waits for others that have noticed the same. The
	// one that has seen most restores.
	restoreGrace = 2*lookPeriod + gatherQuiet
	// restorePatience is how long it lets others restore that have seen more.
	restorePatience = 30 * time.Second
	// restorePause is the wait until it is looked what another one has restored.
	restorePause = 250 * time.Millisecond
)

// beginRestore notes that the stream is not what it was. why is "" if that is only a
// suspicion.
func (f *follower) beginRestore(why string) state {
	if f.store.Groups()+f.store.Dead() == 0 {
		if why != "" {
			f.counters.interferences.Add(1)
			f.logger.Warn("the stream was changed from outside, and the store has nothing to restore", "reason", why)
		}
		return f.replay // there is nothing to restore
	}
	f.reported = false
	f.gate.shut("checking whether the stream is what it was", f.seen())
	if why != "" {
		f.report(why)
	}
	return f.restore
}

// report tells what was done to the stream, once for each restoration.
func (f *follower) report(why string) {
	f.gate.shut(why, f.seen())
	if f.reported {
		return
	}
	f.reported = true
	f.counters.interferences.Add(1)
	f.logger.Warn("the stream was changed from outside", "reason", why, "applied", f.store.Sequence())
}

// restore replays the stream beside the store, which goes on to be shown, writes again
// what the store has and the stream has lost, and takes the result. What has been
// appended to the stream since the store saw it last is newer than the store, and stays.
//
// Several gateways may do so at once. Each event is appended by compare-and-swap behind
// all that was compared, so the second one finds less to do.
func (f *follower) restore(ctx context.Context) state {
	if !f.waitLink(ctx) {
		return nil
	}
	// What has passed the gate before has been told to end.
	f.appender.mu.Lock()
	//lint:ignore SA2001 the lock is only waited for
	f.appender.mu.Unlock()
	r, err := f.startReplay(ctx)
	if err != nil {
		var bad *unusableError
		if errors.As(err, &bad) {
			f.report(bad.Error())
		}
		return f.again(ctx, f.restore, err)
	}
	r.tracker.subjects = map[uint64]position{}
	if err = r.run(ctx); err == nil {
		err = r.giveBack(ctx)
	}
	f.replaying.on.Store(false)
	if err != nil {
		f.closeSubscription(r.subscription)
		return f.again(ctx, f.restore, err)
	}
	r.tracker.subjects = nil
	r.finish(ctx)
	f.subscription = r.subscription
	f.pause = firstPause
	f.gate.open(f.reported)
	if f.reported {
		f.logger.Info("restored the stream", "events", r.restored, "lost", len(r.givenUp), "groups", f.store.Groups(), "applied", f.store.Sequence())
	}
	return f.follow
}

// giveBack writes again what is missing until nothing is.
func (r *replayRun) giveBack(ctx context.Context) error {
	old, _ := r.store.AllGroups()
	r.givenUp = map[string]bool{}
	r.awaits = true
	for {
		r.into.Skip(r.target)
		lost := r.missing(old)
		if len(lost) == 0 {
			return nil
		}
		r.report(fmt.Sprintf("%d groups are not what they were", len(lost)))
		mine := r.myPart(ctx)
		switch mine {
		case act:
			if err := r.writeAgain(ctx, lost); err != nil {
				return err
			}
		case wait:
			if !pause(ctx, restorePause) {
				return context.Cause(ctx)
			}
		}
		ask, cancel := context.WithTimeout(ctx, r.cfg.ConnectTimeout)
		last, err := r.askLast(ask)
		cancel()
		if err != nil {
			return err
		}
		r.target, r.settled = max(r.target, last), false
		if err := r.run(ctx); err != nil || mine == done {
			return err
		}
	}
}

// missing returns the events that make the groups of the replay what those of the store
// are, but for what has been appended since the store has seen the stream. They are in
// the order in which they were in the stream.
func (r *replayRun) missing(old []*store.Group) []store.Event {
	seen := r.follower.tracker.last
	if begun, _ := r.store.Importing(); begun != 0 || r.tracker.whole.after(seen) {
		return nil // an import begins anew, and a wipe or an import has removed all
	}
	newer := func(key store.Key) bool {
		at, ok := r.tracker.subjects[hashSubject(event.Subject(r.cfg.Prefix, key))]
		return ok && at.after(seen) || r.givenUp[key.Path()]
	}
	var lost []*store.Group
	for _, g := range old {
		if have := r.into.Group(g.Key()); (have == nil || !have.Same(g)) && !newer(g.Key()) {
			lost = append(lost, g)
		}
	}
	slices.SortFunc(lost, func(a, b *store.Group) int { return int(int64(a.Sequence()) - int64(b.Sequence())) })
	events := make([]store.Event, 0, len(lost))
	there, _ := r.into.AllGroups()
	for _, g := range there {
		if r.store.Group(g.Key()) == nil && !newer(g.Key()) {
			events = append(events, store.Event{Op: store.OpDelete, Key: g.Key(), Origin: originRestore})
		}
	}
	for _, g := range lost {
		events = append(events, g.Event())
	}
	return events
}

// originRestore is the origin of a delete that is written again.
const originRestore = "restored after a change from outside"

// seen returns how much of the stream the store has.
func (f *follower) seen() Seen { return Seen{f.store.Sequence(), f.tracker.last.time} }

// part is what a gateway has to do among those that have noticed the same.
type part int

const (
	wait part = iota // another one has seen more, and is to restore first
	act
	done // another one that has seen as much has restored all: what is still missing was deleted
)

// myPart finds out what this gateway is to do.
func (f *follower) myPart(ctx context.Context) part {
	_, since, seen := f.gate.state()
	others, err := f.gateways.ask(ctx, maxGateways)
	late := time.Since(since) > restorePatience
	if err != nil && !late {
		return wait
	}
	for _, o := range others {
		switch {
		case o.Restoring == nil && o.Restored != nil && o.Restored.covers(seen):
			return done
		case o.Restoring == nil || late:
		case o.Restoring.Sequence > seen.Sequence || o.Restoring.Sequence == seen.Sequence && o.ID < f.instance:
			return wait
		}
	}
	if time.Since(since) < restoreGrace {
		return wait
	}
	return act
}

// writeAgain appends events that the stream has lost. It returns nil also if another
// gateway came first, or if it is not known what has become of them: the next comparison
// tells.
func (r *replayRun) writeAgain(ctx context.Context, lost []store.Event) error {
	a := r.appender
	draft := r.into.Draft()
	errs, err := draft.Restore(lost)
	if errors.Is(err, store.ErrImporting) {
		return nil // once it is complete nothing is to be restored
	}
	if err != nil {
		return fmt.Errorf("cannot restore what the stream has lost: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	events := lost[:0:0]
	for i, e := range lost {
		if errs[i] == nil {
			_, errs[i] = a.encode(i, e)
		}
		if errs[i] != nil {
			r.giveUp(e, errs[i])
			continue
		}
		events = append(events, e)
	}
	ctx, cancel := r.bounded(ctx, r.cfg.PublishTimeout+time.Duration(len(events))*10*time.Millisecond)
	defer cancel()
	for after := draft.Base(); len(events) > 0; {
		c, err := a.lostChunk(after, events)
		if err != nil {
			return err
		}
		publish := a.publishChain
		if a.wantsAtomic(c) {
			publish = a.publishAtomic
		}
		_, err = publish(ctx, c, true)
		r.counters.restored.Add(uint64(c.landed))
		r.restored += c.landed
		after += uint64(c.landed)
		events = events[c.landed:]
		if err != nil && !errors.Is(err, ErrConflict) {
			return fmt.Errorf("cannot restore what the stream has lost: %w", err)
		}
		if c.landed < len(c.messages) {
			return nil
		}
	}
	return nil
}

// lostChunk makes a chunk of the first events.
func (a *appender) lostChunk(after uint64, events []store.Event) (*chunk, error) {
	messages, err := a.encodeAll(events[:min(len(events), maxChunk)])
	if err != nil {
		return nil, err
	}
	n := chunkLen(messages)
	if a.clustered() {
		n = atomicLen(messages[:n])
	}
	return &chunk{after: after, messages: messages[:n]}, nil
}

// giveUp notes that a group cannot be restored.
func (r *replayRun) giveUp(e store.Event, why error) {
	r.givenUp[e.Key.Path()] = true
	r.counters.unrestored.Add(1)
	r.logger.Error("cannot restore a group that the stream has lost", "group", e.Key, "err", why)
}

// sequenceGap is what a stream that is made again leaves out behind the last sequence that
// this gateway knows: other gateways may have seen some more. So nothing that was judged
// against the stream of before fits into the new one.
const sequenceGap = 1 << 20

// firstSequence is with which sequence the stream begins if it is created now; 0 for the
// first one.
func (s *stream) firstSequence() uint64 {
	last := s.progress.known()
	if last == 0 || last > math.MaxUint64/2 {
		return 0
	}
	return last + sequenceGap
}
