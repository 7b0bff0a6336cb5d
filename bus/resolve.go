package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// askAgain is the wait until a stream that does not answer, or does so in an
// unknown way, is tried again.
const askAgain = 50 * time.Millisecond

// askPatience is how long one question to the stream may take. A new leader
// does not hear what was asked before it was elected.
const askPatience = time.Second

// patience is how long one request may take that is made again if it fails.
func (b *Bus) patience() time.Duration {
	if b.quorum.watched {
		return askPatience
	}
	return b.cfg.ConnectTimeout
}

// resolve finds out what has become of a chunk whose answers are missing. It
// returns settled, or that the rest must be published again, which is safe: the
// stream still ends right before it, so it has not landed, and the expectation of
// each message lets at most one copy of it land.
func (b *Bus) resolve(ctx context.Context, c *chunk) (settled bool, err error) {
	if settled, err := b.inSight(c); settled { // most conflicts are, without a question
		return true, err
	}
	last, err := b.askLast(ctx)
	if err != nil {
		return true, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	switch {
	case last == c.next(), last < c.next() && b.clustered():
		return false, nil // in a cluster a former leader may say less than there is
	case last < c.next():
		return true, fmt.Errorf("%w: it ends at %d", ErrConflict, last)
	}
	// Something stands where the next message belongs. What, the follower sees.
	if err := b.catchUpTo(ctx, last); err != nil {
		return true, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if settled, err := b.inSight(c); settled {
		return true, err
	}
	if c.next() == last {
		return false, nil
	}
	// What stands there was replaced before it came. If it was ours, something has
	// replaced it that is in the stream by now.
	now, err := b.askLast(ctx)
	if err == nil {
		err = b.catchUpTo(ctx, now)
	}
	if err == nil && now >= last && c.landed == 0 && b.progress.untouched() {
		return true, ErrConflict
	}
	return true, fmt.Errorf("%w: event %d was replaced before anybody could see whose it was", ErrUnavailable, c.next()+1)
}

// inSight tells whether what has been seen of the stream settles what has become of
// a chunk: all of it has landed, or something else has the next place.
func (b *Bus) inSight(c *chunk) (settled bool, err error) {
	landed, bounded := b.progress.sighted(c.landed)
	if landed > 0 && b.clustered() {
		landed = len(c.messages) // an atomic batch, or one message
	}
	c.landed = landed
	switch {
	case landed == len(c.messages):
		return true, nil
	case bounded:
		return true, ErrConflict
	}
	return false, nil
}

// askLast asks for the last sequence of the stream until it is told.
func (b *Bus) askLast(ctx context.Context) (uint64, error) {
	for {
		info, err := b.streamInfo(ctx)
		if err == nil {
			return info.State.LastSeq, nil
		}
		if !unanswered(err) && ctx.Err() == nil {
			b.limited.Warn("cannot ask for the last sequence of the stream", "err", err)
		}
		if !pause(ctx, askAgain) {
			return 0, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// unanswered tells whether a question to the stream has failed since nobody was there
// to answer it, or nobody did in time.
func unanswered(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded)
}

// pause waits, and returns false if ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
