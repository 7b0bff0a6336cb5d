package bus

import (
	"context"
	"sync"
	"time"

	"sluice/bus/event"
)

// progress is how far the store has come, which others wait for.
type progress struct {
	mu      sync.Mutex
	applied uint64
	last    uint64        // last sequence of the stream that anybody has told
	newest  uint64        // last sequence that has been seen in the stream
	ready   bool          // a replay has caught up
	changed chan struct{} // closed by the next change; nil if nobody waits
	watched *watch
}

// A watch notes which sequences of a batch have been seen in the stream. The
// events of a batch can land one behind the other only, so each has one place.
type watch struct {
	after   uint64
	ids     []string
	subject string
	ours    []bool // the event at this place is ours
	other   bool   // an event that is not ours has a place of the batch
	first   int    // the first such place
	// replaced tells that an event behind the batch has the subject of its first
	// one, or a wipe's: if that has landed, it may have been removed by it.
	replaced bool
}

// know notes a last sequence of the stream.
func (p *progress) know(last uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = max(p.last, last)
}

// known returns the last sequence of the stream that anybody has told.
func (p *progress) known() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// advance notes that the store has applied a sequence.
func (p *progress) advance(applied uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.applied = max(p.applied, applied)
	p.last = max(p.last, applied)
	p.wake()
}

// reset begins with a stream that may be another one.
func (p *progress) reset(applied, last uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.applied, p.last, p.newest = applied, last, 0
	p.wake()
}

// setReady notes that a replay has caught up.
func (p *progress) setReady() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready = true
	p.wake()
}

// wake releases all that wait. The lock is held.
func (p *progress) wake() {
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// reached returns nil if the store has applied seq, else a channel that is
// closed by the next change.
func (p *progress) reached(seq uint64) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.applied >= seq {
		return nil
	}
	return p.next()
}

// isReady returns nil if a replay has caught up, else a channel that is closed
// by the next change.
func (p *progress) isReady() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ready {
		return nil
	}
	return p.next()
}

// next returns the channel of the next change. The lock is held.
func (p *progress) next() <-chan struct{} {
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return p.changed
}

// watch begins to note what is seen of a batch, of which nothing has been published
// yet, and ends it for the one before. subject is that of its first event.
func (p *progress) watch(after uint64, ids []string, subject string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watched = &watch{after: after, ids: ids, subject: subject, ours: make([]bool, len(ids))}
	// If something stands at its place already, it is not ours.
	p.watched.other = p.newest > after || p.applied > after
}

// seen notes the id and the subject of the event at a sequence.
func (p *progress) seen(seq uint64, id, subject string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.newest = max(p.newest, seq)
	w := p.watched
	if w == nil || seq <= w.after {
		return
	}
	if i := seq - w.after - 1; i >= uint64(len(w.ids)) || w.ids[i] != id {
		w.replaced = w.replaced || subject == w.subject || event.IsWipe(subject)
	}
	if seq > w.after+uint64(len(w.ids)) {
		return
	}
	i := int(seq - w.after - 1)
	if w.ids[i] == id {
		w.ours[i] = true
	} else if !w.other || i < w.first {
		w.other, w.first = true, i
	}
}

// sighted returns how many events of the watched batch have landed: as many as
// are known to, or all up to the last one that was seen. bounded tells that the
// place behind these has another event, so that they are all.
func (p *progress) sighted(known int) (landed int, bounded bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.watched
	landed = known
	for i := len(w.ours); i > landed; i-- {
		if w.ours[i-1] {
			landed = i
		}
	}
	return landed, w.other && w.first == landed
}

// untouched tells that nothing has been seen behind a batch that could have removed
// its first event.
func (p *progress) untouched() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.watched.replaced
}

// Applied returns the sequence up to which the store has applied the stream.
func (b *Bus) Applied() uint64 {
	b.progress.mu.Lock()
	defer b.progress.mu.Unlock()
	return b.progress.applied
}

// Wait blocks until the store has applied the event at seq. It fails with the
// cause of ctx, or with ErrClosed.
func (s *stream) Wait(ctx context.Context, seq uint64) error {
	return s.await(ctx, func() <-chan struct{} { return s.progress.reached(seq) })
}

// WaitReady blocks until a replay has caught up for the first time. It fails
// with the cause of ctx, or with ErrClosed.
func (b *Bus) WaitReady(ctx context.Context) error {
	return b.await(ctx, b.progress.isReady)
}

// await waits until check returns nil.
func (s *stream) await(ctx context.Context, check func() <-chan struct{}) error {
	for {
		changed := check()
		if changed == nil {
			return nil
		}
		select {
		case <-changed:
		case <-s.life.Done():
			return ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// holePatience is how long CatchUp waits for an event before it asks whether it
// can come at all. Events come within a millisecond.
const holePatience = 50 * time.Millisecond

// CatchUp asks for the stream's last sequence, blocks until the store has
// applied it, and returns it. Where the last events of the stream cannot be
// read it does not wait for them: the store steps over the hole. It fails with
// the cause of ctx, with ErrClosed, or if the stream does not answer.
func (b *Bus) CatchUp(ctx context.Context) (uint64, error) {
	last, err := b.askLast(ctx)
	if err != nil {
		return 0, streamError(err)
	}
	return last, b.catchUpTo(ctx, last)
}

// catchUpTo blocks until the store has applied a sequence of which the stream
// says that it is there.
func (s *stream) catchUpTo(ctx context.Context, last uint64) error {
	for {
		patient, cancel := context.WithTimeout(ctx, holePatience)
		err := s.Wait(patient, last)
		cancel()
		if err == nil || ctx.Err() != nil || s.life.Err() != nil {
			return err
		}
		select {
		case s.nudges <- last:
		default: // one is waiting already
		}
	}
}
