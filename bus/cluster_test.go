package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/bus/embed"
	"sluice/e2e/testkit"
	"sluice/store"
)

// memberConfigs are the settings of n members.
func memberConfigs(t testing.TB, n int) []Config {
	addresses := testkit.FreeAddresses(t, n)
	configs := make([]Config, n)
	for i := range configs {
		configs[i] = Config{Server: embed.Config{DataDir: t.TempDir(), Cluster: embed.ClusterConfig{Listen: addresses[i], Peers: addresses}}}
	}
	return configs
}

// startMembers starts gateways at the same time: alone none of them is ready.
func startMembers(t testing.TB, configs ...Config) []*gateway {
	t.Helper()
	members := make([]*gateway, len(configs))
	errs := make([]error, len(configs))
	var starting sync.WaitGroup
	for i, cfg := range configs {
		starting.Go(func() { members[i], errs[i] = tryGateway(t, cfg) })
	}
	starting.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for i, g := range members {
		testkit.Eventually(t, fmt.Sprintf("member %d is ready", i), func() bool { return g.Status().Ready })
	}
	return members
}

// same waits until all gateways have applied what the first one has, and
// compares a group.
func same(t testing.TB, gateways []*gateway, path string, want int) {
	t.Helper()
	for i, g := range gateways {
		testkit.Eventually(t, fmt.Sprintf("gateway %d has %s %d", i, path, want), func() bool {
			return g.shows(path, want)
		})
	}
}

// shows tells whether a gateway has the sample of put.
func (g *gateway) shows(path string, value int) bool {
	return strings.Contains(g.group(path), fmt.Sprintf("m{instance=\"\",job=\"x\"} %d\n", value))
}

func TestThreeMembersHaveOneStream(t *testing.T) {
	members := startMembers(t, memberConfigs(t, 3)...)
	for round := range 20 {
		for i, g := range members {
			g.push(t, testkit.Put("/job/a/instance/"+strconv.Itoa(i), round))
		}
	}
	for i := range members {
		same(t, members, "/job/a/instance/"+strconv.Itoa(i), 19)
	}
	info, err := members[0].streamInfo(context.Background())
	if err != nil || info.Config.Replicas != 3 {
		t.Errorf("the stream has %d copies, %v", info.Config.Replicas, err)
	}
}

func TestTheLeaderMayStop(t *testing.T) {
	configs := memberConfigs(t, 3)
	members := startMembers(t, configs...)
	members[0].push(t, testkit.Put("/job/a", 1))
	info, err := members[0].streamInfo(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var rest []*gateway
	var stopped Config
	for i, g := range members {
		if g.embedded.Name() == info.Cluster.Leader {
			stopped = configs[i]
			g.stop()
			continue
		}
		rest = append(rest, g)
	}
	start := time.Now()
	for i, g := range rest {
		g.push(t, testkit.Put("/job/a", 2+i))
	}
	t.Logf("pushed again after %s", time.Since(start))
	back, err := tryGateway(t, stopped)
	if err != nil {
		t.Fatal(err)
	}
	same(t, append(rest, back), "/job/a", 3)
}

func TestWithoutAMajorityNothingIsWritten(t *testing.T) {
	members := startMembers(t, memberConfigs(t, 3)...)
	members[0].push(t, testkit.Put("/job/a", 1))
	same(t, members, "/job/a", 1)
	members[1].stop()
	members[2].stop()
	testkit.Eventually(t, "the last one notices", func() bool { return !members[0].Status().Connected })
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := members[0].Append(ctx, members[0].store.Sequence(), []store.Event{testkit.Put("/job/a", 2)}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Append without a majority: %v", err)
	}
	if !members[0].shows("/job/a", 1) {
		t.Errorf("the last one shows %q", members[0].group("/job/a"))
	}
}

func TestASingleGatewayIsJoined(t *testing.T) {
	configs := memberConfigs(t, 3)
	single := configs[0]
	single.Server.Cluster = embed.ClusterConfig{}
	single.History = 5
	alone := startGateway(t, single)
	for i := range 300 {
		alone.push(t, testkit.Put("/job/a/instance/"+strconv.Itoa(i%100), i))
	}
	alone.push(t, deleted("/job/a/instance/7"))
	last := alone.store.Sequence()
	alone.stop()

	for i := range configs {
		configs[i].History = 5
	}
	members := startMembers(t, configs...)
	for i, g := range members {
		testkit.Eventually(t, "all is there", func() bool { return g.store.Sequence() >= last })
		if g.store.Groups() != 99 {
			t.Errorf("member %d has %d groups", i, g.store.Groups())
		}
		if !g.shows("/job/a/instance/8", 208) {
			t.Errorf("member %d shows %q", i, g.group("/job/a/instance/8"))
		}
	}
	info, err := members[1].streamInfo(context.Background())
	if err != nil || info.State.LastSeq != last || info.State.Msgs < 290 || info.Config.Replicas != 3 {
		t.Errorf("the stream is %+v, %v, and was at %d", info, err, last)
	}
	members[2].push(t, testkit.Put("/job/b", 1))
	same(t, members, "/job/b", 1)
	if _, err := os.Stat(filepath.Join(configs[0].Server.DataDir, "alone")); !os.IsNotExist(err) {
		t.Errorf("the files of the single gateway are still in the way: %v", err)
	}

	// And back to one.
	last = members[1].store.Sequence()
	for _, g := range members {
		testkit.Eventually(t, "all have it", func() bool { return g.store.Sequence() == last })
	}
	// A member reads from whichever copy answers, so its own may still be behind.
	testkit.Eventually(t, "all copies are current", func() bool {
		s, err := members[0].StreamState(t.Context())
		return err == nil && len(s.Copies) == 3 &&
			!slices.ContainsFunc(s.Copies, func(c StreamCopy) bool { return !c.Current || c.Lag > 0 })
	})
	for _, g := range members {
		g.stop()
	}
	single.Server.DataDir = configs[1].Server.DataDir
	if _, err := tryGateway(t, single); err == nil || !strings.Contains(err.Error(), "--cluster.leave") {
		t.Errorf("a member started alone by mistake: %v", err)
	}
	single.Server.Cluster.Leave = true
	alone = startGateway(t, single)
	if alone.store.Groups() != 100 || alone.store.Sequence() < last {
		t.Errorf("alone again it has %d groups at %d, was at %d", alone.store.Groups(), alone.store.Sequence(), last)
	}
	alone.push(t, testkit.Put("/job/c", 1))
	alone.stop()
	single.Server.Cluster.Leave = false
	alone = startGateway(t, single)
	if !alone.shows("/job/c", 1) {
		t.Errorf("after another start it shows %q", alone.group("/job/c"))
	}
}

// What a restore that was cut off leaves behind may look like an empty stream:
// it is not taken for the one that was to be brought along.
func TestAHalfBroughtStreamIsBroughtAgain(t *testing.T) {
	configs := memberConfigs(t, 3)
	single := configs[0]
	single.Server.Cluster = embed.ClusterConfig{}
	alone := startGateway(t, single)
	for i := range 20 {
		alone.push(t, testkit.Put("/job/a/instance/"+strconv.Itoa(i), i))
	}
	last := alone.store.Sequence()
	alone.stop()

	var members []*gateway
	for _, cfg := range configs {
		g, err := openGateway(cfg)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, g)
	}
	var half jetstream.StreamConfig
	members[0].cfg.applyTo(&half)
	half.Replicas = 3
	half.Metadata = map[string]string{migratingKey: members[0].setup.migration.ID}
	testkit.Eventually(t, "the cluster makes a stream", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, err := members[1].js.CreateStream(ctx, half)
		return err == nil
	})
	for _, i := range []int{1, 2, 0} {
		members[i].follow(t)
	}
	for i, g := range members {
		testkit.Eventually(t, fmt.Sprintf("member %d has all", i), func() bool { return g.Status().Ready && g.store.Sequence() == last })
		if g.store.Groups() != 20 {
			t.Errorf("member %d has %d groups", i, g.store.Groups())
		}
	}
	info, err := members[1].streamInfo(context.Background())
	if err != nil || info.Config.Metadata[migratingKey] != "" || info.Config.Metadata[embed.MigratedKey] == "" {
		t.Errorf("the stream says %v, %v", info.Config.Metadata, err)
	}
}

func TestForeignDataIsNotTakenIn(t *testing.T) {
	configs := memberConfigs(t, 3)
	single := configs[2]
	single.Server.Cluster = embed.ClusterConfig{}
	alone := startGateway(t, single)
	alone.push(t, testkit.Put("/job/mine", 1))
	alone.stop()

	late := configs[2]
	configs[2].Server.DataDir = t.TempDir()
	members := startMembers(t, configs...)
	members[0].push(t, testkit.Put("/job/theirs", 1))
	members[2].stop()
	b, err := Open(context.Background(), late, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.Background())
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.Follow(ctx, store.New(store.Settings{})); err == nil || !strings.Contains(err.Error(), "has a stream already") {
		t.Errorf("Follow: %v", err)
	}
	if ctx.Err() != nil {
		t.Error("Follow did not end by itself")
	}
}

// Whoever used to lead the stream, and has not heard yet that he does not, hears
// each event, too, and may refuse what the leader accepts. Who takes that for the
// truth appends the event once more.
func TestTheRefusalOfAFormerLeaderIsNotBelieved(t *testing.T) {
	members := startMembers(t, memberConfigs(t, 3)...)
	g, former := members[0], members[1]
	g.push(t, testkit.Put("/job/a", 1))
	sub, err := former.nc.Subscribe("sluice.log.*", func(m *nats.Msg) {
		_ = m.Respond([]byte(`{"stream":"SLUICE","seq":0,"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 7"}}`))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	if err := former.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		before := g.store.Sequence()
		events := []store.Event{testkit.Put("/job/a", 2+i)}
		if i%2 == 1 {
			events = append(events, testkit.Put("/job/b", 2+i))
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		seqs, err := g.Append(ctx, before, events)
		cancel()
		if err != nil || len(seqs) != len(events) || seqs[0] != before+1 {
			t.Errorf("append %d behind %d: %v, %v", i, before, seqs, err)
		}
	}
	same(t, members, "/job/a", 21)
}

// A chain of message ids that another gateway breaks would stop a replicated
// stream for good.
func TestConflictsDoNotStopTheStream(t *testing.T) {
	members := startMembers(t, memberConfigs(t, 3)...)
	var pushing sync.WaitGroup
	for i, g := range members {
		pushing.Go(func() {
			for round := range 30 {
				events := []store.Event{deleted(fmt.Sprintf("/job/a/instance/%d", 10*i))}
				for n := range 7 { // of several subjects, one of which comes twice
					events = append(events, testkit.Put(fmt.Sprintf("/job/a/instance/%d", 10*i+n%6), round))
				}
				events = append(events, deleted(fmt.Sprintf("/job/a/instance/%d", 10*i+1)))
				g.push(t, events...)
			}
		})
	}
	pushing.Wait()
	for n := range members {
		same(t, members, fmt.Sprintf("/job/a/instance/%d", 10*n), 29)
	}
	for i, g := range members {
		testkit.Eventually(t, fmt.Sprintf("member %d has all", i), func() bool { return g.store.Groups() == 15 })
	}
}

func secretFile(t *testing.T, secret string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Whoever does not know the secret is not let in, and disturbs nobody.
func TestTheSecretKeepsOthersOut(t *testing.T) {
	configs := memberConfigs(t, 3)
	for i := range configs {
		configs[i].Server.Cluster.SecretFile = secretFile(t, "correct horse battery")
	}
	members := startMembers(t, configs...)
	members[0].push(t, testkit.Put("/job/a", 1))
	members[2].stop()
	stranger := configs[2]
	stranger.Server.DataDir = t.TempDir()
	stranger.Server.Cluster.SecretFile = secretFile(t, "incorrect horse battery")
	s, err := tryGateway(t, stranger)
	if err != nil {
		t.Fatal(err)
	}
	members[1].push(t, testkit.Put("/job/a", 2))
	same(t, members[:2], "/job/a", 2)
	time.Sleep(2 * time.Second) // long enough to be let in
	if s.Status().Ready || s.embedded.MembersConnected() > 1 {
		t.Error("a stranger was let in")
	}
	stranger.Server.Cluster.SecretFile = secretFile(t, "short")
	if _, err := Open(t.Context(), stranger, s.logger, nil); err == nil {
		t.Error("a short secret was taken")
	}
}
