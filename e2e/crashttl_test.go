package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"sluice/e2e/testkit"
)

const (
	ttlRounds  = 7 // by default
	ttlWorkers = 6
)

// TestCrashKeepsTimesToLive kills the gateway at random moments while workers push with
// random times to live, send pushes that are refused, and delete. Scrapes go on all the
// time, also while a gateway starts. Each scrape before the end of its time to live
// shows an acknowledged push, and no scrape a little after it. No scrape shows a group
// whose time to live was over before the gateway started.
func TestCrashKeepsTimesToLive(t *testing.T) {
	t.Parallel()
	rounds := intSetting(t, "E2E_ROUNDS", ttlRounds)
	chance := newRand(t)
	s := newSite(t)
	l := newLeases(t, ttlWorkers*groupsPerHand)
	t.Cleanup(func() { s.record("history.txt", strings.Join(l.history, "\n")) })
	workers := make([]*leaseWorker, ttlWorkers)
	for i := range workers {
		workers[i] = &leaseWorker{leases: l, number: i, chance: rand.New(rand.NewPCG(chance.Uint64(), uint64(i)))}
	}
	flags := []string{"--bus.listen=127.0.0.1:0", "--group.forget-after=" + leaseForget.String()}
	var watching sync.WaitGroup
	launch := func() *sluice {
		l.begin()
		g := s.launch(flags...)
		watching.Go(func() { l.watch(g) })
		return g
	}
	start := func() *sluice {
		g := launch()
		if err := g.WaitReady(t.Context(), s.client, g.url); err != nil {
			t.Fatal(err)
		}
		return g
	}
	kill := func(g *sluice) {
		g.kill()
		watching.Wait()
		l.resolve()
	}

	// A busy machine needs more rounds until enough was seen.
	for round := 0; round < rounds || round < 10*rounds && !l.worked(); round++ {
		g := start()
		stop, working := leaseRound(g, workers)
		time.Sleep(time.Duration(300+chance.IntN(900)) * time.Millisecond)
		kill(g)
		close(stop)
		working.Wait()
		l.resolve() // what the last of them had sent
		switch chance.IntN(3) {
		case 0: // away for long enough that times to live are over meanwhile
			time.Sleep(time.Duration(500+chance.IntN(1500)) * time.Millisecond)
		case 1: // once more, in the middle of a replay or of the first expiries
			g = launch()
			time.Sleep(time.Duration(chance.IntN(200)) * time.Millisecond)
			kill(g)
		}
		if t.Failed() {
			t.Fatalf("in round %d", round+1)
		}
	}

	// Nobody pushes any more. In the end only groups without a time to live are left.
	g := start()
	last := l.lastScrape()
	testkit.Within(t, 2*time.Minute, "all other groups have expired, and were scraped after that", func() bool {
		return l.lastScrape().After(last) && l.allOver(l.lastScrape()) && l.judged()
	})
	kill(g)
	l.report()
}

// leaseRound lets the workers work until stop is closed or the gateway has gone.
func leaseRound(g *sluice, workers []*leaseWorker) (stop chan struct{}, working *sync.WaitGroup) {
	g.t.Helper()
	stop, working = make(chan struct{}), new(sync.WaitGroup)
	natsURL := g.natsURL()
	for _, w := range workers {
		push := w.overHTTP(g)
		if w.number%3 == 2 {
			conn, err := nats.Connect(natsURL, nats.NoReconnect())
			if err != nil {
				g.t.Fatal(err)
			}
			g.t.Cleanup(conn.Close)
			push = w.overNATS(conn)
		}
		working.Go(func() { w.work(push, stop) })
	}
	return stop, working
}

// A leaseWorker is the only one that changes its groups.
type leaseWorker struct {
	leases *leases
	number int
	chance *rand.Rand
}

// pusher sends one push or delete, with a time to live unless it is 0.
type pusher func(method, key, body string, ttl time.Duration) (verdict, error)

func (w *leaseWorker) overHTTP(g *sluice) pusher {
	return func(method, key, body string, ttl time.Duration) (verdict, error) {
		if ttl != 0 {
			key += "?ttl=" + ttl.String()
		}
		return overHTTP{g}.send(method, key, body)
	}
}

func (w *leaseWorker) overNATS(conn *nats.Conn) pusher {
	return func(method, key, body string, ttl time.Duration) (verdict, error) {
		if ttl != 0 {
			return overNATS{conn}.send(method, key, body, "Nats-TTL", ttl.String())
		}
		return overNATS{conn}.send(method, key, body)
	}
}

// work sends operations until one gets no verdict. It pauses between them, or no group
// would reach the end of its time to live.
func (w *leaseWorker) work(push pusher, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(20+w.chance.IntN(100)) * time.Millisecond):
		}
		group := w.number*groupsPerHand + w.chance.IntN(groupsPerHand)
		ttl := time.Duration(1000+w.chance.IntN(3000)) * time.Millisecond
		op := "PUT"
		switch n := w.chance.IntN(20); {
		case n < 2:
			op, ttl = "DELETE", 0
		case n < 6:
			op = opRefused
		case n < 8: // no time to live
			ttl = 0
		case n < 14:
			op = "POST"
		}
		if !w.leases.change(op, group, ttl, push) {
			return
		}
	}
}

// opRefused is a push that is refused. The group keeps its time to live, whatever the
// push asks for.
const opRefused = "REFUSED"

// leaseBody is the body of a push, with a value that no other push has. The body of a
// push to be refused has a timestamp.
func leaseBody(op string, value int64) string {
	switch op {
	case "DELETE":
		return ""
	case opRefused:
		return fmt.Sprintf("%s %d 1000\n", leaseFamily, value)
	}
	return fmt.Sprintf("%s %d\n", leaseFamily, value)
}
