package ingest

import (
	"context"
	"errors"

	"sluice/bus"
	"sluice/store"
)

// attempt is one try to commit a batch: what a draft has made of it.
type attempt struct {
	draft    *store.Draft
	events   []store.Event
	owners   []*pending // of events, in the same order
	unjudged []*pending // the changes for which the draft was stale
}

// commit judges a batch and appends its events. It returns the changes that
// have to be judged again.
func (c *Committer) commit(ctx context.Context, batch []*pending) []*pending {
	c.bus.AwaitTurn(ctx)
	a := c.judgeAll(batch)
	switch {
	case len(a.unjudged) == len(batch) && len(batch) > 0:
		return c.catchUp(ctx, batch) // the draft was stale from its start
	case len(a.events) == 0:
		return a.unjudged
	}
	r := c.append(ctx, a)
	again := append(c.conclude(a, r), a.unjudged...)
	if r.conflict {
		return c.catchUp(ctx, again)
	}
	return again
}

// judgeAll judges a batch with one draft. It answers the changes that have no
// event.
func (c *Committer) judgeAll(batch []*pending) attempt {
	a := attempt{draft: c.store.Draft()}
	for i, p := range batch {
		e, has, err := judge(a.draft, p, c.forgetAfter)
		switch {
		case errors.Is(err, store.ErrStale):
			a.unjudged = batch[i:]
			return a
		case errors.Is(err, store.ErrImporting):
			c.answer(p, errImporting()) // it has begun since the change was enqueued
		case err != nil:
			c.logger.Error("cannot judge a change", "op", p.Op, "group", p.Key, "err", err)
			c.answer(p, refuse(CodeInternal, "cannot judge the change: %v", err))
		case has:
			a.events, a.owners = append(a.events, e), append(a.owners, p)
		default:
			c.answer(p, p.err)
		}
	}
	return a
}

// result says what became of the events of an attempt.
type result struct {
	// landed is how many events, from the first one, are in the stream.
	landed int
	// unseen is why the store was not seen to apply these; nil if it was.
	unseen error
	// conflict means that another gateway came first: the others have not landed,
	// and have to be judged again.
	conflict bool
	// offender is the index of the one event that the stream never takes, -1 for
	// none. Those behind it have to be judged again.
	offender int
	// removalsGoOn means that the refusal is not for deletes, wipes and expiries. They
	// have to be judged again, by themselves.
	removalsGoOn bool
	// refusal is the verdict on the offender, or without one on all events that
	// have not landed; nil for none.
	refusal *Error
}

// append puts the events of an attempt into the stream, and waits until the
// store has applied those that have landed.
func (c *Committer) append(ctx context.Context, a attempt) result {
	seqs, err := c.bus.Append(ctx, a.draft.Base(), a.events)
	r := result{landed: len(seqs), offender: -1}
	if r.landed > 0 {
		if err := c.bus.Wait(ctx, seqs[r.landed-1]); err != nil {
			r.unseen = refuse(CodeUnavailable, "the change is in the stream but was not seen coming back: %v", err)
		}
	}
	var tooLarge *bus.TooLargeError
	switch {
	case err == nil:
	case errors.Is(err, bus.ErrConflict):
		r.conflict = true
	case errors.As(err, &tooLarge):
		r.offender = tooLarge.Index
		r.refusal = eventTooLarge(tooLarge)
	case errors.Is(err, bus.ErrStreamFull):
		r.refusal = refuse(CodeFull, "the stream is full: %v", err)
		r.removalsGoOn = hasBoth(a.events[r.landed:])
	default:
		c.logger.Warn("cannot append to the stream", "changes", len(a.owners)-r.landed, "err", err)
		r.refusal = refuse(CodeUnavailable, "the stream is not available: %v", err)
	}
	return r
}

// conclude answers the owners of an attempt's events. It returns those that have
// to be judged again.
func (c *Committer) conclude(a attempt, r result) []*pending {
	again := a.owners[:0]
	for i, p := range a.owners {
		switch {
		case i < r.landed && r.unseen != nil:
			c.answer(p, r.unseen)
		case i < r.landed:
			c.metrics.countExpiry(a.events[i].Op, p.Op)
			c.answer(p, p.err)
		case r.removalsGoOn && removes(a.events[i].Op):
			again = append(again, p)
		case r.refusal != nil && (i == r.offender || r.offender < 0):
			c.answer(p, r.refusal)
		default:
			again = append(again, p)
		}
	}
	return again
}

// removes tells whether an operation makes a full stream smaller.
func removes(op store.Op) bool {
	return op == store.OpDelete || op == store.OpWipe || op == store.OpExpire
}

// hasBoth tells whether some of the events remove something and others do not.
func hasBoth(events []store.Event) bool {
	removing := 0
	for _, e := range events {
		if removes(e.Op) {
			removing++
		}
	}
	return removing > 0 && removing < len(events)
}

// catchUp waits until the store has what the stream has now, and returns the
// changes, which have to be judged again. If the stream does not answer, the
// changes whose time is not over wait on.
func (c *Committer) catchUp(ctx context.Context, batch []*pending) []*pending {
	if len(batch) == 0 {
		return nil
	}
	_, err := c.bus.CatchUp(ctx)
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.Canceled):
		for _, p := range batch {
			c.answer(p, refuse(CodeUnavailable, "the gateway is stopping"))
		}
		return nil
	default:
		c.logger.Debug("cannot catch up with the stream", "changes", len(batch), "err", err)
		pause(ctx, retryPause)
	}
	return batch
}

// answer hands the verdict over and frees the slot of the change.
func (c *Committer) answer(p *pending, err error) {
	c.held.release(p.bytes)
	c.metrics.waiting.Dec()
	c.metrics.waitingBytes.Sub(float64(p.bytes))
	<-c.slots
	p.done(err)
}
