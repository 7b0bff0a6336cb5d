package client

import (
	"errors"
	"testing"
	"time"
)

func TestRoundsAskInOrder(t *testing.T) {
	start := time.Now()
	r := newRounds(start.Add(9*time.Second), "a", "b", "c")
	ask := func(now time.Duration, want int, wantAt, wantFor time.Duration) {
		t.Helper()
		which, from, ok := r.next(start.Add(now))
		if !ok || which != want || from.Sub(start) != wantAt {
			t.Fatalf("after %s: got %d at %s, %t, want %d at %s", now, which, from.Sub(start), ok, want, wantAt)
		}
		if got := r.patience(which, from); got != wantFor {
			t.Fatalf("after %s: got patience of %s, want %s", now, got, wantFor)
		}
	}
	later, no := start.Add, errors.New("no")
	ask(0, 0, 0, 3*time.Second)
	r.failed(0, start, no, 0) // refused at once
	ask(0, 1, 0, 9*time.Second/2)
	r.failed(1, later(4500*time.Millisecond), no, 0) // has not answered
	ask(4500*time.Millisecond, 2, 4500*time.Millisecond, 4500*time.Millisecond)
	r.failed(2, later(4500*time.Millisecond), no, 3*time.Second) // told when
	ask(4500*time.Millisecond, 0, 4500*time.Millisecond, 1500*time.Millisecond)
	r.failed(0, later(4500*time.Millisecond), no, 0)
	ask(4500*time.Millisecond, 1, 4700*time.Millisecond, 2150*time.Millisecond)
	r.giveUp(1, no)
	ask(4700*time.Millisecond, 0, 4900*time.Millisecond, 2050*time.Millisecond)
	r.failed(0, later(5*time.Second), no, time.Minute) // too late for us
	ask(5*time.Second, 2, 7500*time.Millisecond, 1500*time.Millisecond)
	r.giveUp(2, no)
	if which, _, ok := r.next(later(5 * time.Second)); ok {
		t.Errorf("still asks %d", which)
	}
	if got, want := r.reasons(), "a: no (the last of 3 tries); b: no (the last of 2 tries); c: no (the last of 2 tries)"; got != want {
		t.Errorf("got %s", got)
	}
}

// One address alone has all the time there is, and the pauses get so short at
// the end that none of it is left unused.
func TestRoundsOfOneAddress(t *testing.T) {
	start := time.Now()
	r := newRounds(start.Add(10*time.Second), "a")
	now, tries := start, 0
	for {
		_, from, ok := r.next(now)
		if !ok {
			break
		}
		if got, want := r.patience(0, from), r.deadline.Sub(from); got != want {
			t.Errorf("after %s: got patience of %s, want %s", from.Sub(start), got, want)
		}
		tries++
		now = from
		r.failed(0, now, errors.New("no"), 0)
	}
	if now.Sub(start) < 9900*time.Millisecond || tries > 25 {
		t.Errorf("given up after %s and %d tries", now.Sub(start), tries)
	}
}

func TestRoundsBoundPatience(t *testing.T) {
	start := time.Now()
	r := newRounds(start.Add(1500*time.Millisecond), "a", "b", "c")
	if got := r.patience(0, start); got != minAttempt {
		t.Errorf("got %s", got)
	}
	if got := r.patience(0, start.Add(time.Second)); got != 500*time.Millisecond {
		t.Errorf("got %s", got)
	}
}
