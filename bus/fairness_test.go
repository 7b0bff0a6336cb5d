package bus

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhoHasWaitedLongerGoesFirst(t *testing.T) {
	now := time.Now()
	f := newFairness("me")
	f.begin(now)
	f.note("newer 1000", now.Add(time.Millisecond))
	for _, nonsense := range []string{"", "x", "x -1", "x y", "me 99999999999"} {
		f.note(nonsense, now)
	}
	if changed, _ := f.first(now); changed != nil {
		t.Error("waits for somebody who has not waited longer")
	}
	f.note("older 5000000000", now)
	changed, until := f.first(now)
	if changed == nil || until.Sub(now) != turnPatience {
		t.Fatalf("does not wait for who has waited longer: until %s", until)
	}
	f.seen("other.1")
	f.seen("older.17")
	select {
	case <-changed:
	default:
		t.Error("is not told that the other one has had his turn")
	}
	if changed, _ := f.first(now); changed != nil {
		t.Error("waits for who has had his turn")
	}
	f.note("dead 5000000000", now)
	if changed, _ := f.first(now.Add(turnPatience)); changed != nil {
		t.Error("waits for who does nothing with his turn")
	}
}

func TestATurnIsNotAwaitedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Bus{fairness: newFairness("me")}
		ctx, cancel := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		asking.Go(func() {
			for ctx.Err() == nil {
				b.fairness.note("dead 3600000000000", time.Now())
				time.Sleep(time.Millisecond)
			}
		})
		synctest.Wait() // it has asked once
		begun := time.Now()
		b.AwaitTurn(t.Context())
		if waited := time.Since(begun); waited < 2*turnPatience || waited > 4*turnPatience {
			t.Errorf("waited for %s, want about %s", waited, 2*turnPatience)
		}
		cancel()
		asking.Wait()
	})
}
