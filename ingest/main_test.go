package ingest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/route"
	"go.uber.org/goleak"

	"sluice/bus"
	"sluice/bus/embed"
	"sluice/store"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// patience bounds every wait of the tests. It is long, since it only matters
// when something is broken.
const patience = 30 * time.Second

// gateway is the part of a gateway below the command line.
type gateway struct {
	bus       *bus.Bus
	store     *store.Store
	committer *Committer
	metrics   *Metrics
	front     *Front
	service   *Service
	handler   http.Handler
	cancel    context.CancelFunc
	ahead     atomic.Int64 // how far its clock is ahead of the time, in nanoseconds
}

// now is the gateway's clock, and advance moves it on.
func (g *gateway) now() time.Time          { return time.Now().Add(time.Duration(g.ahead.Load())) }
func (g *gateway) advance(d time.Duration) { g.ahead.Add(int64(d)) }

// startGateway runs a gateway until the test ends, with an embedded server
// unless the configuration names another one. The options change the other
// settings.
func startGateway(tb testing.TB, cfg bus.Config, committer CommitterConfig, options ...func(*store.Settings, *FrontConfig)) *gateway {
	tb.Helper()
	if cfg.URL == "" && cfg.Server.DataDir == "" {
		cfg.Server.DataDir = tb.TempDir()
	}
	if cfg.Server.Sync == "" {
		cfg.Server.Sync = embed.SyncInterval
	}
	logger := promslog.NewNopLogger()
	b, err := bus.Open(tb.Context(), cfg, logger, nil)
	if err != nil {
		tb.Fatal(err)
	}
	settings, front := store.Settings{}, FrontConfig{MaxBytes: 1 << 20}
	for _, option := range options {
		option(&settings, &front)
	}
	g := &gateway{bus: b, store: store.New(settings), metrics: NewMetrics(nil)}
	g.committer = NewCommitter(b, g.store, committer, logger, g.metrics)
	g.setFront(front)

	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	ended := make(chan error, 2)
	go func() { ended <- b.Follow(ctx, g.store) }()
	go func() { ended <- g.committer.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		for range 2 {
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

// unchecked turns the consistency check off.
func unchecked(s *store.Settings, f *FrontConfig) { s.Unchecked, f.Unchecked = true, true }

// setFront replaces the front ends by some with other settings.
func (g *gateway) setFront(cfg FrontConfig) {
	g.front = NewFront(g.committer, NewRefusals(), cfg, g.metrics)
	g.front.now = g.now
	g.service = NewService(g.front, g.bus.Conn(), "sluice", "1.2.3", promslog.NewNopLogger())
	r := route.New()
	for _, path := range []string{"/metrics/job/:job", "/metrics/job/:job/*labels"} {
		r.Put(path, g.front.Push(store.OpPut, false))
		r.Post(path, g.front.Push(store.OpPost, false))
		r.Del(path, g.front.Delete(false))
	}
	r.Put("/wipe", g.front.Wipe())
	g.handler = r
}

// refused returns how many changes were refused for a reason, over HTTP
// or NATS.
func (g *gateway) refused(reason, via string) float64 {
	var m dto.Metric
	if err := g.metrics.refused.WithLabelValues(reason, via).Write(&m); err != nil {
		panic(err)
	}
	return m.GetCounter().GetValue()
}

// startService lets the gateway take requests over NATS, until the test ends.
func (g *gateway) startService(tb testing.TB) *nats.Conn {
	tb.Helper()
	if err := g.service.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := g.service.Stop(ctx); err != nil {
			tb.Error(err)
		}
	})
	return g.bus.Conn()
}

var defaultCommitter = CommitterConfig{Wait: patience, MaxWaiting: 1000}

// do sends a request and returns status and body.
func (g *gateway) do(method, path, body string, header ...string) (int, string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// text returns the samples of the families that were pushed.
func (g *gateway) text() string {
	var b strings.Builder
	for _, f := range g.store.View().Families() {
		if store.IsDerivedName(f.Name()) {
			continue
		}
		for block := range f.Blocks() {
			b.Write(block)
		}
	}
	return b.String()
}
