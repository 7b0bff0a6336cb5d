package bus

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"sluice/bus/embed"
	"sluice/e2e/testkit"
	"sluice/store"
)

// publish puts a message into the stream as anybody could.
func (g *gateway) publish(t *testing.T, m *nats.Msg) uint64 {
	t.Helper()
	ack, err := g.js.PublishMsg(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	return ack.Sequence
}

func (g *gateway) encoded(t *testing.T, e store.Event) *nats.Msg {
	t.Helper()
	m, err := g.codec.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (g *gateway) catchUp(t *testing.T) uint64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	last, err := g.CatchUp(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// stored returns the number of messages in the stream.
func (g *gateway) stored(t *testing.T) uint64 {
	t.Helper()
	info, err := g.streamInfo(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return info.State.Msgs
}

func (g *gateway) replays() int { return strings.Count(g.log.String(), `msg="replayed the stream"`) }

func TestDeletesAndWipesLeaveNothing(t *testing.T) {
	cfg := Config{Server: embed.Config{DataDir: t.TempDir(), Sync: embed.SyncInterval}}
	g := startGateway(t, cfg)
	g.codec.Tombstone = time.Second
	long := "/job/" + strings.Repeat("long", 60)
	g.push(t, testkit.Put("/job/a", 1), testkit.Put("/job/a", 2), testkit.Put(long, 1), testkit.Put("/job/b", 1))
	g.push(t, deleted("/job/a"), deleted(long))
	if got := g.stored(t); got != 3 {
		t.Errorf("%d messages, want 3: what was deleted is still there", got)
	}
	if g.group("/job/a") != "" || g.group(long) != "" || g.group("/job/b") == "" {
		t.Error("the wrong groups are gone")
	}
	g.push(t, wipe())
	if got := g.stored(t); got != 1 || g.store.Groups() != 0 {
		t.Errorf("%d messages and %d groups after a wipe, want 1 and 0", got, g.store.Groups())
	}
	testkit.Eventually(t, "the tombstones expire", func() bool { return g.stored(t) == 0 })
	if last := g.catchUp(t); last != 7 {
		t.Errorf("the stream ends at %d, want 7: the server has written markers", last)
	}
	g.push(t, testkit.Put("/job/c", 1))
	g.stop()
	g = startGateway(t, cfg)
	if g.store.Groups() != 1 || g.store.Sequence() != 8 || g.Status().Missing != 0 {
		t.Errorf("%d groups at %d after a restart, %d missing", g.store.Groups(), g.store.Sequence(), g.Status().Missing)
	}
}

func TestHistoryIsKeptUntilADelete(t *testing.T) {
	cfg := Config{Server: embed.Config{DataDir: t.TempDir(), Sync: embed.SyncInterval}, History: 3}
	g := startGateway(t, cfg)
	g.push(t, testkit.Put("/job/a", 1), testkit.Put("/job/a", 2), testkit.Put("/job/a", 3), testkit.Put("/job/a", 4), testkit.Put("/job/b", 1))
	if got := g.stored(t); got != 4 {
		t.Errorf("%d messages, want 4", got)
	}
	g.push(t, deleted("/job/a"))
	if got := g.stored(t); got != 2 {
		t.Errorf("%d messages after a delete, want 2", got)
	}
	g.push(t, testkit.Put("/job/b", 2), testkit.Put("/job/b", 3))
	want := snapshot(g.store)
	g.stop()
	g = startGateway(t, cfg)
	if s := g.Status(); s.ReplayTotal != 2 || !equalSnapshots(t, want, snapshot(g.store)) {
		t.Errorf("replayed %d events, want the newest of each group", s.ReplayTotal)
	}
}

func TestAStreamThatEndsWithNothingIsReady(t *testing.T) {
	cfg := Config{Server: embed.Config{DataDir: t.TempDir()}}
	g := startGateway(t, cfg)
	g.codec.Tombstone = time.Second
	g.push(t, testkit.Put("/job/a", 1), testkit.Put("/job/b", 1), deleted("/job/b"))
	testkit.Eventually(t, "the tombstone expires", func() bool { return g.stored(t) == 1 })
	g.stop()
	start := time.Now()
	g = startGateway(t, cfg)
	if g.store.Sequence() != 3 || g.store.Groups() != 1 || time.Since(start) > time.Second {
		t.Errorf("%d groups at %d after %s", g.store.Groups(), g.store.Sequence(), time.Since(start))
	}
	g.push(t, testkit.Put("/job/b", 2))
}

func TestExpiredGroupsGo(t *testing.T) {
	g := startGateway(t, Config{Server: embed.Config{DataDir: t.TempDir(), Sync: embed.SyncInterval}})
	paths := []string{"/job/a/instance/1.2.3.4:5", "/job/" + strings.Repeat("long", 60)}
	for _, path := range paths {
		m := g.encoded(t, testkit.Put(path, 1))
		m.Header["Nats-TTL"] = []string{"1s"}
		g.publish(t, m)
	}
	g.publish(t, g.encoded(t, testkit.Put("/job/b", 1)))
	g.catchUp(t)
	if g.store.Groups() != 3 {
		t.Fatalf("%d groups", g.store.Groups())
	}
	testkit.Eventually(t, "the groups expire", func() bool { return g.store.Groups() == 1 })
	testkit.Eventually(t, "the markers are applied", func() bool { return g.Applied() == 5 })
	if s := g.Status(); s.Damaged != 0 {
		t.Errorf("%d damaged", s.Damaged)
	}
}

func TestEventsThatCannotBeReadAreSkipped(t *testing.T) {
	cfg := Config{Server: embed.Config{DataDir: t.TempDir(), Sync: embed.SyncInterval}}
	g := startGateway(t, cfg)
	g.push(t, testkit.Put("/job/a", 1))
	newer := g.encoded(t, testkit.Put("/job/a", 2))
	newer.Header["Sluice-Version"] = []string{"2"}
	g.publish(t, newer)
	g.publish(t, &nats.Msg{Subject: "sluice.log.anything", Data: []byte("hello")})
	g.push(t, testkit.Put("/job/b", 1))
	last := g.publish(t, &nats.Msg{Subject: "sluice.log.more"})
	if g.catchUp(t) != last || g.Status().Damaged != 3 || !strings.Contains(g.group("/job/a"), `job="x"} 1`) {
		t.Errorf("got %+v", g.Status())
	}
	for _, want := range []string{`sequence=2 err="damaged event: format version \"2\"`, "sequence=3", "sequence=5"} {
		if strings.Count(g.log.String(), want) != 1 {
			t.Errorf("the log does not say %s", want)
		}
	}
	g.push(t, testkit.Put("/job/a", 3)) // the group lives again
	g.stop()
	g = startGateway(t, cfg)
	if s := g.Status(); s.Damaged != 2 || s.Missing != 0 || g.store.Groups() != 2 {
		t.Errorf("after a replay: %+v and %d groups", s, g.store.Groups())
	}
}

func TestAShortAbsenceNeedsNoReplay(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.Addr().String())
	g, other := startGateway(t, Config{URL: p.url()}), startGateway(t, Config{URL: s.ClientURL()})
	other.push(t, testkit.Put("/job/a", 1), testkit.Put("/job/b", 1))
	g.catchUp(t)
	for round := range 3 {
		p.away(true)
		testkit.Eventually(t, "the loss is noticed", func() bool { return !g.Status().Connected })
		other.push(t, testkit.Put("/job/a", 10+round), deleted("/job/b"), testkit.Put("/job/c", round))
		p.away(false)
		testkit.Eventually(t, "it has caught up", func() bool { return g.Applied() == other.Applied() })
		if !equalSnapshots(t, snapshot(other.store), snapshot(g.store)) {
			t.Error("the gateways differ")
		}
		other.push(t, testkit.Put("/job/b", 1))
	}
	if g.replays() != 1 {
		t.Errorf("replayed %d times", g.replays())
	}
}

// Who was away while an import was begun anew would keep groups of the first
// attempt.
func TestAnAbsenceDuringAnImportNeedsAReplay(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.Addr().String())
	g, other := startGateway(t, Config{URL: p.url()}), startGateway(t, Config{URL: s.ClientURL()})
	other.push(t, store.Event{Op: store.OpImport}, testkit.Put("/job/a", 1), testkit.Put("/job/b", 1))
	g.catchUp(t)
	if begun, _ := g.store.Importing(); begun != 1 || g.store.Groups() != 2 {
		t.Errorf("begun at %d, %d groups", begun, g.store.Groups())
	}
	p.away(true)
	testkit.Eventually(t, "the loss is noticed", func() bool { return !g.Status().Connected })
	other.push(t, store.Event{Op: store.OpImport})
	other.push(t, testkit.Put("/job/b", 2), store.Event{Op: store.OpImported})
	p.away(false)
	testkit.Eventually(t, "it has caught up", func() bool { return g.Applied() == other.Applied() })
	if !equalSnapshots(t, snapshot(other.store), snapshot(g.store)) {
		t.Error("the gateways differ")
	}
	if begun, _ := g.store.Importing(); begun != 0 || g.store.Groups() != 1 {
		t.Errorf("begun at %d, %d groups", begun, g.store.Groups())
	}
	last := startGateway(t, Config{URL: s.ClientURL()})
	if !equalSnapshots(t, snapshot(other.store), snapshot(last.store)) {
		t.Error("a replay differs")
	}
}

func TestALongAbsenceNeedsAReplay(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.Addr().String())
	g, other := startGateway(t, Config{URL: p.url()}), startGateway(t, Config{URL: s.ClientURL()})
	other.codec.Tombstone = time.Second
	other.push(t, testkit.Put("/job/a", 1), testkit.Put("/job/b", 1))
	g.catchUp(t)
	p.away(true)
	testkit.Eventually(t, "the loss is noticed", func() bool { return !g.Status().Connected })
	other.push(t, deleted("/job/b"))
	testkit.Eventually(t, "the tombstone expires", func() bool { return other.stored(t) == 1 })
	g.Bus.resumeWithin = time.Millisecond
	view := g.store.View()
	p.away(false)
	testkit.Eventually(t, "it has replayed", func() bool { return g.replays() == 2 && g.Applied() == 3 })
	if g.group("/job/b") != "" || g.group("/job/a") == "" {
		t.Error("a deleted group has come back, or another has gone")
	}
	if view.Len() != 2 {
		t.Error("a view has changed")
	}
}

func TestARestartedServerIsFollowed(t *testing.T) {
	s := startServer(t)
	s.opts.Port = s.Addr().(*net.TCPAddr).Port // also when it starts again
	g := startGateway(t, Config{URL: s.ClientURL(), PublishTimeout: patience})
	g.push(t, manyPuts(100, 0)...)
	for round := range 2 {
		s.halt()
		testkit.Eventually(t, "the loss is noticed", func() bool { return !g.Status().Connected })
		s.start(t)
		g.push(t, testkit.Put("/job/after", round))
	}
	if g.replays() != 1 || g.store.Groups() != 101 {
		t.Errorf("replayed %d times, %d groups", g.replays(), g.store.Groups())
	}
}

// The files as they are when a process is killed: nothing of a clean stop.
func TestAKilledProcessLosesNothingAcknowledged(t *testing.T) {
	for _, sync := range []embed.SyncMode{embed.SyncAlways, embed.SyncInterval} {
		cfg := Config{Server: embed.Config{DataDir: t.TempDir(), Sync: sync}}
		g := startGateway(t, cfg)
		g.push(t, manyPuts(300, 100)...)
		g.push(t, deleted("/job/many/instance/i5"), testkit.Put("/job/many/instance/i6", 7))
		for i := range 20 {
			g.push(t, testkit.Put("/job/single", i))
		}
		want := snapshot(g.store)
		killed := cfg
		killed.Server.DataDir = t.TempDir()
		if err := os.CopyFS(killed.Server.DataDir, os.DirFS(cfg.Server.DataDir)); err != nil {
			t.Fatal(err)
		}
		after := startGateway(t, killed)
		if !equalSnapshots(t, want, snapshot(after.store)) {
			t.Errorf("sync %s: the state is another one", sync)
		}
		after.push(t, testkit.Put("/job/new", 1))
		after.stop()
		g.stop()
	}
}

// The last event of the stream becomes unreadable while a gateway is away.
func TestAHoleAtTheEndDoesNotStopPushes(t *testing.T) {
	s := startServer(t)
	s.opts.Port = s.Addr().(*net.TCPAddr).Port // also when it starts again
	p := startProxy(t, s.Addr().String())
	g, other := startGateway(t, Config{URL: p.url()}), startGateway(t, Config{URL: s.ClientURL()})
	other.push(t, testkit.Put("/job/a", 1), testkit.Put("/job/b", 1))
	g.catchUp(t)
	p.away(true)
	testkit.Eventually(t, "the loss is noticed", func() bool { return !g.Status().Connected })
	other.push(t, testkit.Put("/job/c", 4711))
	other.stop()
	s.halt()
	flip(t, s.opts.StoreDir, `job="x"} 4711`)
	s.start(t)
	p.away(false)
	testkit.Eventually(t, "the gateway is back", func() bool { return g.Status().Connected })
	testkit.Eventually(t, "it can ask", func() bool { _, err := g.CatchUp(context.Background()); return err == nil })
	if st := g.Status(); st.Applied != 3 || st.Holes != 1 || g.replays() != 1 {
		t.Errorf("got %+v, %d replays", st, g.replays())
	}
	g.push(t, testkit.Put("/job/c", 2))
}

// What a replay does not get, since it is replaced while it reads, must be there
// when the gateway says that it is ready: else one that comes back shows less than
// it has acknowledged before.
func TestAReplayWaitsForWhatHasReplacedOthers(t *testing.T) {
	s := startServer(t)
	g := startGateway(t, Config{URL: s.ClientURL()})
	g.push(t, testkit.Put("/job/a", 1), testkit.Put("/job/b", 1), testkit.Put("/job/a", 2), testkit.Put("/job/b", 2))
	ctx := context.Background()
	reader, err := openGateway(Config{URL: s.ClientURL()})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close(ctx)
	// It began when the stream ended at 2, and the first event has been replaced.
	r := &replayRun{follower: &follower{Bus: reader.Bus, store: reader.store}, into: reader.store, target: 2}
	r.into.Apply(2, testkit.Put("/job/b", 1))
	if r.reached(ctx) || r.target != 4 {
		t.Errorf("complete without a, target %d", r.target)
	}
	r.into.Apply(3, testkit.Put("/job/a", 2))
	g.push(t, testkit.Put("/job/c", 1)) // what comes afterwards is not waited for
	if r.into.Apply(4, testkit.Put("/job/b", 2)); r.into.Sequence() < r.target || !r.reached(ctx) {
		t.Errorf("not complete at %d, target %d", r.into.Sequence(), r.target)
	}
	whole := &replayRun{follower: r.follower, into: store.New(store.Settings{}), target: 1}
	if whole.into.Apply(1, testkit.Put("/job/a", 1)); !whole.reached(ctx) || whole.target != 1 {
		t.Errorf("without a gap not complete, target %d", whole.target)
	}
}

// Many blocks, one of which is damaged, in the files of a server that does not look for
// damage before it starts.
func TestADamagedBlockDoesNotStopTheReplay(t *testing.T) {
	s := startServer(t)
	cfg := Config{URL: s.ClientURL()}
	g := startGateway(t, cfg)
	pushLarge(t, g)
	g.stop()
	s.halt()
	damageBlock(t, s.opts.StoreDir)
	s.start(t)
	g = startGateway(t, Config{URL: s.ClientURL()})
	if s := g.Status(); g.store.Groups() < 200 || s.Missing != uint64(400-g.store.Groups()) || s.Missing == 0 {
		t.Errorf("%d groups, %d missing", g.store.Groups(), s.Missing)
	}
	g.catchUp(t)
	g.push(t, testkit.Put("/job/new", 1))
}

// The same in the files of the embedded server: one event is lost.
func TestADamagedBlockOfTheEmbeddedServerCostsOneEvent(t *testing.T) {
	cfg := Config{Server: embed.Config{DataDir: t.TempDir(), Sync: embed.SyncInterval}}
	g := startGateway(t, cfg)
	pushLarge(t, g)
	g.stop()
	damageBlock(t, cfg.Server.DataDir)
	g = startGateway(t, cfg)
	if s := g.Status(); g.store.Groups() != 399 || s.Lost != 1 || s.Damaged != 1 || s.Missing != 0 {
		t.Errorf("%d groups, %+v", g.store.Groups(), s)
	}
	g.catchUp(t)
	g.push(t, testkit.Put("/job/new", 1))
}

// pushLarge pushes 400 groups of 60 KB, which are several blocks.
func pushLarge(t *testing.T, g *gateway) {
	t.Helper()
	large := eventOf(0, 60_000)
	for i := range 40 {
		events := make([]store.Event, 10)
		for j := range events {
			events[j] = large
			events[j].Key = testkit.MustKey(fmt.Sprintf("/job/large/n/%d", i*10+j))
		}
		g.push(t, events...)
	}
}

// damageBlock overwrites a part of the second block of the stream.
func damageBlock(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "SLUICE", "msgs", "*.blk"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%d blocks: %v", len(files), err)
	}
	file, err := os.OpenFile(files[1], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Seek(-2000, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte("damage damage damage")); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
