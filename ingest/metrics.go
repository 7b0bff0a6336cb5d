package ingest

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/store"
)

// Metrics are the metrics of this package.
type Metrics struct {
	pushes    *prometheus.CounterVec
	refused   *prometheus.CounterVec
	redirects *prometheus.CounterVec
	expired   prometheus.Counter
	forgotten prometheus.Counter
	abandoned prometheus.Counter
	overflows prometheus.Counter
}

// NewMetrics returns the metrics, registered if reg is not nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		pushes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_changes_total",
			Help: "Pushes and deletes that were accepted, by operation and by the way they came.",
		}, []string{"op", "via"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_changes_refused_total",
			Help: "Pushes and deletes that were refused, by reason and by the way they came.",
		}, []string{"reason", "via"}),
		redirects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_http_redirects_total",
			Help: "HTTP requests that were redirected, by what is odd about their path and by method. Many clients lose such a push.",
		}, []string{"kind", "method"}),
		expired: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_groups_expired_total",
			Help: "Groups whose time to live was over, as decided by this gateway.",
		}),
		forgotten: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_groups_forgotten_total",
			Help: "Groups that were forgotten after they had expired, as decided by this gateway.",
		}),
		abandoned: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_changes_abandoned_total",
			Help: "Pushes and deletes whose client had gone before they were judged.",
		}),
		overflows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_nats_overflows_total",
			Help: "How often requests over NATS came faster than they were taken, so that some were dropped without a reply.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.pushes, m.refused, m.redirects, m.expired, m.forgotten, m.abandoned, m.overflows)
	}
	return m
}

// count counts a verdict.
func (m *Metrics) count(op, via string, err error) {
	if err == nil {
		m.pushes.WithLabelValues(op, via).Inc()
		return
	}
	reason := reasonInternal
	var refused *Error
	if errors.As(err, &refused) {
		reason = refused.Reason
	}
	m.refused.WithLabelValues(reason, via).Inc()
}

// countExpiry counts the event by which the expirer has ended a group.
func (m *Metrics) countExpiry(event, asked store.Op) {
	switch {
	case asked != store.OpExpire:
	case event == store.OpExpire:
		m.expired.Inc()
	default:
		m.forgotten.Inc()
	}
}
