package exposer

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"sluice/store"
)

// OwnMetrics are the gateway's own families: those of the Go runtime, of the
// process, of Pushgateway under their names there, and Sluice's.
type OwnMetrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	size     *prometheus.SummaryVec
	duration *prometheus.SummaryVec
	groups   prometheus.Gauge
}

// NewOwnMetrics returns the own metrics in a registry that others may add
// theirs to.
func NewOwnMetrics() *OwnMetrics {
	objectives := map[float64]float64{0.1: 0.01, 0.5: 0.05, 0.9: 0.01}
	m := &OwnMetrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pushgateway_http_requests_total",
			Help: "Total HTTP requests processed by the Pushgateway, excluding scrapes.",
		}, []string{"handler", "code", "method"}),
		size: prometheus.NewSummaryVec(prometheus.SummaryOpts{
			Name:       "pushgateway_http_push_size_bytes",
			Help:       "HTTP request size for pushes to the Pushgateway.",
			Objectives: objectives,
		}, []string{"method"}),
		duration: prometheus.NewSummaryVec(prometheus.SummaryOpts{
			Name:       "pushgateway_http_push_duration_seconds",
			Help:       "HTTP request duration for pushes to the Pushgateway.",
			Objectives: objectives,
		}, []string{"method"}),
		groups: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_groups",
			Help: "Groups in this scrape.",
		}),
	}
	m.registry.MustRegister(m.requests, m.size, m.duration, m.groups,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		version.NewCollector("pushgateway"),
	)
	// From the start, so that the families are there before the first push:
	// their types are reserved then.
	m.requests.WithLabelValues("push", "200", "put")
	for _, method := range []string{"put", "post"} {
		m.size.WithLabelValues(method)
		m.duration.WithLabelValues(method)
	}
	return m
}

// Registerer is where other parts add their metrics.
func (m *OwnMetrics) Registerer() prometheus.Registerer { return m.registry }

// Reserved returns the types of all own families by name. All parts must have
// added theirs.
func (m *OwnMetrics) Reserved() (map[string]dto.MetricType, error) {
	families, err := m.registry.Gather()
	if err != nil {
		return nil, err
	}
	reserved := map[string]dto.MetricType{}
	for _, f := range families {
		reserved[f.GetName()] = f.GetType()
	}
	return reserved, nil
}

// gather returns the own families at the time of a view.
func (m *OwnMetrics) gather(view *store.View) ([]*dto.MetricFamily, error) {
	m.groups.Set(float64(view.Len()))
	return m.registry.Gather()
}

// Instrument counts the requests of a handler under its name.
func (m *OwnMetrics) Instrument(handler string, h http.HandlerFunc) http.HandlerFunc {
	return promhttp.InstrumentHandlerCounter(m.requests.MustCurryWith(prometheus.Labels{"handler": handler}), h)
}

// InstrumentPush also measures size and duration.
func (m *OwnMetrics) InstrumentPush(handler string, h http.HandlerFunc) http.HandlerFunc {
	return promhttp.InstrumentHandlerRequestSize(m.size,
		promhttp.InstrumentHandlerDuration(m.duration, m.Instrument(handler, h))).ServeHTTP
}
