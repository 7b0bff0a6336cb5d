package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"sluice/e2e/testkit"
	"sluice/store"
)

// patience bounds each wait of a test. It is long since the machine may be busy.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// gateway is a bus that follows into a store.
type gateway struct {
	*Bus
	store *store.Store
	log   *testkit.Log
	stop  func() // orderly, as main does it
}

func startGateway(t testing.TB, cfg Config) *gateway {
	t.Helper()
	g, err := tryGateway(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "ready", func() bool { return g.Status().Ready })
	return g
}

func tryGateway(t testing.TB, cfg Config) (*gateway, error) {
	g, err := openGateway(cfg)
	if err == nil {
		g.follow(t)
	}
	return g, err
}

// openGateway returns one that does not follow the stream.
func openGateway(cfg Config) (*gateway, error) {
	g := &gateway{store: store.New(store.Settings{}), log: &testkit.Log{}}
	logger := slog.New(slog.NewTextHandler(g.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	var err error
	if g.Bus, err = Open(context.Background(), cfg, logger, prometheus.NewRegistry()); err != nil {
		return nil, err
	}
	return g, nil
}

// follow lets the gateway follow the stream until it is stopped, or the test ends.
func (g *gateway) follow(t testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Follow(ctx, g.store) }()
	g.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Follow: %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := g.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	t.Cleanup(func() {
		g.stop()
		if t.Failed() {
			t.Logf("log:\n%s", g.log)
		}
	})
}

// push appends events behind what the store has, and waits for them.
func (g *gateway) push(t testing.TB, events ...store.Event) []uint64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var all []uint64
	for {
		seqs, err := g.Append(ctx, g.store.Sequence(), events)
		all, events = append(all, seqs...), events[len(seqs):]
		if errors.Is(err, ErrConflict) {
			if _, err := g.CatchUp(ctx); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Wait(ctx, all[len(all)-1]); err != nil {
			t.Fatal(err)
		}
		return all
	}
}

// group returns what the store has of a group as text, "" if nothing.
func (g *gateway) group(path string) string { return groupText(g.store, path) }

func groupText(st *store.Store, path string) string {
	grp := st.Group(testkit.MustKey(path))
	if grp == nil {
		return ""
	}
	var b strings.Builder
	for f := range grp.Families() {
		b.Write(f.Text)
	}
	return b.String()
}

func deleted(path string) store.Event {
	return store.Event{Op: store.OpDelete, Key: testkit.MustKey(path)}
}

func wipe() store.Event { return store.Event{Op: store.OpWipe} }

// natsServer is an external server.
type natsServer struct {
	*server.Server
	opts *server.Options
}

func startServer(t testing.TB, set ...func(*server.Options)) *natsServer {
	t.Helper()
	s := &natsServer{opts: &server.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true, MaxPayload: 1 << 20,
	}}
	for _, option := range set {
		option(s.opts)
	}
	s.start(t)
	t.Cleanup(s.halt)
	return s
}

// start starts it, again at the same address.
func (s *natsServer) start(t testing.TB) {
	t.Helper()
	var err error
	if s.Server, err = server.NewServer(s.opts); err != nil {
		t.Fatal(err)
	}
	s.Server.Start()
	if !s.ReadyForConnections(patience) {
		t.Fatal("NATS server does not start")
	}
}

func (s *natsServer) halt() {
	s.Shutdown()
	s.WaitForShutdown()
}

// snapshot describes all that a store has, by group.
func snapshot(st *store.Store) map[string]string {
	out := map[string]string{}
	for g := range st.View().Groups() {
		var b strings.Builder
		fmt.Fprintf(&b, "at %d, pushed %d, failed %d, by %q\n", g.Sequence(), g.PushTime(), g.FailTime(), g.Origin())
		for f := range g.Families() {
			fmt.Fprintf(&b, "%s%x %s %d\n", f.Text, f.Proto, f.Type, f.PushTime)
		}
		out[g.Key().Path()] = b.String()
	}
	return out
}

func equalSnapshots(t testing.TB, want, got map[string]string) bool {
	t.Helper()
	for path, text := range want {
		if got[path] != text {
			t.Logf("group %s: got\n%swant\n%s", path, got[path], text)
			return false
		}
	}
	if len(got) != len(want) {
		t.Logf("got %d groups, want %d", len(got), len(want))
		return false
	}
	return true
}
