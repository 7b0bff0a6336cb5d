package gateway

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/common/route"

	"sluice/bus"
	"sluice/exposer"
)

// natsRetryInterval is the pause between two attempts to reach the servers of
// --bus.url at the start.
const natsRetryInterval = time.Second

// openBus opens the bus. If the servers of --bus.url cannot be reached it tries again
// for as long as BusWait allows. Meanwhile requests are answered: the gateway is
// healthy and not ready.
func (g *Gateway) openBus(ctx context.Context) (err error) {
	logger := g.logger.With("component", "bus")
	for begin := time.Now(); ; {
		g.bus, err = bus.Open(ctx, g.cfg.Bus, logger, g.self.Registerer())
		switch {
		case err == nil:
			return nil
		case g.cfg.Bus.URL == "" || g.cfg.BusWait == 0 || !bus.Unreachable(err) || ctx.Err() != nil:
			return err
		case time.Since(begin) > g.cfg.BusWait:
			return fmt.Errorf("waited %s for NATS (--bus.wait): %w", g.cfg.BusWait, err)
		}
		g.answerWaiting(fmt.Sprintf("waiting for NATS: %v", err))
		select {
		case <-time.After(natsRetryInterval):
		case <-ctx.Done():
			return fmt.Errorf("stopped while waiting for NATS: %w", context.Cause(ctx))
		}
	}
}

// answerWaiting answers requests with the reason for which the gateway waits.
func (g *Gateway) answerWaiting(reason string) {
	if g.waitingFor == "" {
		g.logger.Warn("cannot reach NATS at the start; waiting for it", "wait", g.cfg.BusWait, "reason", reason)
	}
	g.waitingFor = reason
	g.notifier.tell(reason, extend(replayTimeout))
	prefix := g.cfg.Prefix()
	why := func() string { return reason }
	r := route.New()
	r.Get(prefix+"/-/healthy", exposer.Healthy)
	r.Get(prefix+"/-/ready", exposer.Ready(why, why))
	mux := http.NewServeMux()
	mux.Handle(prefix+"/-/", r)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "not ready: "+reason, http.StatusServiceUnavailable)
	})
	g.handler.replace(mux)
	for _, s := range g.servers {
		s.start()
	}
}
