package client

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// rounds says which of several addresses is asked next, when, and for how long.
// All are asked in the order given before one is asked again.
type rounds struct {
	deadline time.Time
	places   []place
}

// place is one address.
type place struct {
	name  string
	tries int
	due   time.Time // not to be asked before; zero is at once
	gone  bool      // never to be asked again
	err   error     // of the last try
}

func newRounds(deadline time.Time, names ...string) *rounds {
	r := &rounds{deadline: deadline}
	for _, name := range names {
		r.places = append(r.places, place{name: name})
	}
	return r
}

// next returns the address to ask, and from when on. Among those that are due
// it is the one that has been asked the least. ok is false if none is due before
// the time is over.
func (r *rounds) next(now time.Time) (which int, from time.Time, ok bool) {
	for i, p := range r.places {
		due := later(p.due, now)
		if p.gone || !due.Before(r.deadline) {
			continue
		}
		if !ok || due.Before(from) || due.Equal(from) && p.tries < r.places[which].tries {
			which, from, ok = i, due, true
		}
	}
	return which, from, ok
}

// patience is how long an attempt may take: an equal part of the time that is
// left for each address that has not been asked as often, so that one which
// hangs does not take the others' time. The last one gets all that is left.
func (r *rounds) patience(which int, now time.Time) time.Duration {
	left := r.deadline.Sub(now)
	waiting := 0
	for _, p := range r.places {
		if !p.gone && p.tries <= r.places[which].tries && later(p.due, now).Before(r.deadline) {
			waiting++
		}
	}
	return min(left, max(left/time.Duration(max(waiting, 1)), minAttempt))
}

// failed notes why an attempt came to nothing, and when the address may be asked
// again: after retryAfter, or where that is 0 after a pause that grows, though
// not beyond the time that is left.
func (r *rounds) failed(which int, now time.Time, err error, retryAfter time.Duration) {
	p := &r.places[which]
	if retryAfter == 0 {
		retryAfter = min(firstPause<<min(p.tries, 10), maxPause, max(r.deadline.Sub(now)/2, lastPause))
	}
	p.tries++
	p.due, p.err = now.Add(retryAfter), err
}

// giveUp notes that an address must not be asked again.
func (r *rounds) giveUp(which int, err error) {
	r.places[which].gone, r.places[which].err = true, err
	r.places[which].tries++
}

// reasons has the last failure of each address, in one line.
func (r *rounds) reasons() string {
	var parts []string
	for _, p := range r.places {
		switch {
		case p.err == nil:
			parts = append(parts, p.name+": not asked")
		case p.tries > 1:
			parts = append(parts, fmt.Sprintf("%s: %v (the last of %d tries)", p.name, p.err, p.tries))
		default:
			parts = append(parts, fmt.Sprintf("%s: %v", p.name, p.err))
		}
	}
	return strings.Join(parts, "; ")
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sleepUntil waits, and returns the cause if ctx ends first.
func sleepUntil(ctx context.Context, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
