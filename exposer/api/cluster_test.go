package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/route"

	"sluice/bus"
	"sluice/bus/embed"
	"sluice/store"
)

// clusterAPI serves /cluster only.
func clusterAPI(c ClusterSource) http.Handler {
	r := route.New()
	New(store.New(store.Settings{}), Config{Cluster: c}, promslog.NewNopLogger()).
		Register(r, func(_ string, h http.HandlerFunc) http.HandlerFunc { return h })
	return r
}

func TestAgreement(t *testing.T) {
	// A gateway: its present sequence and digest, settled or not, and earlier ones.
	gateway := func(seq uint64, sum bus.Sum, settled bool, kept ...bus.KeptDigest) bus.Gateway {
		return bus.Gateway{Ready: true, Applied: seq, Digest: sum, Settled: settled, Kept: kept}
	}
	kept := func(seq uint64, sum bus.Sum) bus.KeptDigest { return bus.KeptDigest{Sequence: seq, Digest: sum} }
	replaying := gateway(999, 1, true)
	replaying.Ready = false
	for name, c := range map[string]struct {
		gateways []bus.Gateway
		want     string
	}{
		"nobody":                  {nil, `{"sequence":0,"agree":null,"gateways":0}`},
		"one":                     {[]bus.Gateway{gateway(5, 7, true)}, `{"sequence":5,"agree":true,"gateways":1}`},
		"one that is not settled": {[]bus.Gateway{gateway(5, 7, false)}, `{"sequence":0,"agree":null,"gateways":1}`},
		"one that replays":        {[]bus.Gateway{replaying}, `{"sequence":0,"agree":null,"gateways":0}`},
		"three at rest":           {[]bus.Gateway{gateway(5, 7, true), gateway(5, 7, true), gateway(5, 7, true)}, `{"sequence":5,"agree":true,"gateways":3}`},
		"an empty stream":         {[]bus.Gateway{gateway(0, 0, true), gateway(0, 0, true)}, `{"sequence":0,"agree":true,"gateways":2}`},
		"one of three differs":    {[]bus.Gateway{gateway(5, 7, true), gateway(5, 8, true), gateway(5, 7, true)}, `{"sequence":5,"agree":false,"gateways":3}`},
		"one replays meanwhile":   {[]bus.Gateway{gateway(5, 7, true), replaying}, `{"sequence":5,"agree":true,"gateways":1}`},
		"under load": {[]bus.Gateway{
			gateway(800, 1, true, kept(256, 7), kept(512, 8), kept(768, 9)), gateway(790, 2, true, kept(256, 7), kept(512, 8), kept(768, 9)), gateway(760, 3, true, kept(256, 7), kept(512, 8)),
		}, `{"sequence":512,"agree":true,"gateways":3}`},
		"under load, the last differs": {[]bus.Gateway{
			gateway(800, 1, true, kept(256, 7), kept(512, 8)), gateway(790, 2, false, kept(256, 7), kept(512, 9)),
		}, `{"sequence":512,"agree":false,"gateways":2}`},
		"one stands where the other was": {[]bus.Gateway{gateway(512, 8, true), gateway(790, 2, true, kept(512, 8))}, `{"sequence":512,"agree":true,"gateways":2}`},
		"nothing in common":              {[]bus.Gateway{gateway(300, 8, true, kept(256, 7)), gateway(790, 2, true, kept(512, 8))}, `{"sequence":0,"agree":null,"gateways":2}`},
		"one says it twice":              {[]bus.Gateway{gateway(300, 8, true, kept(256, 7), kept(256, 7)), gateway(790, 2, true)}, `{"sequence":0,"agree":null,"gateways":2}`},
	} {
		got, err := json.Marshal(agreementOf(c.gateways))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, c.want)
		}
	}
}

// What cannot be asked is told, and the rest is there.
func TestClusterWithoutAStream(t *testing.T) {
	self := bus.Gateway{
		ID: "a", Version: "1", Self: true, Ready: true, Applied: 7, Digest: 0xab, Settled: true,
		Started: time.Unix(1, 0).UTC(), Kept: []bus.KeptDigest{{Sequence: 1, Digest: 2}},
	}
	h := clusterAPI(ClusterSource{
		Name:     func() string { return "c" },
		Stream:   func(context.Context) (*bus.StreamState, error) { return nil, errors.New("no stream") },
		Members:  func() (connected, size int) { return 2, 3 },
		Gateways: func(context.Context) ([]bus.Gateway, error) { return []bus.Gateway{self}, errors.New("no gateways") },
	})
	for range 2 { // what one answer leaves out is there for the next one
		wantJSON(t, getJSON(t, h, "/cluster"), `{"status":"success","data":{"name":"c","stream":null,"error":"no stream","members":{"connected":2,"size":3},
			"gateways":[{"id":"a","server":"","version":"1","self":true,"ready":true,"connected":false,"applied_sequence":7,
				"digest":"00000000000000ab","settled":true,"started":"1970-01-01T00:00:01Z"}],
			"agreement":{"sequence":7,"agree":true,"gateways":1}}}`)
	}
}

// Many who ask at once are one question.
func TestClusterIsAskedOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		all := make(chan struct{})
		h := clusterAPI(ClusterSource{
			Name:   func() string { return "" },
			Stream: func(context.Context) (*bus.StreamState, error) { return &bus.StreamState{Name: "S"}, nil },
			Gateways: func(ctx context.Context) ([]bus.Gateway, error) {
				asked++
				if deadline, bounded := ctx.Deadline(); !bounded || time.Until(deadline) > clusterTime {
					t.Errorf("the question is bounded by %s, %v", time.Until(deadline), bounded)
				}
				<-all
				return nil, nil
			},
		})
		var clients sync.WaitGroup
		for range 20 {
			clients.Go(func() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/cluster", nil))
				if w.Code != 200 {
					t.Errorf("got %d", w.Code)
				}
			})
		}
		synctest.Wait() // all of them wait for the answer
		close(all)
		clients.Wait()
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	})
}

// A gateway that is alone agrees with itself.
func TestClusterOfOne(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b, err := bus.Open(ctx, bus.Config{Server: embed.Config{DataDir: t.TempDir(), Sync: embed.SyncInterval}}, promslog.NewNopLogger(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.Background())
	s := store.New(store.Settings{})
	var following sync.WaitGroup
	following.Go(func() {
		if err := b.Follow(ctx, s); err != nil {
			t.Error(err)
		}
	})
	defer following.Wait()
	defer cancel()
	if err := b.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	started := time.Unix(1_700_000_000, 0)
	if err := b.Introduce(bus.Introduction{Store: s, Version: "1.2", Started: started, Ready: func() bool { return b.Status().Ready }}); err != nil {
		t.Fatal(err)
	}
	key, err := store.NewKey("x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Append(ctx, 0, []store.Event{{Op: store.OpPut, Key: key, PushTime: 1}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Wait(ctx, 1); err != nil {
		t.Fatal(err)
	}
	h := clusterAPI(ClusterSource{Name: b.ClusterName, Stream: b.StreamState, Gateways: b.Gateways})
	got := getJSON(t, h, "/cluster")
	gateway := got.(map[string]any)["data"].(map[string]any)["gateways"].([]any)[0].(map[string]any)
	if id, _ := gateway["id"].(string); len(id) < 10 {
		t.Errorf("got id %v", gateway["id"])
	}
	gateway["id"] = "?"
	wantJSON(t, got, fmt.Sprintf(`{"status":"success","data":{"name":"",
		"stream":{"name":"SLUICE","replicas":1,"leader":"sluice","last_sequence":1,
			"copies":[{"server":"sluice","leader":true,"current":true,"offline":false,"lag":0,"active_seconds":0}]},
		"gateways":[{"id":"?","server":"sluice","version":"1.2","self":true,"ready":true,"connected":true,"applied_sequence":1,
			"digest":"%016x","settled":true,"started":"2023-11-14T22:13:20Z"}],
		"agreement":{"sequence":1,"agree":true,"gateways":1}}}`, s.Digest().Sum))
}
