package bus

import (
	"context"
	"testing"
	"time"

	"sluice/e2e/testkit"
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
	b := &Bus{fairness: newFairness("me")}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			b.fairness.note("dead 3600000000000", time.Now())
			time.Sleep(time.Millisecond) // the pace of one who keeps asking
		}
	}()
	testkit.Eventually(t, "somebody asks", func() bool {
		b.fairness.mu.Lock()
		defer b.fairness.mu.Unlock()
		return len(b.fairness.asked) > 0
	})
	b.AwaitTurn(context.Background())
	cancel()
	<-ended
}
