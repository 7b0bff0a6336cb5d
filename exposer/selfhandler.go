package exposer

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"sluice/store"
)

// SelfHandler returns a handler that serves the gateway's own families alone, in the
// formats of every exporter. It also answers during a replay.
func SelfHandler(self *SelfMetrics, s *store.Store, logger *slog.Logger) http.Handler {
	gather := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		return self.gather(s.View())
	})
	return promhttp.HandlerFor(gather, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelError),
	})
}
