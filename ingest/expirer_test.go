package ingest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/common/promslog"

	"sluice/bus"
	"sluice/bus/embed"
	"sluice/e2e/testkit"
	"sluice/store"
)

// startExpirer runs an expirer until the test ends.
func (g *gateway) startExpirer(tb testing.TB) *Expirer {
	tb.Helper()
	x := NewExpirer(g.bus, g.store, g.committer, promslog.NewNopLogger())
	x.now = g.now
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		x.Run(ctx)
	}()
	tb.Cleanup(func() {
		cancel()
		<-ended
	})
	return x
}

// A group that is not pushed again dies after its time to live, and is forgotten
// after a while; a refused push does not keep it alive, an accepted one does.
func TestGroupsExpire(t *testing.T) {
	g := startGateway(t, bus.Config{}, CommitterConfig{Wait: patience, MaxWaiting: 1000, ForgetAfter: time.Hour})
	g.startExpirer(t)
	renewed, refused, forever := testkit.MustKey("/job/renewed"), testkit.MustKey("/job/refused"), testkit.MustKey("/job/forever")
	g.do("PUT", "/metrics/job/forever", "a 1\n")
	g.do("PUT", "/metrics/job/renewed?ttl=1h", "a 1\n")
	if code, text := g.do("PUT", "/metrics/job/refused?ttl=1h", "a 1\n"); code != 200 {
		t.Fatal(code, text)
	}
	g.advance(59 * time.Minute)
	g.do("PUT", "/metrics/job/renewed?ttl=10h", "a 1\n")
	g.do("PUT", "/metrics/job/refused?ttl=10h", "a 1 1000\n")
	if group := g.store.Group(refused); group == nil || group.Dead() || group.FailTime() == 0 {
		t.Fatalf("got %+v, want it alive until its time to live is over", group)
	}
	g.advance(time.Minute)
	testkit.Eventually(t, "the group that only refused pushes come to is dead", func() bool {
		group := g.store.Group(refused)
		return group != nil && group.Dead()
	})
	for _, key := range []store.Key{renewed, forever} {
		if group := g.store.Group(key); group == nil || group.Dead() {
			t.Errorf("group %s is gone", key)
		}
	}
}

// What tells that a group is dead is there until it is forgotten; nothing stays
// in the stream then but the tombstone.
func TestDeadGroupsAreForgotten(t *testing.T) {
	g := startGateway(t, bus.Config{}, CommitterConfig{Wait: patience, MaxWaiting: 1000, ForgetAfter: 2 * time.Hour})
	g.startExpirer(t)
	key := testkit.MustKey("/job/x")
	g.do("PUT", "/metrics/job/x?ttl=1h", "a 1\n")
	if text := scrapeText(g); !strings.Contains(text, "sluice_group_up{instance=\"\",job=\"x\"} 1\n") {
		t.Errorf("got\n%s\nwant the group to be up", text)
	}
	g.advance(time.Hour)
	testkit.Eventually(t, "dead", func() bool { group := g.store.Group(key); return group != nil && group.Dead() })
	text := scrapeText(g)
	if !strings.Contains(text, "sluice_group_up{instance=\"\",job=\"x\"} 0\n") || strings.Contains(text, "\na{") || strings.Contains(text, "push_time_seconds{") {
		t.Errorf("got\n%s\nwant nothing but that the group is down", text)
	}
	if group := g.store.Group(key); group.Forget() != group.Expires()+int64(2*time.Hour) {
		t.Errorf("forgotten at %d, expired at %d", group.Forget(), group.Expires())
	}
	g.advance(2 * time.Hour)
	testkit.Eventually(t, "forgotten", func() bool { return g.store.Group(key) == nil })
	if text := scrapeText(g); text != "" {
		t.Errorf("got\n%s\nwant nothing", text)
	}
}

// scrapeText returns all that is exposed of groups.
func scrapeText(g *gateway) string {
	var b strings.Builder
	for _, f := range g.store.View().Families() {
		b.Write(f.Head())
		for block := range f.Blocks() {
			b.Write(block)
		}
	}
	return b.String()
}

// Pushes that race with the expiry of their group: what was answered by 200 is
// there, whoever came first.
func TestPushesAtTheMomentOfExpiry(t *testing.T) {
	g := startGateway(t, bus.Config{}, CommitterConfig{Wait: patience, MaxWaiting: 4000, ForgetAfter: time.Hour})
	const groups = 300
	for i := range groups {
		g.do("PUT", fmt.Sprintf("/metrics/job/x/instance/%d?ttl=1h", i), "a 1\n")
	}
	x := g.startExpirer(t)
	g.advance(time.Hour - 500*time.Millisecond)
	results := make(chan error, groups)
	for i := range groups {
		go func() {
			key := fmt.Sprintf("/job/x/instance/%d", i)
			time.Sleep(time.Unix(0, g.store.Group(testkit.MustKey(key)).Expires()).Sub(g.now()) + time.Duration(i-groups/2)*time.Millisecond)
			if code, text := g.do("PUT", "/metrics"+key+"?ttl=10h", "a 2\n"); code != 200 {
				results <- fmt.Errorf("%s: %d %s", key, code, text)
				return
			}
			if group := g.store.Group(testkit.MustKey(key)); group == nil || group.Dead() {
				results <- fmt.Errorf("%s is dead after its push was accepted", key)
				return
			}
			results <- nil
		}()
	}
	for range groups {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if _, err := x.sweep(t.Context()); err != nil {
		t.Error(err)
	}
	if n := g.store.Groups(); n != groups {
		t.Errorf("%d groups are alive, want %d", n, groups)
	}
}

// Groups whose time was over while no gateway ran are never seen again.
func TestExpiryWhileAway(t *testing.T) {
	dir := t.TempDir()
	cfg := CommitterConfig{Wait: patience, MaxWaiting: 1000, ForgetAfter: time.Hour}
	t.Run("before", func(t *testing.T) {
		g := startGateway(t, bus.Config{Server: embed.Config{DataDir: dir}}, cfg) // nobody expires anything here
		g.do("PUT", "/metrics/job/x?ttl=30m", "a 1\n")
		g.do("PUT", "/metrics/job/"+strings.Repeat("long", 100)+"?ttl=30m", "b 1\n")
	})
	t.Run("after", func(t *testing.T) {
		g := startGateway(t, bus.Config{Server: embed.Config{DataDir: dir}}, cfg)
		g.advance(45 * time.Minute)
		x := g.startExpirer(t)
		testkit.Eventually(t, "swept", x.Swept)
		if g.store.Groups() != 0 {
			t.Error("groups are alive that should be dead")
		}
		for _, path := range []string{"/job/x", "/job/" + strings.Repeat("long", 100)} {
			if group := g.store.Group(testkit.MustKey(path)); group == nil || !group.Dead() || group.PushTime() == 0 {
				t.Errorf("group %s is %+v, want it dead", path, group)
			}
		}
	})
	t.Run("again", func(t *testing.T) {
		g := startGateway(t, bus.Config{Server: embed.Config{DataDir: dir}}, cfg)
		if group := g.store.Group(testkit.MustKey("/job/x")); group == nil || !group.Dead() {
			t.Errorf("the replay says %+v, want it dead", group)
		}
	})
}

func TestTTLs(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter, func(_ *store.Settings, f *FrontConfig) {
		f.TTL = func(store.Key) time.Duration { return time.Hour }
	})
	conn := g.startService(t)
	ttl := func(path string) time.Duration {
		group := g.store.Group(testkit.MustKey(path))
		if group == nil {
			return -1
		}
		if group.Expires() == 0 {
			return 0
		}
		return time.Duration(group.Expires() - group.PushTime())
	}
	for query, want := range map[string]time.Duration{
		"":                       time.Hour,
		"?ttl=10m":               10 * time.Minute,
		"?ttl=7d":                7 * 24 * time.Hour,
		"?ttl=1h30m":             90 * time.Minute,
		"?ttl=1.5h":              90 * time.Minute,
		"?ttl=1s":                time.Second,
		"?ttl=never":             0,
		"?other=1":               time.Hour,
		"?ttl=1y&x=%zz":          365 * 24 * time.Hour,
		"?ttl=%zz":               -1, // the query cannot be read
		"?ttl=abc":               -1,
		"?ttl=":                  -1,
		"?ttl=0":                 -1,
		"?ttl=-1s":               -1,
		"?ttl=999ms":             -1,
		"?ttl=10":                -1,
		"?ttl=1s&ttl=2s":         -1,
		"?ttl=99999999999999999": -1,
	} {
		g.do("DELETE", "/metrics/job/x", "")
		for _, body := range []string{"a 1\n", "a 1 1000\n"} {
			code, text := g.do("PUT", "/metrics/job/x"+query, body)
			if got := ttl("/job/x"); want < 0 && (code != http.StatusBadRequest || got != -1) || want >= 0 && body == "a 1\n" && (code != http.StatusOK || got != want) {
				t.Errorf("%q: got %d %q and a time to live of %s, want %s", query, code, text, got, want)
			}
		}
	}
	for header, want := range map[string]time.Duration{
		"60": time.Minute, "1h": time.Hour, "7d": 7 * 24 * time.Hour, "never": 0, "0": -1, "-1": -1, "soon": -1, "10ms": -1,
	} {
		g.do("DELETE", "/metrics/job/x", "")
		msg := nats.NewMsg("sluice.push.put.job.x")
		msg.Data = []byte("a 1\n")
		msg.Header.Set("Nats-TTL", header)
		if _, err := conn.RequestMsg(msg, patience); err != nil {
			t.Fatal(err)
		}
		if got := ttl("/job/x"); got != want {
			t.Errorf("Nats-TTL %q: got %s, want %s", header, got, want)
		}
	}
}

// A group whose pushes are all refused is seen to die, and stays dead: refused
// pushes neither renew nor revive it, and leave what they were refused for.
func TestRefusedPushesDoNotRevive(t *testing.T) {
	g := startGateway(t, bus.Config{}, CommitterConfig{Wait: patience, MaxWaiting: 1000, ForgetAfter: 3 * time.Hour})
	g.startExpirer(t)
	key := testkit.MustKey("/job/x")
	refuse := func() {
		t.Helper()
		if code, text := g.do("PUT", "/metrics/job/x?ttl=1h", "a 1 1000\n"); code != 400 {
			t.Fatalf("got %d %q, want 400", code, text)
		}
	}
	g.do("PUT", "/metrics/job/x?ttl=1h", "a 1\n")
	g.advance(time.Hour)
	testkit.Eventually(t, "dead", func() bool { refuse(); group := g.store.Group(key); return group != nil && group.Dead() })
	forget := g.store.Group(key).Forget()
	for range 10 {
		refuse()
		if group := g.store.Group(key); group == nil || !group.Dead() || group.Forget() != forget || group.Refusal() == "" || group.FailTime() == 0 {
			t.Fatalf("after a refused push: %+v", group)
		}
	}
	if text := scrapeText(g); !strings.Contains(text, "sluice_group_up{instance=\"\",job=\"x\"} 0\n") || strings.Contains(text, "push_time_seconds{") {
		t.Errorf("got\n%s\nwant that it is down", text)
	}
	g.advance(3 * time.Hour)
	// Forgotten in its time, and what is refused then makes a group that is not up.
	testkit.Eventually(t, "forgotten", func() bool { group := g.store.Group(key); return group == nil || !group.Dead() })
	refuse()
	if group := g.store.Group(key); group == nil || group.Dead() || group.PushTime() != 0 {
		t.Fatalf("a new group: %+v", group)
	}
	if text := scrapeText(g); !strings.Contains(text, "sluice_group_up{instance=\"\",job=\"x\"} 0\n") || !strings.Contains(text, "push_failure_time_seconds{") {
		t.Errorf("got\n%s\nwant a failure, and nothing up", text)
	}
	if code, _ := g.do("PUT", "/metrics/job/x?ttl=1h", "a 1\n"); code != 200 || !strings.Contains(scrapeText(g), "sluice_group_up{instance=\"\",job=\"x\"} 1\n") {
		t.Errorf("an accepted push does not bring it up: %d", code)
	}
}
