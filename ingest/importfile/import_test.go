package importfile

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"sluice/bus"
	"sluice/bus/embed"
	"sluice/e2e/testkit"
	"sluice/store"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// stallTimeout bounds each wait of a test. It is long since the machine may be busy.
const stallTimeout = 30 * time.Second

// gateway is a bus, a store and an import.
type gateway struct {
	t     testing.TB
	bus   *bus.Bus
	store *store.Store
	imp   *Import
	log   *testkit.Log
	ctx   context.Context // ends with stop
	parts sync.WaitGroup
	stop  func()
}

// open opens the bus without following it.
func open(t testing.TB, cfg bus.Config, path string) *gateway {
	t.Helper()
	g := &gateway{t: t, store: store.New(store.Settings{}), log: &testkit.Log{}}
	logger := slog.New(slog.NewTextHandler(g.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.Server.Sync = embed.SyncInterval
	var err error
	if g.bus, err = bus.Open(t.Context(), cfg, logger, nil); err != nil {
		t.Fatal(err)
	}
	g.imp = New(g.bus, g.store, Config{Path: path, Shared: cfg.URL != ""}, logger)
	if g.imp.stallTimeout > 0 {
		g.imp.stallTimeout = 300 * time.Millisecond
	}
	var cancel context.CancelFunc
	g.ctx, cancel = context.WithCancel(context.Background())
	g.stop = sync.OnceFunc(func() {
		cancel()
		g.parts.Wait()
		stopCtx, cancel := context.WithTimeout(context.Background(), stallTimeout)
		defer cancel()
		if err := g.bus.Close(stopCtx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Cleanup(func() {
		g.stop()
		if t.Failed() {
			t.Logf("log:\n%s", g.log)
		}
	})
	return g
}

// start opens the bus, begins the import, and follows.
func start(t testing.TB, cfg bus.Config, path string) *gateway {
	t.Helper()
	g := open(t, cfg, path)
	if err := g.imp.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.follow()
	return g
}

func (g *gateway) follow() {
	g.t.Helper()
	g.parts.Go(func() {
		if err := g.bus.Follow(g.ctx, g.store); err != nil {
			g.t.Errorf("follow: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(g.ctx, stallTimeout)
	defer cancel()
	if err := g.bus.WaitReady(ctx); err != nil {
		g.t.Fatal(err)
	}
}

// run runs the import to its end.
func (g *gateway) run() {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.ctx, stallTimeout)
	defer cancel()
	if err := g.imp.Run(ctx); err != nil {
		g.t.Errorf("import: %v", err)
	}
	if ctx.Err() != nil {
		g.t.Fatal("the import does not end")
	}
}

// steps does so many steps of the import and leaves it there.
func (g *gateway) steps(n int) {
	g.t.Helper()
	for range n {
		if done, err := g.imp.step(g.ctx); done || err != nil {
			g.t.Fatalf("the import is over: %v, %v", done, err)
		}
	}
}

// must fails unless the store has exactly these groups, all by one import.
func (g *gateway) must(groups int) {
	g.t.Helper()
	if _, err := g.bus.CatchUp(g.ctx); err != nil {
		g.t.Fatal(err)
	}
	if begun, _ := g.store.Importing(); begun != 0 || g.store.Groups() != groups {
		g.t.Errorf("%d groups, and an import begun at %d; want %d groups", g.store.Groups(), begun, groups)
	}
}

// append appends events behind what the store has.
func (g *gateway) append(events ...store.Event) {
	g.t.Helper()
	if _, err := g.bus.CatchUp(g.ctx); err != nil {
		g.t.Fatal(err)
	}
	if _, err := g.bus.Append(g.ctx, g.store.Sequence(), events); err != nil {
		g.t.Fatal(err)
	}
}

func TestImportIntoAnEmptyStream(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			cfg := bus.Config{Server: embed.Config{DataDir: t.TempDir()}}
			path := write(t, fixture(t, name))
			want, err := load(path, store.Settings{}, nil, anySize)
			if err != nil {
				t.Fatal(err)
			}
			g := start(t, cfg, path)
			if begun, _ := g.store.Importing(); begun != 1 {
				t.Errorf("begun at %d", begun)
			}
			g.run()
			if got := storeLines(g.store); !slices.Equal(got, want.lines()) {
				t.Errorf("got\n%s", strings.Join(got, "\n"))
			}
			if !strings.Contains(g.log.String(), fmt.Sprintf(`msg="imported the persistence file" file=%s groups=%d series=%d`, path, len(want.events), want.series)) {
				t.Errorf("log:\n%s", g.log)
			}
			g.stop()
			// The next start has no need of the file, whatever it is by then.
			for _, next := range []string{path, write(t, []byte("broken"))} {
				g = start(t, cfg, next)
				g.run()
				if got := storeLines(g.store); !slices.Equal(got, want.lines()) {
					t.Errorf("after a restart\n%s", strings.Join(got, "\n"))
				}
				if !strings.Contains(g.log.String(), "the persistence file is not imported, because the stream is not empty") {
					t.Errorf("log:\n%s", g.log)
				}
				g.stop()
			}
		})
	}
}

func TestNothingIsImportedOnceAnythingWasWritten(t *testing.T) {
	path := write(t, many(t, 3, 1).file(t))
	key, _ := store.NewKey("x")
	for name, events := range map[string][]store.Event{
		"a group":          {{Op: store.OpPut, Key: key, PushTime: 1}},
		"a deleted group":  {{Op: store.OpPut, Key: key, PushTime: 1}, {Op: store.OpDelete, Key: key}},
		"a wipe":           {{Op: store.OpWipe}},
		"a deleted import": {{Op: store.OpImport}, {Op: store.OpImported}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := bus.Config{Server: embed.Config{DataDir: t.TempDir()}}
			g := start(t, cfg, "")
			g.append(events...)
			g.stop()
			want := store.New(store.Settings{})
			for i, e := range events {
				want.Apply(uint64(i)+1, e)
			}
			g = start(t, cfg, path)
			g.run()
			g.must(want.Groups())
		})
	}
}

func TestWithoutAFileNothingIsWritten(t *testing.T) {
	for name, path := range map[string]string{
		"no flag": "", "missing": t.TempDir() + "/missing", "without groups": write(t, pushedGroups{}.file(t)),
	} {
		g := start(t, bus.Config{Server: embed.Config{DataDir: t.TempDir()}}, path)
		g.run()
		g.must(0)
		if last := g.bus.Status().Last; last != 0 {
			t.Errorf("%s: the stream has %d events", name, last)
		}
		g.stop()
	}
}

func TestABrokenFileWritesNothing(t *testing.T) {
	cfg := bus.Config{Server: embed.Config{DataDir: t.TempDir()}}
	good := many(t, 3, 1).file(t)
	for _, data := range [][]byte{nil, good[:len(good)-1], pushedGroups{}.add(t, map[string]string{"instance": "x"}).file(t)} {
		path := write(t, data)
		g := open(t, cfg, path)
		err := g.imp.Begin(t.Context())
		if err == nil || !strings.Contains(err.Error(), "--persistence.file "+path+": ") {
			t.Errorf("got %v", err)
		}
		if last := g.bus.Status().Last; last != 0 {
			t.Errorf("the stream has %d events", last)
		}
		g.stop()
	}
	g := start(t, cfg, write(t, good))
	g.run()
	g.must(3)
}

// Wherever a gateway ends, the next one completes the import, and nobody takes
// the part for the whole.
func TestACrashInTheMiddle(t *testing.T) {
	const groups = 10
	path := write(t, many(t, groups, 2).file(t))
	for landed := range groups + 1 {
		t.Run(fmt.Sprint(landed), func(t *testing.T) {
			cfg := bus.Config{Server: embed.Config{DataDir: t.TempDir()}}
			g := start(t, cfg, path)
			g.imp.batch = 1
			g.steps(landed)
			g.stop()

			// Without the file it remains incomplete, and refuses changes.
			g = start(t, cfg, "")
			g.run()
			if begun, _ := g.store.Importing(); begun != 1 || g.store.Groups() != landed {
				t.Errorf("begun at %d, %d groups", begun, g.store.Groups())
			}
			key, _ := store.NewKey("pushed")
			if _, err := g.store.Draft().Put(store.Push{Key: key, Time: 1}); err != store.ErrImporting {
				t.Errorf("a push: %v", err)
			}
			g.stop()

			// The file has changed since: none of the old part remains.
			g = start(t, cfg, write(t, many(t, 3, 1).file(t)))
			g.run()
			g.must(3)
			if _, err := g.store.Draft().Put(store.Push{Key: key, Time: 1}); err != nil {
				t.Errorf("a push afterwards: %v", err)
			}
			want := storeLines(g.store)
			g.stop()
			g = start(t, cfg, path)
			g.run()
			if got := storeLines(g.store); !slices.Equal(got, want) {
				t.Errorf("another replay shows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func TestAnIncompleteImportNeedsItsFile(t *testing.T) {
	cfg := bus.Config{Server: embed.Config{DataDir: t.TempDir()}}
	g := start(t, cfg, write(t, many(t, 3, 1).file(t)))
	g.imp.batch = 1
	g.steps(2)
	g.stop()

	g = start(t, cfg, write(t, []byte("broken")))
	if err := g.imp.Run(g.ctx); err == nil || !strings.Contains(err.Error(), "--persistence.file") {
		t.Errorf("with a broken file: %v", err)
	}
	g.stop()
	g = start(t, cfg, t.TempDir()+"/missing")
	g.run()
	if !strings.Contains(g.log.String(), "is not complete") {
		t.Errorf("log:\n%s", g.log)
	}
	// Who has no file any more wipes.
	g.append(g.store.Draft().Wipe(""))
	g.must(0)
}

func TestAWipeCallsTheImportOff(t *testing.T) {
	g := start(t, bus.Config{Server: embed.Config{DataDir: t.TempDir()}}, write(t, many(t, 5, 1).file(t)))
	g.imp.batch = 1
	g.steps(3)
	g.append(g.store.Draft().Wipe(""))
	g.run()
	g.must(0)
}

// What somebody writes into the stream without asking does not cost a group.
func TestAnEventInBetweenBeginsTheImportAgain(t *testing.T) {
	g := start(t, bus.Config{Server: embed.Config{DataDir: t.TempDir()}}, write(t, many(t, 5, 1).file(t)))
	g.imp.batch = 1
	g.steps(2)
	key, _ := store.NewKey("stranger")
	g.append(store.Event{Op: store.OpPut, Key: key, PushTime: 1})
	g.run()
	g.must(5)
	if g.store.Group(key) != nil {
		t.Error("the import has something that is not in the file")
	}
}

// startServer runs a server that several gateways share.
func startServer(t *testing.T) string {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(stallTimeout) {
		t.Fatal("the server does not start")
	}
	return s.ClientURL()
}

func TestOfManyGatewaysOneImports(t *testing.T) {
	cfg := bus.Config{URL: startServer(t)}
	path := write(t, many(t, 50, 2).file(t))
	var gateways []*gateway
	for range 4 {
		gateways = append(gateways, open(t, cfg, path))
	}
	var all sync.WaitGroup
	for _, g := range gateways {
		g.imp.batch = 3
		all.Go(func() {
			if err := g.imp.Begin(g.ctx); err != nil {
				t.Errorf("begin: %v", err)
			}
		})
	}
	all.Wait()
	for _, g := range gateways {
		g.follow()
		all.Go(g.run)
	}
	all.Wait()
	imported := 0
	for _, g := range gateways {
		g.must(50)
		if strings.Contains(g.log.String(), "imported the persistence file") {
			imported++
		}
	}
	if imported != 1 {
		t.Errorf("%d gateways have imported", imported)
	}
	again := slices.ContainsFunc(gateways, func(g *gateway) bool {
		return strings.Contains(g.log.String(), "beginning an incomplete import again")
	})
	// One event a group, and two around them.
	if last := gateways[0].store.Sequence(); !again && last != 52 {
		t.Errorf("the stream ends at %d", last)
	}
}

// An importer that dies is replaced by another gateway that has the file. If it
// was only slow, it sees that and stops.
func TestADeadImporterIsReplaced(t *testing.T) {
	cfg := bus.Config{URL: startServer(t)}
	path := write(t, many(t, 20, 1).file(t))
	slow := start(t, cfg, path)
	slow.imp.batch = 1
	slow.steps(7)
	next := start(t, cfg, path)
	next.run()
	next.must(20)
	slow.run()
	slow.must(20)
	if !strings.Contains(slow.log.String(), "was not imported") {
		t.Errorf("log:\n%s", slow.log)
	}
	if want := storeLines(next.store); !slices.Equal(storeLines(slow.store), want) {
		t.Error("the two differ")
	}
}

func TestAFullStreamEndsTheImport(t *testing.T) {
	cfg := bus.Config{Server: embed.Config{DataDir: t.TempDir()}, MaxBytes: 20 << 10}
	path := write(t, many(t, 200, 3).file(t))
	g := start(t, cfg, path)
	if err := g.imp.Run(g.ctx); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	g.stop()
	cfg.MaxBytes = 0
	g = start(t, cfg, path)
	g.run()
	g.must(200)
}

// BenchmarkImport measures reading, judging and appending, in groups a second.
func BenchmarkImport(b *testing.B) {
	const groups = 20_000
	path := write(b, many(b, groups, 10).file(b))
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		b.StartTimer()
		g := start(b, bus.Config{Server: embed.Config{DataDir: dir}}, path)
		g.run()
		b.StopTimer()
		g.must(groups)
		g.stop()
		b.StartTimer()
	}
	b.ReportMetric(float64(groups)*float64(b.N)/b.Elapsed().Seconds(), "groups/s")
}
