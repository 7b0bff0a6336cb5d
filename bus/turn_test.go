package bus

import (
	"context"
	"testing"
	"time"
)

func TestWhoHasWaitedLongerGoesFirst(t *testing.T) {
	now := time.Now()
	turns := newTurns("me")
	turns.begin(now)
	turns.note("newer 1000", now.Add(time.Millisecond))
	for _, nonsense := range []string{"", "x", "x -1", "x y", "me 99999999999"} {
		turns.note(nonsense, now)
	}
	if changed, _ := turns.first(now); changed != nil {
		t.Error("waits for somebody who has not waited longer")
	}
	turns.note("older 5000000000", now)
	changed, until := turns.first(now)
	if changed == nil || until.Sub(now) != turnPatience {
		t.Fatalf("does not wait for who has waited longer: until %s", until)
	}
	turns.seen("other.1")
	turns.seen("older.17")
	select {
	case <-changed:
	default:
		t.Error("is not told that the other one has had his turn")
	}
	if changed, _ := turns.first(now); changed != nil {
		t.Error("waits for who has had his turn")
	}
	turns.note("dead 5000000000", now)
	if changed, _ := turns.first(now.Add(turnPatience)); changed != nil {
		t.Error("waits for who does nothing with his turn")
	}
}

func TestATurnIsNotAwaitedForEver(t *testing.T) {
	b := &Bus{turns: newTurns("me")}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			b.turns.note("dead 3600000000000", time.Now())
			time.Sleep(time.Millisecond) // the pace of one who keeps asking
		}
	}()
	within(t, "somebody asks", func() bool {
		b.turns.mu.Lock()
		defer b.turns.mu.Unlock()
		return len(b.turns.asked) > 0
	})
	b.AwaitTurn(context.Background())
	cancel()
	<-ended
}
