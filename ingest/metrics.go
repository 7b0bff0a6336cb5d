package ingest

import (
	"errors"
	"time"

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
	// waiting and waitingBytes are of the changes that wait for their verdict.
	waiting, waitingBytes prometheus.Gauge
	// viaHTTP and viaNATS are how long pushes took.
	viaHTTP, viaNATS prometheus.Observer
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
	m.waiting = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "sluice_changes_waiting",
		Help: "Pushes and deletes that wait for their verdict (--push.max-waiting).",
	})
	m.waitingBytes = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "sluice_changes_waiting_bytes",
		Help: "Memory that they hold, in bytes (--push.max-waiting-bytes).",
	})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "sluice_push_duration_seconds",
		Help:    "Time from a push to its verdict, accepted or refused, by the way it came.",
		Buckets: prometheus.ExponentialBuckets(0.00025, 2, 16), // 0.25 ms to 8.2 s; --push.wait is 8 s by default
		// As finely as a native histogram of Prometheus' own metrics, within 160 buckets.
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
	}, []string{"via"})
	m.viaHTTP, m.viaNATS = duration.WithLabelValues(viaHTTP), duration.WithLabelValues(viaNATS)
	// A family must be there before the first push, so that no push takes its name
	// with another type.
	m.pushes.WithLabelValues(store.OpPut.String(), viaHTTP)
	m.refused.WithLabelValues(reasonInternal, viaHTTP)
	m.redirects.WithLabelValues(kindFirstSlash, "post")
	if reg != nil {
		reg.MustRegister(m.waiting, m.waitingBytes, duration, m.pushes, m.refused, m.redirects, m.expired, m.forgotten, m.abandoned, m.overflows)
	}
	return m
}

// observe measures a push that has had its verdict just now.
func (m *Metrics) observe(via prometheus.Observer, begun time.Time) {
	via.Observe(time.Since(begun).Seconds())
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
