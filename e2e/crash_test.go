package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	crashRounds   = 20 // by default, and the least that says something
	crashWorkers  = 6
	groupsPerHand = 25
)

// TestCrashLosesNothing kills the gateway at random moments while workers push, merge
// and delete over HTTP and NATS. After each restart the scrape must show what was
// acknowledged: nothing is lost, undone or resurrected. The one operation of each
// worker that got no verdict is either in effect as a whole or not at all.
func TestCrashLosesNothing(t *testing.T) {
	rounds := intSetting(t, "E2E_ROUNDS", crashRounds)
	chance := newRand(t)
	s := newSite(t)
	workers := make([]*crashWorker, crashWorkers)
	for i := range workers {
		workers[i] = newCrashWorker(i, rand.New(rand.NewPCG(chance.Uint64(), uint64(i))))
	}
	t.Cleanup(func() {
		for _, w := range workers {
			s.record(fmt.Sprintf("history-%d.txt", w.number), strings.Join(w.history, "\n"))
		}
	})

	start := time.Now()
	g := s.start("--bus.listen=127.0.0.1:0")
	for round := range rounds {
		idle := crashRound(g, workers, time.Duration(20+chance.IntN(600))*time.Millisecond)
		if chance.IntN(4) == 0 { // once more, in the middle of a replay
			g = s.launch("--bus.listen=127.0.0.1:0")
			time.Sleep(time.Duration(chance.IntN(100)) * time.Millisecond)
			g.kill()
		}
		g = s.start("--bus.listen=127.0.0.1:0")
		e := g.scrape()
		s.record("scrape-after-restart.txt", strings.Join(e.pushed(), "\n"))
		compareCrash(t, e, workers, idle)
		if t.Failed() {
			t.Fatalf("in round %d of %d", round+1, rounds)
		}
	}
	acknowledged, open := 0, 0
	for _, w := range workers {
		acknowledged += w.acknowledged
		open += w.unanswered
	}
	t.Logf("%d rounds in %s: %d operations acknowledged, %d cut off by a crash", rounds, time.Since(start), acknowledged, open)
	if acknowledged < rounds*crashWorkers {
		t.Errorf("only %d acknowledged operations prove nothing", acknowledged)
	}
}

// crashRound runs the workers for a time and kills the gateway. It returns the push
// times of the groups that no worker has changed.
func crashRound(g *sluice, workers []*crashWorker, after time.Duration) map[string]string {
	g.t.Helper()
	before := g.scrape()
	natsURL := g.natsURL()
	var working sync.WaitGroup
	for _, w := range workers {
		var via transport = overHTTP{g}
		if w.number%3 == 2 {
			conn, err := nats.Connect(natsURL, nats.NoReconnect())
			if err != nil {
				g.t.Fatal(err)
			}
			defer conn.Close()
			via = overNATS{conn}
		}
		working.Go(func() { w.work(via) })
	}
	time.Sleep(after)
	g.kill()
	working.Wait()

	idle := map[string]string{}
	for _, w := range workers {
		for i := range w.groups {
			if pushed := series("push_time_seconds", crashJob, w.instance(i)); !w.touched[i] {
				idle[pushed] = before.samples[pushed]
			}
		}
	}
	return idle
}

// compareCrash compares a scrape with what the workers expect. It tells them which of
// the operations without a verdict are in effect.
func compareCrash(t *testing.T, e exposition, workers []*crashWorker, idle map[string]string) {
	t.Helper()
	for pushed, at := range idle {
		if e.samples[pushed] != at {
			t.Errorf("%s is %q, was %q, and the group was not touched", pushed, e.samples[pushed], at)
		}
	}
	known := 0
	for _, w := range workers {
		for i := range w.groups {
			shown := shownState(e, w.instance(i))
			if !w.resolve(i, shown) {
				t.Errorf("group %s shows %v, acknowledged is %v, without verdict is %v", w.instance(i), shown, w.groups[i], w.pending)
			}
			if shown != nil {
				known++
			}
		}
		w.pending = nil
	}
	groups := 0
	for line := range e.samples {
		if strings.HasPrefix(line, "push_time_seconds{") {
			groups++
		}
	}
	if groups != known {
		t.Errorf("%d groups are shown, %d of them are known", groups, known)
	}
}

// shownState reads a group's state from a scrape.
func shownState(e exposition, instance string) groupState {
	if _, exists := e.value(series("push_time_seconds", crashJob, instance)); !exists {
		return nil
	}
	state := groupState{}
	for _, family := range crashFamilies {
		if n, shown := e.value(series(family, crashJob, instance)); shown {
			state[family] = n
		}
	}
	return state
}
