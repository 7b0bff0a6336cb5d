package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"sluice/bus/embed"
	"sluice/e2e/testkit"
	"sluice/store"
)

func manyPuts(count, size int) []store.Event {
	events := make([]store.Event, count)
	for i := range events {
		events[i] = testkit.Put(fmt.Sprintf("/job/many/instance/i%d", i), i)
		if size > 0 {
			events[i].Families = testkit.Families(fmt.Sprintf("# HELP m %s\n# TYPE m gauge\nm{instance=\"\",job=\"x\"} %d\n", strings.Repeat("x", size), i))
		}
	}
	return events
}

func TestAnAppendBehindAnotherSequenceIsAConflict(t *testing.T) {
	for _, sync := range []embed.SyncMode{embed.SyncAlways, embed.SyncInterval} {
		g := startGateway(t, Config{Server: embed.Config{DataDir: t.TempDir(), Sync: sync}})
		g.push(t, testkit.Put("/job/a", 1))
		for _, after := range []uint64{0, 2, 1000} {
			for _, count := range []int{1, 2, 30} {
				seqs, err := g.Append(context.Background(), after, manyPuts(count, 0))
				if !errors.Is(err, ErrConflict) || len(seqs) != 0 {
					t.Errorf("behind %d: got %v, %v, want a conflict", after, seqs, err)
				}
			}
		}
		if s := g.Status(); s.Conflicts != 9 || s.Batches != 10 || g.store.Groups() != 1 {
			t.Errorf("got %+v and %d groups", s, g.store.Groups())
		}
		if seqs, err := g.Append(context.Background(), 1, nil); seqs == nil || len(seqs) != 0 || err != nil {
			t.Errorf("nothing appended: got %v, %v", seqs, err)
		}
	}
}

// The error names what sets the limit: the flag has no effect on an external server, nor
// if --bus.config has max_payload.
func TestTooLargeNamesTheSetting(t *testing.T) {
	f := func(name string, cfg Config, limit int, setting string) {
		t.Helper()
		g := startGateway(t, cfg)
		var large *TooLargeError
		if err := g.Fits(manyPuts(1, 5000)[0]); !errors.As(err, &large) || large.Limit != limit || large.Setting != setting {
			t.Errorf("%s: got %v (%+v), want %d and %q", name, err, large, limit, setting)
		}
	}
	external := startServer(t, func(o *server.Options) { o.MaxPayload = 3072 })
	f("flag", Config{Server: embed.Config{DataDir: t.TempDir(), MaxPayload: 4096}}, 4096, "--push.max-bytes")
	file := write(t, "max_payload: 2048")
	f("configuration", Config{Server: embed.Config{DataDir: t.TempDir(), ConfigFile: file, MaxPayload: 1 << 20}}, 2048, "max_payload in --bus.config")
	f("external", Config{URL: external.ClientURL()}, 3072, "max_payload of the NATS server")
}

func TestWhatIsTooLargeIsNamedAndNothingLands(t *testing.T) {
	g := startGateway(t, Config{Server: embed.Config{DataDir: t.TempDir(), MaxPayload: 4096}})
	events := manyPuts(3, 0)
	events[2] = manyPuts(1, 5000)[0]
	seqs, err := g.Append(context.Background(), 0, events)
	var large *TooLargeError
	if !errors.Is(err, ErrTooLarge) || !errors.As(err, &large) || large.Index != 2 || large.Limit != 4096 || large.Size < 5000 || len(seqs) != 0 {
		t.Errorf("got %v, %v", seqs, err)
	}
	g.push(t, events[:2]...)
	// An event that just fits lands, whatever is added to its headers.
	low, high := 1, 4096
	for low+1 < high {
		mid := (low + high) / 2
		if _, err := g.appender.encodeAll(manyPuts(1, mid)); err == nil {
			low = mid
		} else {
			high = mid
		}
	}
	g.push(t, manyPuts(1, low)[0])
	g.push(t, append(manyPuts(19, 0), manyPuts(1, low)[0])...)
	// Headers have a limit of their own.
	g2 := startGateway(t, Config{Server: embed.Config{DataDir: t.TempDir()}})
	e := testkit.Put("/job/x", 1)
	e.Families = nil
	for i := range 3000 {
		f := testkit.Families(fmt.Sprintf("# TYPE metric_%06d gauge\nmetric_%06d{instance=\"\",job=\"x\"} 1\n", i, i))[0]
		f.PushTime = int64(i + 1)
		e.Families = append(e.Families, f)
	}
	if _, err := g2.Append(context.Background(), 0, []store.Event{e}); !errors.As(err, &large) || large.Limit != maxHeaderBytes {
		t.Errorf("got %v", err)
	}
}

func TestAFullStreamRefusesPushesAndTakesDeletes(t *testing.T) {
	for _, c := range []struct {
		history int
		sync    embed.SyncMode
	}{{1, embed.SyncInterval}, {3, embed.SyncInterval}, {1, embed.SyncAlways}} {
		cfg := Config{Server: embed.Config{DataDir: t.TempDir(), Sync: c.sync}, MaxBytes: 64 << 10, History: c.history}
		g := startGateway(t, cfg)
		landed := 0
		var err error
		for err == nil {
			var seqs []uint64
			events := manyPuts(20, 1000)
			for i := range events {
				events[i].Key = testkit.MustKey(fmt.Sprintf("/job/fill/n/%d", landed+i))
			}
			seqs, err = g.Append(context.Background(), uint64(landed), events)
			landed += len(seqs)
		}
		if !errors.Is(err, ErrStreamFull) || landed < 40 {
			t.Fatalf("after %d: %v", landed, err)
		}
		if _, err := g.CatchUp(context.Background()); err != nil {
			t.Fatal(err)
		}
		if g.store.Groups() != landed {
			t.Errorf("%d groups, want %d: a full stream has eaten some", g.store.Groups(), landed)
		}
		g.push(t, deleted("/job/fill/n/3"))
		g.push(t, wipe(), testkit.Put("/job/new", 1))
		if g.store.Groups() != 1 {
			t.Errorf("%d groups after a wipe", g.store.Groups())
		}
		info, err := g.streamInfo(context.Background())
		if err != nil || info.Config.MaxBytes != cfg.MaxBytes {
			t.Errorf("limit is %d now, %v", info.Config.MaxBytes, err)
		}
		g.stop()
	}
}

func TestAForeignEventBreaksTheChain(t *testing.T) {
	s := startServer(t)
	g := startGateway(t, Config{URL: s.ClientURL()})
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	// Somebody publishes all the time, so that some chains break in the middle.
	stop := make(chan struct{})
	var foreign sync.WaitGroup
	foreign.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			m, err := g.codec.Encode(testkit.Put("/job/foreign", i))
			if err == nil {
				_ = nc.PublishMsg(m)
				_ = nc.Flush()
			}
			time.Sleep(time.Millisecond)
		}
	})
	landedWhole, prefixes, conflicts := 0, 0, 0
	deadline := time.Now().Add(patience)
	for i := 0; time.Now().Before(deadline) && (landedWhole < 5 || prefixes < 5 || conflicts < 5); i++ {
		events := make([]store.Event, 50)
		for j := range events {
			events[j] = testkit.Put(fmt.Sprintf("/job/own/i/%d", j), i*100+j)
		}
		seqs, err := g.Append(context.Background(), g.Applied(), events)
		if err != nil && !errors.Is(err, ErrConflict) {
			t.Fatal(err)
		}
		if (err == nil) != (len(seqs) == 50) {
			t.Fatalf("%d landed: %v", len(seqs), err)
		}
		switch {
		case err == nil:
			landedWhole++
		case len(seqs) > 0:
			prefixes++
		default:
			conflicts++
		}
		if _, err := g.CatchUp(context.Background()); err != nil {
			t.Fatal(err)
		}
		for j := range events {
			// What landed is there, and of the rest nothing is.
			got := g.group(events[j].Key.Path())
			has := strings.Contains(got, fmt.Sprintf("} %d\n", i*100+j))
			if has != (j < len(seqs)) {
				t.Fatalf("round %d: %d landed, but event %d is there: %v", i, len(seqs), j, has)
			}
		}
	}
	close(stop)
	foreign.Wait()
	t.Logf("%d whole, %d in part, %d not at all", landedWhole, prefixes, conflicts)
	if landedWhole == 0 || prefixes == 0 || conflicts == 0 {
		t.Error("the test did not see all cases")
	}
}

// Each gateway counts in one group: the next value is the last one plus 1. A
// lost update or a push that lands twice would show.
func TestTwoGatewaysLoseNoUpdate(t *testing.T) {
	s := startServer(t)
	gateways := []*gateway{startGateway(t, Config{URL: s.ClientURL()}), startGateway(t, Config{URL: s.ClientURL()})}
	const each = 60
	count := func(g *gateway) int {
		var value int
		_, text, _ := strings.Cut(g.group("/job/count"), `job="x"} `)
		if _, err := fmt.Sscanf(text, "%d", &value); text != "" && err != nil {
			t.Error(err, text)
		}
		return value
	}
	var running sync.WaitGroup
	for _, g := range gateways {
		running.Go(func() {
			for done := 0; done < each; {
				base := g.store.Sequence()
				// The value is read after the base, so the append conflicts if
				// another event got in between.
				value := count(g)
				seqs, err := g.Append(context.Background(), base, []store.Event{testkit.Put("/job/count", value+1)})
				switch {
				case err == nil:
					done++
					if err := g.Wait(context.Background(), seqs[0]); err != nil {
						t.Error(err)
					}
				case errors.Is(err, ErrConflict):
					if _, err := g.CatchUp(context.Background()); err != nil {
						t.Error(err)
					}
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	for _, g := range gateways {
		if _, err := g.CatchUp(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := count(g); got != 2*each {
			t.Errorf("counted to %d, want %d", got, 2*each)
		}
	}
	if !equalSnapshots(t, snapshot(gateways[0].store), snapshot(gateways[1].store)) {
		t.Error("the gateways differ")
	}
	t.Logf("conflicts: %d and %d", gateways[0].Status().Conflicts, gateways[1].Status().Conflicts)
}
