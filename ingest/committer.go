package ingest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sluice/bus"
	"sluice/store"
)

const (
	// maxBatch bounds the changes that are judged and appended together. An atomic
	// batch takes 1,000 messages; more than a few hundred gain nothing.
	maxBatch = 512
	// maxBatchBytes bounds the bytes of a batch in flight.
	maxBatchBytes = 8 << 20
	// retryPause is the pause before a stream that does not answer is asked again.
	retryPause = 100 * time.Millisecond
	// hangupGrace is how long a change may wait after its client has hung up. Clients
	// that have given up push again, perhaps to another gateway, and a late commit
	// would overwrite the newer push. Their timeouts are seldom shorter than this.
	hangupGrace = 3 * time.Second
)

// Committer commits changes. One goroutine takes all changes that wait, judges them
// one after another, and appends the resulting events to the stream as one
// compare-and-swap. If another gateway came first it judges them again. A change is
// answered when the store has applied its event. Submit, Enqueue and Ping are safe
// for concurrent use.
type Committer struct {
	bus         *bus.Bus
	store       *store.Store
	logger      *slog.Logger
	metrics     *Metrics
	wait        time.Duration
	forgetAfter time.Duration
	queue       chan *pending
	slots       chan struct{} // one for each push that waits
	held        budget        // of the families of the pushes that wait
	pings       chan struct{} // from Ping
	ended       chan struct{} // closed when Run has returned
	freezes     freezeDetector
}

// CommitterConfig has the settings of a Committer.
type CommitterConfig struct {
	// Wait is how long a change may take from its submission to its verdict.
	Wait time.Duration
	// ForgetAfter is how long a group that has expired is remembered.
	ForgetAfter time.Duration
	// MaxWaiting is how many changes may wait for their verdict.
	MaxWaiting int
	// MaxWaitingBytes bounds their memory in bytes; 0 is no limit.
	MaxWaitingBytes int64
}

// NewCommitter returns a committer that does nothing until Run.
func NewCommitter(b *bus.Bus, s *store.Store, cfg CommitterConfig, logger *slog.Logger, m *Metrics) *Committer {
	return &Committer{
		bus: b, store: s, logger: logger, metrics: m,
		wait:        cfg.Wait,
		forgetAfter: cfg.ForgetAfter,
		queue:       make(chan *pending, cfg.MaxWaiting),
		slots:       make(chan struct{}, cfg.MaxWaiting),
		held:        budget{limit: cfg.MaxWaitingBytes},
		pings:       make(chan struct{}),
		ended:       make(chan struct{}),
	}
}

// Submit asks for a change and blocks until its verdict: nil if it is in the stream
// and visible, else an *Error. That takes no longer than the configured wait. The
// end of ctx means that the client has hung up, as for Enqueue.
func (c *Committer) Submit(ctx context.Context, change Change) error {
	verdict := make(chan error, 1)
	if err := c.Enqueue(ctx, change, func(err error) { verdict <- err }); err != nil {
		return err
	}
	select {
	case err := <-verdict:
		return err
	case <-c.ended:
	}
	select {
	case err := <-verdict: // whatever was judged has its verdict by now
		return err
	default:
		return refuse(CodeUnavailable, "the gateway is stopping")
	}
}

// Enqueue asks for a change and returns at once. If it returns nil, done is called
// exactly once with the verdict, by the goroutine of the committer. done must not
// block. A change whose time is over before it is judged is dropped.
//
// The end of ctx means that the client has hung up. It does not mean that nobody
// listens: a client may close its own side of the connection as soon as its request
// is complete (RFC 9112, section 9.6), and net/http ends the context of a request
// then. So the change is judged all the same, unless it has waited for long.
func (c *Committer) Enqueue(ctx context.Context, change Change, done func(error)) error {
	if err := c.ready(change.Op); err != nil {
		return err
	}
	select {
	case c.slots <- struct{}{}:
	default:
		return refuse(CodeBusy, "%d pushes are waiting already (--push.max-waiting)", cap(c.slots))
	}
	size := int64(change.size())
	if !c.held.reserve(size, 0) {
		<-c.slots
		return tooManyBytes(c.held.limit)
	}
	c.metrics.waiting.Inc()
	c.metrics.waitingBytes.Add(float64(size))
	c.queue <- &pending{Change: change, ctx: ctx, deadline: time.Now().Add(c.wait), done: done, bytes: size} // does not block: the queue is as long as there are slots
	return nil
}

// ready refuses changes until the replay is complete, and during an import, which
// only a wipe may end.
func (c *Committer) ready(op store.Op) error {
	if status := c.bus.Status(); !status.Ready {
		if status.Waiting != "" {
			return refuse(CodeNotReady, "not ready: %s", status.Waiting)
		}
		return refuse(CodeNotReady, "not ready: replaying the stream, %d of %d events", status.ReplayDone, status.ReplayTotal)
	}
	if begun, _ := c.store.Importing(); begun != 0 && op != store.OpWipe {
		return errImporting()
	}
	return nil
}

func errImporting() error {
	return refuse(CodeNotReady, "not ready: the import of a persistence file is not complete")
}

// Run commits changes until ctx ends. It refuses those that are queued then, and
// returns nil.
func (c *Committer) Run(ctx context.Context) error {
	defer close(c.ended)
	var detector sync.WaitGroup
	detectorCtx, stop := context.WithCancel(ctx)
	detector.Go(func() { c.freezes.run(detectorCtx) })
	defer detector.Wait()
	defer stop()
	for {
		select {
		case first := <-c.queue:
			c.decide(ctx, c.collect(first))
		case <-c.pings:
		case <-ctx.Done():
			for {
				select {
				case p := <-c.queue:
					c.answer(p, refuse(CodeUnavailable, "the gateway is stopping"))
				default:
					return nil
				}
			}
		}
	}
}

// collect takes the changes that wait behind the first one: group commit.
func (c *Committer) collect(first *pending) []*pending {
	batch := append(make([]*pending, 0, 64), first)
	bytes := first.size()
	for len(batch) < maxBatch && bytes < maxBatchBytes {
		select {
		case p := <-c.queue:
			batch = append(batch, p)
			bytes += p.size()
		default:
			return batch
		}
	}
	return batch
}

// decide brings every change of a batch to its verdict. No attempt lasts beyond the
// earliest deadline of the batch.
func (c *Committer) decide(ctx context.Context, batch []*pending) {
	for {
		if c.freezes.recently(time.Now()) {
			pause(ctx, hangupPause) // until hangups during the freeze are seen
		}
		batch = c.dropAbandoned(batch)
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
		batch = c.commit(attemptCtx, batch)
		cancel()
	}
}

// dropAbandoned refuses the changes whose client has gone or whose time is over, so
// that they cost the others nothing.
func (c *Committer) dropAbandoned(batch []*pending) []*pending {
	now := time.Now()
	kept := batch[:0]
	for _, p := range batch {
		switch {
		case c.isAbandoned(p, now):
			c.metrics.abandoned.Inc()
			c.answer(p, refuse(CodeUnavailable, "nobody waits for this push any more").withReason(reasonGone))
		case now.After(p.deadline):
			c.answer(p, refuse(CodeUnavailable, "no verdict within %s (--push.wait): the stream does not answer", c.wait))
		default:
			kept = append(kept, p)
		}
	}
	return kept
}

// isAbandoned tells whether the client of a change has hung up and has probably
// pushed again since: the change has waited for long, or over a freeze, in which
// nobody knows how long it has waited.
func (c *Committer) isAbandoned(p *pending, now time.Time) bool {
	if p.ctx.Err() == nil {
		return false
	}
	waited := now.Sub(p.deadline.Add(-c.wait))
	return waited > hangupGrace || c.freezes.recently(now)
}
