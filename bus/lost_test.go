package bus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"sluice/e2e/testkit"
	"sluice/store"
)

func TestALostAcknowledgementIsFoundOut(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.Addr().String())
	g := startGateway(t, Config{URL: p.url(), PublishTimeout: patience})
	g.push(t, testkit.Put("/job/a", 1))
	f := func(name string, during func()) {
		t.Helper()
		var unkind sync.WaitGroup
		unkind.Go(during)
		before := g.store.Sequence()
		seqs, err := g.Append(context.Background(), before, manyPuts(10, 0))
		unkind.Wait()
		if err != nil || len(seqs) != 10 || seqs[9] != before+10 {
			t.Errorf("%s: got %v, %v", name, seqs, err)
		}
		if _, err := g.CatchUp(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	p.mute.Store(true) // the events arrive, the answers do not
	f("answers swallowed", func() {
		testkit.Eventually(t, "the events land", func() bool { return streamLast(t, s) >= 11 })
		p.cut()
		p.mute.Store(false)
	})
	p.away(true)
	f("server not reachable", func() {
		testkit.Eventually(t, "the loss is noticed", func() bool { return !g.Status().Connected })
		p.away(false)
	})
	if got := streamLast(t, s); got != 21 {
		t.Errorf("the stream ends at %d, want 21: something landed twice", got)
	}
}

// streamLast asks the server itself.
func streamLast(t *testing.T, s *natsServer) uint64 {
	info, err := s.Jsz(&server.JSzOptions{Accounts: true, Streams: true})
	if err != nil {
		t.Error(err)
		return 0
	}
	for _, account := range info.AccountDetails {
		for _, stream := range account.Streams {
			if stream.Name == "SLUICE" {
				return stream.State.LastSeq
			}
		}
	}
	return 0
}

func TestAnUnreachableServerIsToldInTime(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.Addr().String())
	g := startGateway(t, Config{URL: p.url(), PublishTimeout: 300 * time.Millisecond})
	g.push(t, testkit.Put("/job/a", 1))
	p.away(true)
	for range 2 {
		start := time.Now()
		seqs, err := g.Append(context.Background(), 1, manyPuts(3, 0))
		if !errors.Is(err, ErrUnavailable) || len(seqs) != 0 {
			t.Errorf("got %v, %v", seqs, err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("took %s", took)
		}
	}
	if g.group("/job/a") == "" || !g.Status().Ready {
		t.Error("the store has forgotten what it had")
	}
	p.away(false)
	testkit.Eventually(t, "it works again", func() bool {
		_, err := g.CatchUp(context.Background())
		return err == nil && g.Status().Connected
	})
	g.push(t, testkit.Put("/job/b", 1))
}

// The connection is cut at random moments while two gateways push. What Append
// says must be true: compared with the stream at the end.
func TestAppendSaysTheTruthOverABadLink(t *testing.T) {
	s := startServer(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	type result struct {
		value  int
		landed bool
		known  bool
	}
	var mu sync.Mutex
	results := map[string]result{}
	done := make(chan struct{})
	var running, unkind sync.WaitGroup
	for n := range 2 {
		p := startProxy(t, s.Addr().String())
		g := startGateway(t, Config{URL: p.url(), PublishTimeout: 2 * time.Second})
		unkind.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(n)))
			for {
				select {
				case <-done:
					return
				case <-time.After(time.Duration(50+random.IntN(250)) * time.Millisecond):
				}
				if random.IntN(2) == 0 {
					p.mute.Store(true)
					time.Sleep(time.Duration(random.IntN(10)) * time.Millisecond)
				}
				p.cut()
				p.mute.Store(false)
			}
		})
		running.Go(func() {
			for i := range 15 {
				events := make([]store.Event, 1+i%7)
				for j := range events {
					events[j] = testkit.Put(fmt.Sprintf("/job/g%d/i/%d-%d", n, i, j), i*10+j)
				}
				seqs, err := g.Append(context.Background(), g.store.Sequence(), events)
				known := err == nil || !errors.Is(err, ErrUnavailable)
				mu.Lock()
				for j := range events {
					results[events[j].Key.Path()] = result{i*10 + j, j < len(seqs), j < len(seqs) || known}
				}
				mu.Unlock()
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				_, _ = g.CatchUp(ctx)
				cancel()
			}
		})
	}
	running.Wait()
	close(done)
	unkind.Wait()
	judge := startGateway(t, Config{URL: s.ClientURL()})
	unknown, landed := 0, 0
	for path, r := range results {
		has := strings.Contains(judge.group(path), fmt.Sprintf("} %d\n", r.value))
		switch {
		case !r.known:
			unknown++
		case has != r.landed:
			t.Errorf("%s: said to have landed: %v, is there: %v", path, r.landed, has)
		case has:
			landed++
		}
	}
	t.Logf("%d landed, %d unknown, of %d", landed, unknown, len(results))
	if landed == 0 {
		t.Error("nothing landed")
	}
	if last := judge.store.Sequence(); last > uint64(len(results)) {
		t.Errorf("%d events of %d: some landed twice", last, len(results))
	}
}
