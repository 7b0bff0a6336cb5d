package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/route"

	"sluice/bus"
	"sluice/bus/embed"
	"sluice/ingest"
	"sluice/store"
)

// gateway takes pushes and deletes into an embedded server.
type gateway struct {
	store   *store.Store
	pushes  http.Handler
	handler http.HandlerFunc // of DELETE /groups
	cancel  context.CancelFunc
	ended   chan struct{} // closed once nothing is committed any more
}

// startGateway runs a gateway until the test ends.
func startGateway(tb testing.TB) *gateway {
	tb.Helper()
	logger := promslog.NewNopLogger()
	b, err := bus.Open(tb.Context(), bus.Config{Server: embed.Config{DataDir: tb.TempDir(), Sync: embed.SyncInterval}}, logger, nil)
	if err != nil {
		tb.Fatal(err)
	}
	g := &gateway{store: store.New(store.Settings{}), ended: make(chan struct{})}
	metrics := ingest.NewMetrics(nil)
	committer := ingest.NewCommitter(b, g.store, ingest.CommitterConfig{Wait: patience, MaxWaiting: 1000}, logger, metrics)
	front := ingest.NewFront(committer, ingest.NewRefusals(), ingest.FrontConfig{MaxBytes: 1 << 20}, metrics)
	pushes := route.New()
	pushes.Put("/metrics/job/:job", front.Push(store.OpPut, false))
	pushes.Put("/metrics/job/:job/*labels", front.Push(store.OpPut, false))
	g.pushes = pushes
	g.handler = New(g.store, Config{}, logger).DeleteGroups(front)

	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	following := make(chan error, 1)
	committing := make(chan error, 1)
	go func() { following <- b.Follow(ctx, g.store) }()
	go func() {
		defer close(g.ended)
		committing <- committer.Run(ctx)
	}()
	tb.Cleanup(func() {
		cancel()
		for _, ended := range []chan error{following, committing} {
			if err := <-ended; err != nil {
				tb.Errorf("a part of the gateway failed: %v", err)
			}
		}
		stop, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Close(stop); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	ready, cancelReady := context.WithTimeout(tb.Context(), patience)
	defer cancelReady()
	if err := b.WaitReady(ready); err != nil {
		tb.Fatalf("not ready: %v", err)
	}
	return g
}

// push makes a group.
func (g *gateway) push(tb testing.TB, path string) {
	tb.Helper()
	w := httptest.NewRecorder()
	g.pushes.ServeHTTP(w, httptest.NewRequest(http.MethodPut, "/metrics"+path, strings.NewReader("a 1\n")))
	if w.Code != http.StatusOK {
		tb.Fatalf("push to %s: got %d %s", path, w.Code, w.Body)
	}
}
