package bus

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/bus/embed"
	"sluice/bus/event"
	"sluice/e2e/testkit"
	"sluice/store"
)

// texts describes all groups of a store but for their places in the stream, which are new
// after a restoration.
func texts(st *store.Store) map[string]string {
	out := map[string]string{}
	groups, _ := st.AllGroups()
	for _, g := range groups {
		e := g.Event()
		text := fmt.Sprintf("%s at %d, failed %d %q, expires %d, forget %d\n", e.Op, e.PushTime, e.FailTime, e.Refusal, e.Expires, e.Forget)
		for _, f := range e.Families {
			text += fmt.Sprintf("%s%x %d\n", f.Text, f.Proto, f.PushTime)
		}
		out[g.Key().Path()] = text
	}
	return out
}

// outsider is somebody who runs NATS and changes the stream by hand.
type outsider struct {
	t  *testing.T
	js jetstream.JetStream
	m  *jsm.Manager
}

func newOutsider(t *testing.T, nc *nats.Conn) *outsider {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	m, err := jsm.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return &outsider{t: t, js: js, m: m}
}

func (o *outsider) stream() jetstream.Stream {
	o.t.Helper()
	s, err := o.js.Stream(o.t.Context(), "SLUICE")
	if err != nil {
		o.t.Fatal(err)
	}
	return s
}

func (o *outsider) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *outsider) remove() { o.t.Helper(); o.must(o.js.DeleteStream(o.t.Context(), "SLUICE")) }

func (o *outsider) update(change func(*jetstream.StreamConfig)) {
	o.t.Helper()
	cfg := o.stream().CachedInfo().Config
	change(&cfg)
	_, err := o.js.UpdateStream(o.t.Context(), cfg)
	o.must(err)
}

// backup copies the stream, and returns what puts the copy in its place.
func (o *outsider) backup() (restore func()) {
	o.t.Helper()
	dir := o.t.TempDir()
	stream, err := o.m.LoadStream("SLUICE")
	o.must(err)
	_, err = stream.SnapshotToDirectory(o.t.Context(), dir)
	o.must(err)
	return func() {
		o.t.Helper()
		o.remove()
		_, _, err := o.m.RestoreSnapshotFromDirectory(o.t.Context(), "SLUICE", dir)
		o.must(err)
	}
}

// fill appends what is there before somebody changes the stream: groups of all kinds, one
// of which is deleted again.
func (g *gateway) fill(t *testing.T) {
	t.Helper()
	failed := store.Event{Op: store.OpFail, Key: testkit.MustKey("/job/failed"), FailTime: 5, Refusal: "no"}
	dead := store.Event{Op: store.OpExpire, Key: testkit.MustKey("/job/dead"), PushTime: 3, Expires: 4, Forget: time.Now().Add(time.Hour).UnixNano()}
	long := testkit.Put("/job/"+strings.Repeat("long", 60), 1)
	g.push(t, testkit.Put("/job/a", 1), testkit.Put("/job/b", 1), testkit.Put("/job/gone", 1), failed, dead, long)
	g.push(t, testkit.Put("/job/a", 2), deleted("/job/gone"))
}

// settled waits until the interference is over and all gateways show what is expected, as
// does one that starts then.
func settled(t *testing.T, cfg Config, gateways []*gateway, interferences uint64, want map[string]string) {
	t.Helper()
	testkit.Eventually(t, "the gateways notice", func() bool {
		for _, g := range gateways {
			if s := g.Status(); s.Interferences < interferences || s.Restoring != "" {
				return false
			}
		}
		return true
	})
	showAll := func(g *gateway) {
		t.Helper()
		testkit.Eventually(t, "a gateway shows all", func() bool { return maps.Equal(texts(g.store), want) })
	}
	for _, g := range gateways {
		showAll(g)
	}
	if cfg.URL != "" {
		later := startGateway(t, cfg)
		showAll(later)
		testkit.Eventually(t, "the later one agrees", func() bool {
			_, err := later.CatchUp(t.Context())
			return err == nil && later.store.Digest() == gateways[0].store.Digest()
		})
		later.stop()
	}
	for _, g := range gateways {
		if n := g.Status().Unrestored; n != 0 {
			t.Errorf("%d groups were not restored", n)
		}
	}
}

// Whatever somebody does to the stream, the gateways notice it and come to what they had
// before.
func TestTheStreamIsRestored(t *testing.T) {
	type kind struct {
		name   string
		change func(*outsider)
	}
	purge := func(opts ...jetstream.StreamPurgeOpt) func(*outsider) {
		return func(o *outsider) { o.t.Helper(); o.must(o.stream().Purge(o.t.Context(), opts...)) }
	}
	kinds := []kind{
		{"removed", (*outsider).remove},
		{"removed and made again", func(o *outsider) {
			cfg := o.stream().CachedInfo().Config
			o.remove()
			_, err := o.js.CreateStream(o.t.Context(), cfg)
			o.must(err)
		}},
		{"purged", purge()},
		{"one subject purged", purge(jetstream.WithPurgeSubject("sluice.log.job=b"))},
		{"the tombstone purged", purge(jetstream.WithPurgeSubject("sluice.log.job=gone"))},
		{"purged but for the last one", purge(jetstream.WithPurgeKeep(1))},
		{"limited to two messages", func(o *outsider) {
			o.update(func(c *jetstream.StreamConfig) { c.MaxMsgs, c.Discard = 2, jetstream.DiscardOld })
		}},
	}
	for _, k := range kinds {
		for count := range 2 {
			t.Run(fmt.Sprintf("%s, gateways=%d", k.name, count+1), func(t *testing.T) {
				t.Parallel()
				s := startServer(t)
				cfg := Config{URL: s.ClientURL()}
				var gateways []*gateway
				for range count + 1 {
					g := startGateway(t, cfg)
					introduce(t, g)
					gateways = append(gateways, g)
				}
				gateways[0].fill(t)
				for _, g := range gateways {
					g.catchUp(t)
				}
				want := texts(gateways[0].store)
				k.change(newOutsider(t, gateways[0].nc))
				settled(t, cfg, gateways, 1, want)
				// And all goes on.
				gateways[0].push(t, testkit.Put("/job/after", 1))
				same(t, gateways, "/job/after", 1)
			})
		}
	}
}

func introduce(t *testing.T, g *gateway) {
	t.Helper()
	if err := g.Introduce(Introduction{Store: g.store, Ready: func() bool { return g.Status().Ready }}); err != nil {
		t.Fatal(err)
	}
}

// An older copy of the stream takes nothing back: neither groups nor deletes. What others
// have appended to it since it was put there stays.
func TestAnOlderCopyIsBroughtUpToDate(t *testing.T) {
	for _, extra := range []int{0, 20} { // with which it ends before, or behind, what was there
		t.Run(fmt.Sprintf("appended=%d", extra), func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			cfg := Config{URL: s.ClientURL()}
			g := startGateway(t, cfg)
			introduce(t, g)
			o := newOutsider(t, g.nc)
			g.push(t, testkit.Put("/job/a", 1), testkit.Put("/job/gone", 1), testkit.Put("/job/kept", 1))
			restore := o.backup()
			g.push(t, testkit.Put("/job/a", 2), deleted("/job/gone"), testkit.Put("/job/new", 3))
			want := texts(g.store)
			restore()
			for i := range extra { // by a gateway that has started since
				key := fmt.Sprintf("/job/extra%d", i)
				m := g.encoded(t, testkit.Put(key, i))
				g.publish(t, m)
				want[testkit.MustKey(key).Path()] = ""
			}
			if extra > 0 {
				g.publish(t, g.encoded(t, testkit.Put("/job/kept", 7)))
			}
			testkit.Eventually(t, "it is noticed", func() bool { s := g.Status(); return s.Interferences > 0 && s.Restoring == "" })
			for path := range want {
				if strings.HasPrefix(path, "/job/extra") {
					want[path] = texts(g.store)[path]
				}
			}
			if extra > 0 {
				if !g.shows("/job/kept", 7) {
					t.Error("what was pushed since is gone")
				}
				want["/job/kept"] = texts(g.store)["/job/kept"]
			}
			settled(t, cfg, []*gateway{g}, 1, want)
			if extra > 0 && g.store.Groups() != 3+extra {
				t.Errorf("%d groups", g.store.Groups())
			}
		})
	}
}

// While pushes go on nothing that was acknowledged is lost, neither before nor after.
func TestPushesGoOnWhileTheStreamIsRestored(t *testing.T) {
	for name, change := range map[string]func(*outsider){
		"removed": (*outsider).remove,
		"purged":  func(o *outsider) { o.must(o.stream().Purge(o.t.Context())) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, Config{Server: embed.Config{DataDir: t.TempDir(), Sync: embed.SyncInterval}})
			introduce(t, g)
			g.fill(t)
			pushed, stop := make(chan map[string]int, 1), make(chan struct{})
			var accepted atomic.Int64
			go func() {
				last := map[string]int{}
				for i := 0; ; i++ {
					select {
					case <-stop:
						pushed <- last
						return
					default:
					}
					path := fmt.Sprintf("/job/p%d", i%7)
					if seqs, err := g.tryPush(testkit.Put(path, i)); err == nil && len(seqs) == 1 {
						last[path] = i
						accepted.Add(1)
					}
				}
			}()
			testkit.Eventually(t, "pushes", func() bool { return accepted.Load() > 20 })
			change(newOutsider(t, g.nc))
			testkit.Eventually(t, "it is restored", func() bool { s := g.Status(); return s.Interferences > 0 && s.Restoring == "" })
			before := accepted.Load()
			testkit.Eventually(t, "pushes go on", func() bool { return accepted.Load() > before+20 })
			close(stop)
			last := <-pushed
			g.catchUp(t)
			for path, value := range last {
				if shown := sampleOf(g.group(path)); shown < value { // a later one may have landed without an answer
					t.Errorf("%s: shows %d, and %d was acknowledged last", path, shown, value)
				}
			}
			want := texts(g.store)
			cfg := g.cfg
			g.stop()
			again := startGateway(t, Config{Server: embed.Config{DataDir: cfg.Server.DataDir, Sync: embed.SyncInterval}})
			if !maps.Equal(texts(again.store), want) {
				t.Error("another state after a restart")
			}
			if again.group("/job/a") == "" || again.group("/job/gone") != "" {
				t.Error("a group is lost, or a deleted one is back")
			}
		})
	}
}

// sampleOf returns the value that put has given to a group, -1 if there is none.
func sampleOf(text string) int {
	_, rest, _ := strings.Cut(text, `job="x"} `)
	value := -1
	if _, err := fmt.Sscanf(rest, "%d\n", &value); err != nil {
		return -1
	}
	return value
}

// A stream that cannot be used makes the gateway say so; it goes on showing what it has,
// and writes it again once there is room for a stream.
func TestAMirrorInPlaceOfTheStream(t *testing.T) {
	s := startServer(t)
	cfg := Config{URL: s.ClientURL()}
	g := startGateway(t, cfg)
	introduce(t, g)
	g.fill(t)
	want := texts(g.store)
	o := newOutsider(t, g.nc)
	_, err := o.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ORIGIN", Subjects: []string{"origin"}})
	o.must(err)
	o.remove()
	_, err = o.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "SLUICE", Mirror: &jetstream.StreamSource{Name: "ORIGIN"}})
	if err != nil { // the gateway was faster
		o.remove()
		_, err = o.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "SLUICE", Mirror: &jetstream.StreamSource{Name: "ORIGIN"}})
		o.must(err)
	}
	testkit.Eventually(t, "it says so", func() bool { return strings.Contains(g.Status().Restoring, "mirror") })
	if !maps.Equal(texts(g.store), want) {
		t.Error("it does not show what it has")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := g.Append(ctx, g.store.Sequence(), []store.Event{testkit.Put("/job/x", 1)}); err == nil || !strings.Contains(err.Error(), "mirror") {
		t.Errorf("append: got %v", err)
	}
	o.remove()
	settled(t, cfg, []*gateway{g}, 1, want)
}

// Settings that somebody has changed are changed back.
func TestEditedSettingsAreChangedBack(t *testing.T) {
	s := startServer(t)
	g := startGateway(t, Config{URL: s.ClientURL()})
	g.fill(t)
	want := texts(g.store)
	o := newOutsider(t, g.nc)
	o.update(func(c *jetstream.StreamConfig) { c.Subjects = []string{"other.>"}; c.MaxAge = time.Hour })
	testkit.Eventually(t, "they are back", func() bool {
		c := o.stream().CachedInfo().Config
		return c.Subjects[0] == event.Subjects("sluice") && c.MaxAge == 0
	})
	testkit.Eventually(t, "it is counted", func() bool { return g.Status().Interferences == 1 })
	g.push(t, testkit.Put("/job/after", 1))
	if g.group("/job/after") == "" || len(texts(g.store)) != len(want)+1 {
		t.Error("pushes do not go on")
	}
	if strings.Contains(g.log.String(), "restored the stream") {
		t.Error("nothing was to be restored")
	}
}

// Only settings that are the same for all gateways are changed back: another gateway may
// have other flags.
func TestSettingsOfFlagsAreLeftAlone(t *testing.T) {
	g := startGateway(t, Config{Server: embed.Config{DataDir: t.TempDir()}})
	have := newOutsider(t, g.nc).stream().CachedInfo().Config
	f := func(name string, want bool, change func(*jetstream.StreamConfig)) {
		t.Helper()
		cfg := have
		change(&cfg)
		if got := g.edited(cfg); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	f("nothing", false, func(*jetstream.StreamConfig) {})
	f("bytes", false, func(c *jetstream.StreamConfig) { c.MaxBytes = 1 << 30 })
	f("history", false, func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject, c.SubjectDeleteMarkerTTL = 5, time.Minute })
	f("replicas", false, func(c *jetstream.StreamConfig) { c.Replicas = 3 })
	f("description", false, func(c *jetstream.StreamConfig) { c.Description = "ours" })
	f("messages", true, func(c *jetstream.StreamConfig) { c.MaxMsgs = 5 })
	f("age", true, func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour })
	f("discard", true, func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld })
	f("subjects", true, func(c *jetstream.StreamConfig) { c.Subjects = []string{"other.>"} })
	f("rollups", true, func(c *jetstream.StreamConfig) { c.AllowRollup = false })
}

// Where one gateway had seen more than another, it is the one that restores: what only it
// has seen is neither lost nor brought back.
func TestTheOneThatHasSeenMostRestores(t *testing.T) {
	s := startServer(t)
	cfg := Config{URL: s.ClientURL()}
	p := startProxy(t, s.Addr().String())
	behind := startGateway(t, Config{URL: p.url()})
	introduce(t, behind)
	ahead := startGateway(t, cfg)
	introduce(t, ahead)
	ahead.push(t, testkit.Put("/job/a", 1), testkit.Put("/job/gone", 1))
	same(t, []*gateway{behind}, "/job/gone", 1)
	p.away(true)
	p.cut()
	testkit.Eventually(t, "it is cut off", func() bool { return !behind.Status().Connected })
	ahead.push(t, testkit.Put("/job/a", 2), deleted("/job/gone"), testkit.Put("/job/b", 3))
	want := texts(ahead.store)
	newOutsider(t, ahead.nc).remove()
	p.away(false)
	settled(t, cfg, []*gateway{ahead, behind}, 1, want)
}
