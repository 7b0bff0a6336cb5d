package ingest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"sluice/bus"
	"sluice/ingest/decode"
	"sluice/store"
)

const (
	// maxBatch is the most changes that are judged and appended together. An
	// atomic batch takes 1,000 messages; past a few hundred nothing is gained.
	maxBatch = 512
	// maxBatchBytes bounds what a batch has in flight.
	maxBatchBytes = 8 << 20
	// retryPause is how long to wait until a stream that does not answer is asked
	// again.
	retryPause = 100 * time.Millisecond
)

// Committer decides: one goroutine takes all changes that wait, judges them one
// after another, and appends the resulting events to the stream as one
// compare-and-swap. If another gateway came first it judges again. Whoever
// waits is answered when the store has what the stream has.
type Committer struct {
	bus         *bus.Bus
	store       *store.Store
	logger      *slog.Logger
	metrics     *Metrics
	wait        time.Duration
	forgetAfter time.Duration
	queue       chan *pending
	room        chan struct{} // a token for each push that waits
	held        budget        // of the families of the pushes that wait
	pings       chan struct{} // from Ping
	ended       chan struct{} // closed when Run has returned
	pulse       pulse
}

// CommitterConfig are the settings of a Committer.
type CommitterConfig struct {
	// Wait is how long a change may take from its submission to its verdict.
	Wait time.Duration
	// ForgetAfter is how long a group that has expired is remembered.
	ForgetAfter time.Duration
	// MaxWaiting is how many changes may wait for their verdict.
	MaxWaiting int
	// MaxWaitingBytes bounds what they hold; 0 is no limit.
	MaxWaitingBytes int64
}

// NewCommitter returns a committer that does nothing until Run.
func NewCommitter(b *bus.Bus, s *store.Store, cfg CommitterConfig, logger *slog.Logger, m *Metrics) *Committer {
	return &Committer{
		bus: b, store: s, logger: logger, metrics: m,
		wait:        cfg.Wait,
		forgetAfter: cfg.ForgetAfter,
		queue:       make(chan *pending, cfg.MaxWaiting),
		room:        make(chan struct{}, cfg.MaxWaiting),
		held:        budget{limit: cfg.MaxWaitingBytes},
		pings:       make(chan struct{}),
		ended:       make(chan struct{}),
	}
}

// Submit asks for a change and waits for the verdict: nil if it is in the
// stream and visible, else an *Error. That takes no longer than the configured
// wait. It returns when ctx ends, too; then the outcome is unknown, unless the
// change was not judged yet: then it is dropped.
func (l *Committer) Submit(ctx context.Context, c Change) error {
	verdict := make(chan error, 1)
	if err := l.Enqueue(ctx, c, func(err error) { verdict <- err }); err != nil {
		return err
	}
	select {
	case err := <-verdict:
		return err
	case <-ctx.Done():
		return refuse(CodeUnavailable, "the client has gone").because(reasonGone)
	case <-l.ended:
		return refuse(CodeUnavailable, "the gateway is stopping")
	}
}

// Enqueue asks for a change and returns at once. If it returns nil done is
// called exactly once with the verdict, from the committer's goroutine: it must
// not block. A change whose ctx ends or whose time is over before it is judged
// is dropped.
func (l *Committer) Enqueue(ctx context.Context, c Change, done func(error)) error {
	if err := l.ready(c.Op); err != nil {
		return err
	}
	select {
	case l.room <- struct{}{}:
	default:
		return refuse(CodeBusy, "%d pushes are waiting already (--push.max-waiting)", cap(l.room))
	}
	size := int64(c.size())
	if !l.held.take(size, 0) {
		<-l.room
		return tooManyBytes(l.held.limit)
	}
	l.queue <- &pending{Change: c, ctx: ctx, deadline: time.Now().Add(l.wait), done: done, bytes: size} // has room for all that have a token
	return nil
}

// ready refuses changes while the store does not know yet what the stream has,
// and while an import goes on, which only a wipe may call off.
func (l *Committer) ready(op store.Op) error {
	if status := l.bus.Status(); !status.Ready {
		if status.Waiting != "" {
			return refuse(CodeNotReady, "not ready: %s", status.Waiting)
		}
		return refuse(CodeNotReady, "not ready: replaying the stream, %d of %d events", status.ReplayDone, status.ReplayTotal)
	}
	if begun, _ := l.store.Importing(); begun != 0 && op != store.OpWipe {
		return errImporting()
	}
	return nil
}

func errImporting() error {
	return refuse(CodeNotReady, "not ready: the import of a persistence file is not complete")
}

// Run decides until ctx ends. What is queued then is refused.
func (l *Committer) Run(ctx context.Context) error {
	defer close(l.ended)
	var beating sync.WaitGroup
	beatCtx, stop := context.WithCancel(ctx)
	beating.Go(func() { l.pulse.run(beatCtx) })
	defer beating.Wait()
	defer stop()
	for {
		select {
		case first := <-l.queue:
			l.decide(ctx, l.collect(first))
		case <-l.pings:
		case <-ctx.Done():
			for {
				select {
				case p := <-l.queue:
					l.answer(p, refuse(CodeUnavailable, "the gateway is stopping"))
				default:
					return nil
				}
			}
		}
	}
}

// collect takes what waits besides the first change: group commit.
func (l *Committer) collect(first *pending) []*pending {
	batch := append(make([]*pending, 0, 64), first)
	bytes := first.size()
	for len(batch) < maxBatch && bytes < maxBatchBytes {
		select {
		case p := <-l.queue:
			batch = append(batch, p)
			bytes += p.size()
		default:
			return batch
		}
	}
	return batch
}

// decide brings every change of a batch to its verdict. No attempt goes on
// longer than the change that has waited longest may.
func (l *Committer) decide(ctx context.Context, batch []*pending) {
	for {
		if l.pulse.thawing(time.Now()) {
			pause(ctx, thawPause) // until it is known whose client has gone
		}
		batch = l.dropAbandoned(batch)
		if len(batch) == 0 {
			return
		}
		oldest := batch[0].deadline
		for _, p := range batch {
			if p.deadline.Before(oldest) {
				oldest = p.deadline
			}
		}
		attemptCtx, cancel := context.WithDeadline(ctx, oldest)
		batch = l.attempt(attemptCtx, batch)
		cancel()
	}
}

// attempt judges a batch and appends its events. It returns the changes that
// have to be judged again.
func (l *Committer) attempt(ctx context.Context, batch []*pending) []*pending {
	l.bus.AwaitTurn(ctx)
	draft := l.store.Draft()
	var events []store.Event
	var owners []*pending // of events, in their order
	for i, p := range batch {
		e, has, err := judge(draft, p, l.forgetAfter)
		switch {
		case errors.Is(err, store.ErrStale):
			if len(events) == 0 && i == 0 {
				return l.caughtUp(ctx, batch)
			}
			return l.append(ctx, draft, events, owners, batch[i:])
		case errors.Is(err, store.ErrImporting):
			l.answer(p, errImporting()) // it has begun since the change was taken in
		case has:
			events, owners = append(events, e), append(owners, p)
		default:
			l.answer(p, p.err)
		}
	}
	return l.append(ctx, draft, events, owners, nil)
}

// dropAbandoned answers those whose client has gone or whose time is over: a
// push that nobody waits for must not cost the others anything.
func (l *Committer) dropAbandoned(batch []*pending) []*pending {
	now := time.Now()
	kept := batch[:0]
	for _, p := range batch {
		switch {
		case p.ctx.Err() != nil:
			l.metrics.abandoned.Inc()
			l.answer(p, refuse(CodeUnavailable, "nobody waits for this push any more").because(reasonGone))
		case now.After(p.deadline):
			l.answer(p, refuse(CodeUnavailable, "no verdict within %s (--push.wait): the stream does not answer", l.wait))
		default:
			kept = append(kept, p)
		}
	}
	return kept
}

// judge returns the event of a change, and whether there is one. A refused
// push keeps its verdict in p.err.
func judge(draft *store.Draft, p *pending, forgetAfter time.Duration) (e store.Event, has bool, err error) {
	now := p.Time.UnixNano()
	p.err = nil
	if p.Op == store.OpExpire {
		return draft.Due(p.Key, now, int64(forgetAfter))
	}
	push := store.Push{Key: p.Key, Families: p.Families, Time: now, Expires: p.Expires, MaxOfJob: p.MaxOfJob, Origin: p.Origin}
	refusal := p.Refusal
	if refusal == nil {
		switch p.Op {
		case store.OpPut:
			e, err = draft.Put(push)
		case store.OpPost:
			e, err = draft.Post(push)
		case store.OpDelete:
			e, err = draft.Delete(p.Key, p.Origin)
		case store.OpWipe:
			e = draft.Wipe(p.Origin)
		}
		var tooMany *store.TooManyGroups
		if errors.As(err, &tooMany) {
			flag := "--push.max-groups"
			if tooMany.Job != "" {
				flag = "--group.rules"
			}
			p.err = refuse(CodeTooManyGroups, "%v (%s)", tooMany, flag)
			return e, false, nil // no group to note it in
		}
		var conflict *store.Conflict
		if !errors.As(err, &conflict) {
			return e, err == nil, err
		}
		refusal = conflict
	}
	// The words at the front are Pushgateway's.
	refused := refuse(CodeInconsistent, "pushed metrics are invalid or inconsistent with existing metrics: %v", refusal).because(reasonOf(refusal))
	p.err = refused
	return draft.Fail(push, refused.Message)
}

// reasonOf returns the reason of a push that could be read.
func reasonOf(refusal error) string {
	var refused *decode.RefusedError
	if errors.As(refusal, &refused) {
		return refused.Reason
	}
	return reasonInconsistent
}

// append puts events into the stream and answers their owners. It returns
// those to be judged again, and rest.
func (l *Committer) append(ctx context.Context, draft *store.Draft, events []store.Event, owners, rest []*pending) []*pending {
	if len(events) == 0 {
		return rest
	}
	seqs, err := l.bus.Append(ctx, draft.Base(), events)
	if n := len(seqs); n > 0 {
		if waitErr := l.bus.Wait(ctx, seqs[n-1]); waitErr != nil {
			l.answerAll(owners[:n], refuse(CodeUnavailable, "the change is in the stream but was not seen coming back: %v", waitErr))
		} else {
			for i, p := range owners[:n] {
				l.metrics.ended(events[i].Op, p.Op)
				l.answer(p, p.err)
			}
		}
		owners = owners[n:]
	}
	var tooLarge *bus.TooLargeError
	switch {
	case err == nil:
		return rest
	case errors.Is(err, bus.ErrConflict):
		return l.caughtUp(ctx, append(owners, rest...))
	case errors.As(err, &tooLarge):
		i := tooLarge.Index - len(seqs)
		l.answer(owners[i], refuse(CodeTooLarge, "the group would have an event of %d bytes, more than the stream takes (%d bytes; it grows with --push.max-bytes)\nPush less to one group.", tooLarge.Size, tooLarge.Limit).because(reasonEvent))
		return append(append(owners[:i:i], owners[i+1:]...), rest...)
	case errors.Is(err, bus.ErrStreamFull):
		l.answerAll(owners, refuse(CodeFull, "the stream is full: %v", err))
	default:
		l.logger.Warn("cannot append to the stream", "changes", len(owners), "err", err)
		l.answerAll(owners, refuse(CodeUnavailable, "the stream is not available: %v", err))
	}
	return rest
}

// caughtUp waits until the store has what the stream has now, and returns the
// changes, to be judged again. If the stream does not tell, those whose time is
// not over wait on.
func (l *Committer) caughtUp(ctx context.Context, batch []*pending) []*pending {
	if len(batch) == 0 {
		return nil
	}
	_, err := l.bus.CatchUp(ctx)
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.Canceled):
		l.answerAll(batch, refuse(CodeUnavailable, "the gateway is stopping"))
		return nil
	default:
		l.logger.Debug("cannot catch up with the stream", "changes", len(batch), "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(retryPause):
		}
	}
	return batch
}

func (l *Committer) answerAll(batch []*pending, err error) {
	for _, p := range batch {
		l.answer(p, err)
	}
}

// answer hands the verdict over and frees the place of the change.
func (l *Committer) answer(p *pending, err error) {
	l.held.give(p.bytes)
	<-l.room
	p.done(err)
}
