package bus

import (
	"context"
	"testing"

	"sluice/bus/embed"
	"sluice/e2e/testkit"
	"sluice/store"
)

// What Append has put into the stream is in the store when it returns: nothing
// has to be delivered first.
func TestOwnEventsAreAppliedWhenAcknowledged(t *testing.T) {
	g := startGateway(t, Config{Server: embed.Config{DataDir: t.TempDir(), Sync: embed.SyncInterval}})
	g.push(t, testkit.Put("/job/j/instance/first", 1)) // the follower follows by now
	for i := range 50 {
		after := g.store.Sequence()
		seqs, err := g.Append(context.Background(), after, []store.Event{testkit.Put("/job/j", i), testkit.Put("/job/k", i)})
		if err != nil {
			t.Fatal(err)
		}
		if has := g.store.Sequence(); has < seqs[1] || g.Applied() < seqs[1] {
			t.Fatalf("the store has %d and %d is told, want %d", has, g.Applied(), seqs[1])
		}
	}
}

// Applied at once or replayed, an event makes the same group, also one that was
// merged or has what text does not carry.
func TestOwnEventsAreWhatAReplayMakesOfThem(t *testing.T) {
	for name, event := range testkit.Events(t) {
		cfg := Config{Server: embed.Config{DataDir: t.TempDir(), Sync: embed.SyncInterval}}
		g := startGateway(t, cfg)
		g.push(t, testkit.Put("/job/other", 1))
		g.push(t, event)
		live := snapshot(g.store)
		g.stop()
		g = startGateway(t, cfg)
		if !equalSnapshots(t, live, snapshot(g.store)) {
			t.Errorf("%s: the replay has another state", name)
		}
		g.stop()
	}
}

// Two gateways: what the other one has put in between is neither passed over nor
// applied twice.
func TestLocalApplyKeepsTheOrderOfTheStream(t *testing.T) {
	server := startServer(t)
	a, b := startGateway(t, Config{URL: server.ClientURL()}), startGateway(t, Config{URL: server.ClientURL()})
	for i := range 100 {
		a.push(t, testkit.Put("/job/shared", 2*i), testkit.Put("/job/a", i))
		b.push(t, testkit.Put("/job/shared", 2*i+1), testkit.Put("/job/b", i))
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, g := range []*gateway{a, b} {
		if _, err := g.CatchUp(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if !equalSnapshots(t, snapshot(a.store), snapshot(b.store)) {
		t.Error("the gateways show different states")
	}
}
