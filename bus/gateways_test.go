package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"sluice/bus/embed"
	"sluice/e2e/testkit"
	"sluice/store"
)

// introduce makes a gateway of a test answer.
func (g *gateway) introduce(t testing.TB, version string) {
	t.Helper()
	err := g.Introduce(Introduction{
		Store: g.store, Version: version, Started: time.Unix(1_700_000_000, 0), Ready: func() bool { return g.Status().Ready },
	})
	if err != nil {
		t.Fatal(err)
	}
}

// all asks until so many gateways answer: interest in the subject travels.
func (g *gateway) all(t testing.TB, want int) []Gateway {
	t.Helper()
	var gateways []Gateway
	testkit.Eventually(t, fmt.Sprintf("%d gateways answer", want), func() bool {
		var err error
		if gateways, err = g.Gateways(context.Background()); err != nil {
			t.Fatal(err)
		}
		return len(gateways) == want
	})
	return gateways
}

// settledAt waits until a store is settled at a sequence, and returns its digest.
func settledAt(t testing.TB, st *store.Store, seq uint64) store.Digest {
	t.Helper()
	testkit.Eventually(t, fmt.Sprintf("settled at %d", seq), func() bool { d := st.Digest(); return d.Settled && d.Sequence >= seq })
	return st.Digest()
}

// Own events are applied before they are delivered, and those of the other gateway
// are decoded: it makes no difference, nor does a replay.
func TestGatewaysHaveTheSameDigest(t *testing.T) {
	server := startServer(t)
	cfg := Config{URL: server.ClientURL()}
	a, b := startGateway(t, cfg), startGateway(t, cfg)
	n := 0
	for _, event := range testkit.Events(t) {
		switch event.Op {
		case store.OpDelete, store.OpWipe, store.OpImport, store.OpImported:
			continue // they would leave nothing to compare
		}
		for _, g := range []*gateway{a, b} {
			n++
			event.Key = testkit.MustKey(fmt.Sprintf("/job/%d", n))
			g.push(t, event)
		}
	}
	a.push(t, store.Event{Op: store.OpExpire, Key: testkit.MustKey("/job/1"), PushTime: 1, Expires: 2, Forget: 3})
	a.push(t, deleted("/job/2"))
	for i := range 300 {
		a.push(t, testkit.Put(fmt.Sprintf("/job/many%d", i), i))
	}
	last := b.push(t, testkit.Put("/job/last", 1))[0]
	want := settledAt(t, a.store, last)
	if want.Sequence != last {
		t.Fatalf("a gateway is at %d, want %d", want.Sequence, last)
	}
	c := startGateway(t, cfg)
	for i, g := range []*gateway{b, c} {
		if got := settledAt(t, g.store, last); got != want {
			t.Errorf("gateway %d: got %+v, want %+v", i+1, got, want)
		}
	}
	_, keptA := a.store.Digests()
	_, keptB := b.store.Digests()
	if len(keptA) != 1 || len(keptB) != 1 || keptA[0] != keptB[0] {
		t.Errorf("kept %v and %v, want one that is the same", keptA, keptB)
	}
}

// A gateway that lags gets the newest event of each group only. What it shows in
// between is not compared with what the others had there.
func TestAGatewayThatLagsIsNotSettled(t *testing.T) {
	server := startServer(t)
	cfg := Config{URL: server.ClientURL()}
	a := startGateway(t, cfg)
	proxy := startProxy(t, server.Addr().String())
	lags := startGateway(t, Config{URL: proxy.url()})
	last := a.push(t, testkit.Put("/job/x", 0))[0]
	settledAt(t, lags.store, last)
	before, _ := lags.store.Gaps()
	proxy.away(true)
	for i := range 600 {
		last = a.push(t, testkit.Put(fmt.Sprintf("/job/x/instance/%d", i%3), i))[0]
	}
	proxy.away(false)
	want := a.store.Digest()
	if got := settledAt(t, lags.store, last); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if after, _ := lags.store.Gaps(); after == before {
		t.Error("it has missed nothing, so the test shows nothing")
	}
	_, kept := lags.store.Digests()
	_, all := a.store.Digests()
	for _, d := range kept {
		if !slices.Contains(all, d) {
			t.Errorf("kept %+v, which is none of %+v", d, all)
		}
	}
}

func TestGatewaysTellOfEachOther(t *testing.T) {
	server := startServer(t)
	cfg := Config{URL: server.ClientURL()}
	a, b := startGateway(t, cfg), startGateway(t, cfg)
	a.introduce(t, "1.0.0")
	b.introduce(t, "1.1.0")
	seq := a.push(t, testkit.Put("/job/x", 1))[0]
	settledAt(t, b.store, seq)
	gateways := a.all(t, 2)
	for _, g := range gateways {
		want := Gateway{
			ID: a.instance, Version: "1.0.0", Self: true, Ready: true, Connected: true, Applied: seq,
			Digest: Sum(a.store.Digest().Sum), Settled: true, Started: time.Unix(1_700_000_000, 0).UTC(),
		}
		if !g.Self {
			want.ID, want.Version, want.Self = b.instance, "1.1.0", false
		}
		if got, want := fmt.Sprint(g), fmt.Sprint(want); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if gateways[0].Self == gateways[1].Self {
		t.Error("one of them is not the one that asks")
	}
	b.stop()
	if alone := a.all(t, 1); !alone[0].Self {
		t.Errorf("got %+v", alone)
	}
	server.halt()
	testkit.Eventually(t, "disconnected", func() bool { return !a.Status().Connected })
	start := time.Now()
	alone, err := a.Gateways(context.Background())
	if err == nil || len(alone) != 1 || alone[0].Connected {
		t.Errorf("got %+v, %v without a server", alone, err)
	}
	if took := time.Since(start); took > patience {
		t.Errorf("it took %s", took)
	}
	if _, err := a.StreamState(context.Background()); err == nil {
		t.Error("the stream of no server answers")
	}
}

// Whoever may publish can answer: that must neither hurt nor keep the others
// from being heard.
func TestGatewaysBoundWhatOthersSend(t *testing.T) {
	server := startServer(t)
	cfg := Config{URL: server.ClientURL()}
	a, b := startGateway(t, cfg), startGateway(t, cfg)
	a.introduce(t, "a")
	b.introduce(t, "b")
	a.all(t, 2)
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	forged := Gateway{ID: "x\x1b[2J" + strings.Repeat("y", 1000), Server: "s\n", Self: true, Digest: 5}
	good, err := json.Marshal(forged)
	if err != nil {
		t.Fatal(err)
	}
	huge, err := json.Marshal(Gateway{ID: "huge", Kept: make([]KeptDigest, 5000)})
	if err != nil {
		t.Fatal(err)
	}
	replaces := func(old, with string) []byte { return []byte(strings.Replace(string(good), old, with, 1)) }
	_, err = nc.Subscribe("sluice.gateways", func(m *nats.Msg) {
		for _, text := range [][]byte{
			nil, []byte("nonsense"), []byte(`{}`), []byte(`[]`), huge, good, good,
			replaces(`"0000000000000005"`, `"5"`), replaces(`"0000000000000005"`, `"000000000000000g"`), replaces(`"applied_sequence":0`, `"applied_sequence":-1`),
		} {
			if err := m.Respond(text); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	gateways := a.all(t, 3)
	for _, g := range gateways {
		if g.Digest == 5 && (g.Self || g.Server != "s?" || len(g.ID) != 256 || !strings.HasPrefix(g.ID, "x?[2J")) {
			t.Errorf("got %+v", g)
		}
	}
	// No more than can be shown, however many there are.
	_, err = nc.Subscribe("sluice.gateways", func(m *nats.Msg) {
		for i := range 3 * maxGateways {
			if err := m.Respond(fmt.Appendf(nil, `{"id":"%d"}`, i)); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "many answer", func() bool {
		gateways, err := a.Gateways(context.Background())
		if err != nil || len(gateways) > maxGateways {
			t.Fatalf("%d gateways, %v", len(gateways), err)
		}
		return len(gateways) > maxGateways/2
	})
}

// A question can't make a gateway publish an event of the stream, or ask the
// server for something.
func TestGatewaysAnswerNoSubjectOfTheirOwn(t *testing.T) {
	g := startGateway(t, Config{Server: embed.Config{DataDir: t.TempDir(), Sync: embed.SyncInterval}})
	g.introduce(t, "v")
	g.push(t, testkit.Put("/job/x", 1))
	for _, reply := range []string{"sluice.log.job=x", "$JS.API.STREAM.PURGE.SLUICE"} {
		if err := g.nc.PublishRequest("sluice.gateways", reply, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.nc.Publish("sluice.gateways", nil); err != nil { // and nobody to answer
		t.Fatal(err)
	}
	answered, err := g.nc.Request("sluice.gateways", nil, patience) // behind the others
	if err != nil || !json.Valid(answered.Data) {
		t.Fatalf("got %v, %v", answered, err)
	}
	info, err := g.streamInfo(context.Background())
	if err != nil || info.State.LastSeq != 1 || info.State.Msgs != 1 {
		t.Errorf("the stream ends at %d with %d events, %v", info.State.LastSeq, info.State.Msgs, err)
	}
}

func TestStreamStateOfASingleGateway(t *testing.T) {
	g := startGateway(t, Config{Server: embed.Config{DataDir: t.TempDir(), Sync: embed.SyncInterval}})
	seq := g.push(t, testkit.Put("/job/x", 1))[0]
	s, err := g.StreamState(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := StreamState{Name: "SLUICE", Replicas: 1, Leader: "sluice", Last: seq, Copies: []StreamCopy{{Server: "sluice", Leader: true, Current: true}}}
	if got, want := fmt.Sprintf("%+v", *s), fmt.Sprintf("%+v", want); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if name := g.ClusterName(); name != "" {
		t.Errorf("it is in cluster %q", name)
	}
}

func TestGatewaysOfACluster(t *testing.T) {
	members := startMembers(t, memberConfigs(t, 3)...)
	for i, g := range members {
		g.introduce(t, fmt.Sprint(i))
	}
	last := members[1].push(t, testkit.Put("/job/x", 1))[0]
	sums := map[Sum]bool{}
	servers := map[string]bool{}
	for _, g := range members {
		settledAt(t, g.store, last)
	}
	for _, g := range members[0].all(t, 3) {
		sums[g.Digest] = true
		servers[g.Server] = true
		if !g.Settled || g.Applied != last {
			t.Errorf("got %+v", g)
		}
	}
	if len(sums) != 1 || len(servers) != 3 || members[2].ClusterName() != "sluice" {
		t.Errorf("digests %v, servers %v of cluster %q", sums, servers, members[2].ClusterName())
	}
	testkit.Eventually(t, "all copies are current", func() bool {
		s, err := members[2].StreamState(context.Background())
		if err != nil || len(s.Copies) != 3 {
			return false // the last one is being made
		}
		leaders := 0
		for _, c := range s.Copies {
			if c.Leader {
				leaders++
				if c.Server != s.Leader {
					t.Fatalf("leader %q in %+v", c.Server, s)
				}
			}
			if !servers[c.Server] || !c.Current || c.Offline {
				return false
			}
		}
		return leaders == 1 && s.Replicas == 3 && s.Last >= last
	})
}
