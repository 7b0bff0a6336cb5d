package bus

import (
	"context"
	"fmt"
)

// resolve finds out what has become of a chunk whose answers are missing. It
// returns settled, or that the rest must be published again, which is safe: the
// stream still ends right before it, so it has not landed, and the expectation of
// each message lets at most one copy of it land.
func (a *appender) resolve(ctx context.Context, c *chunk) (settled bool, err error) {
	if settled, err := a.inSight(c); settled { // most conflicts are, without a question
		return true, err
	}
	last, err := a.askLast(ctx)
	if err != nil {
		return true, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	switch {
	case last == c.next(), last < c.next() && a.clustered():
		return false, nil // in a cluster a former leader may say less than there is
	case last < c.next():
		return true, fmt.Errorf("%w: it ends at %d", ErrConflict, last)
	}
	// Something stands where the next message belongs. What, the follower sees.
	if err := a.catchUpTo(ctx, last); err != nil {
		return true, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if settled, err := a.inSight(c); settled {
		return true, err
	}
	if c.next() == last {
		return false, nil
	}
	// What stands there was replaced before it came. If it was ours, something has
	// replaced it that is in the stream by now.
	now, err := a.askLast(ctx)
	if err == nil {
		err = a.catchUpTo(ctx, now)
	}
	if err == nil && now >= last && c.landed == 0 && a.progress.untouched() {
		return true, ErrConflict
	}
	return true, fmt.Errorf("%w: event %d was replaced before anybody could see whose it was", ErrUnavailable, c.next()+1)
}

// inSight tells whether what has been seen of the stream settles what has become of
// a chunk: all of it has landed, or something else has the next place.
func (a *appender) inSight(c *chunk) (settled bool, err error) {
	landed, bounded := a.progress.sighted(c.landed)
	if landed > 0 && a.clustered() {
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
