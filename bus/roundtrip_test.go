package bus

import (
	"fmt"
	"testing"

	"sluice/bus/embed"
	"sluice/e2e/testkit"
	"sluice/store"
)

func TestWhatIsAppendedIsSeenAndReplayed(t *testing.T) {
	for _, sync := range []embed.SyncMode{embed.SyncAlways, embed.SyncInterval} {
		cfg := Config{Server: embed.Config{DataDir: t.TempDir(), Sync: sync}}
		g := startGateway(t, cfg)
		for _, batch := range []int{1, 3, 40, 1500} {
			events := make([]store.Event, batch)
			for i := range events {
				events[i] = testkit.Put(fmt.Sprintf("/job/j/instance/i%d", i), batch*10000+i)
			}
			before := g.store.Sequence()
			seqs := g.push(t, events...)
			for i, seq := range seqs {
				if seq != before+uint64(i)+1 {
					t.Fatalf("event %d is at %d, not at %d", i, seq, before+uint64(i)+1)
				}
			}
		}
		g.push(t, deleted("/job/j/instance/i7"), testkit.Put("/job/j/instance/i8", 1), deleted("/job/j/instance/i8"), testkit.Put("/job/j/instance/i9", 5))
		state := snapshot(g.store)
		if len(state) != 1498 || g.group("/job/j/instance/i9") == "" {
			t.Fatalf("%d groups", len(state))
		}
		g.stop()
		g = startGateway(t, cfg)
		if !equalSnapshots(t, state, snapshot(g.store)) {
			t.Error("the replay has another state")
		}
		g.stop()
	}
}
