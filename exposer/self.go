package exposer

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"sluice/store"
)

// SelfMetrics are the gateway's own families: those of the Go runtime, of the
// process, of Pushgateway under their names there, and those of Sluice. Its methods
// may be called concurrently.
type SelfMetrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	size     *prometheus.SummaryVec
	duration *prometheus.SummaryVec
	groups   prometheus.Gauge
	dead     prometheus.Gauge
	states   *prometheus.GaugeVec
	jobs     prometheus.Gauge
	series   prometheus.Gauge
}

// NewSelfMetrics returns metrics in a new registry, to which other parts add theirs.
func NewSelfMetrics() *SelfMetrics {
	objectives := map[float64]float64{0.1: 0.01, 0.5: 0.05, 0.9: 0.01}
	m := &SelfMetrics{
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
		dead: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_groups_dead",
			Help: "Groups that have expired and are not forgotten yet.",
		}),
		states: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_groups_by_state",
			Help: "Groups by state: up, failing (the last push was refused), never (no push was accepted), dead (expired and not forgotten yet). Refusals that are not in the stream do not count.",
		}, []string{"state"}),
		jobs: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_jobs",
			Help: "Different values of the label job of all groups.",
		}),
		series: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_series",
			Help: "Pushed series of all groups. A histogram has one for each bucket and two more.",
		}),
	}
	m.registry.MustRegister(m.requests, m.size, m.duration, m.groups, m.dead, m.states, m.jobs, m.series,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		version.NewCollector("pushgateway"),
	)
	for _, state := range []string{"up", "failing", "never", "dead"} {
		m.states.WithLabelValues(state)
	}
	// The families must be there before the first push, so that Reserved has their
	// types.
	for _, method := range []string{"put", "post"} {
		m.requests.WithLabelValues("push", "200", method)
		m.size.WithLabelValues(method)
		m.duration.WithLabelValues(method)
	}
	return m
}

// Registerer is where other parts add their metrics.
func (m *SelfMetrics) Registerer() prometheus.Registerer { return m.registry }

// Reserved returns the types of all families by name. It is called once all parts
// have added their metrics.
func (m *SelfMetrics) Reserved() (map[string]dto.MetricType, error) {
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

// gather returns the families at the time of a view. A nil *SelfMetrics has none.
func (m *SelfMetrics) gather(view *store.View) ([]*dto.MetricFamily, error) {
	if m == nil {
		return nil, nil
	}
	m.groups.Set(float64(view.Len()))
	m.dead.Set(float64(view.LenDead()))
	m.countGroups(view)
	return m.registry.Gather()
}

// countGroups looks at each group once. Groups of a job follow one another.
func (m *SelfMetrics) countGroups(view *store.View) {
	var up, failing, never, dead, jobs, series int
	var last string
	for g := range view.All() {
		switch {
		case g.Dead():
			dead++
		case g.PushTime() == 0:
			never++
		case g.FailTime() >= g.PushTime():
			failing++
		default:
			up++
		}
		if job, _ := g.Key().Get(store.JobLabel); jobs == 0 || job != last {
			jobs, last = jobs+1, job
		}
		_, n := g.Size()
		series += n
	}
	for state, n := range map[string]int{"up": up, "failing": failing, "never": never, "dead": dead} {
		m.states.WithLabelValues(state).Set(float64(n))
	}
	m.jobs.Set(float64(jobs))
	m.series.Set(float64(series))
}

// Instrument counts the requests of a handler under its name.
func (m *SelfMetrics) Instrument(handler string, h http.HandlerFunc) http.HandlerFunc {
	return promhttp.InstrumentHandlerCounter(m.requests.MustCurryWith(prometheus.Labels{"handler": handler}), h)
}

// InstrumentPush counts and measures the pushes of one method. It does what
// promhttp's wrappers do, but looks its metrics up once. For each push the wrappers'
// look-ups would take as long as judging it.
func (m *SelfMetrics) InstrumentPush(method string, h http.HandlerFunc) http.HandlerFunc {
	method = strings.ToLower(method)
	requests := m.requests.MustCurryWith(prometheus.Labels{"handler": "push", "method": method})
	ok := requests.WithLabelValues("200")
	size, duration := m.size.WithLabelValues(method), m.duration.WithLabelValues(method)
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		h(recorder, r)
		if recorder.status == http.StatusOK {
			ok.Inc()
		} else {
			requests.WithLabelValues(strconv.Itoa(recorder.status)).Inc()
		}
		size.Observe(float64(requestSize(r)))
		duration.Observe(time.Since(start).Seconds())
	}
}

// statusRecorder remembers the status that a handler answers with.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the writer beneath.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// requestSize is the approximate size of a request on the wire, in bytes.
func requestSize(r *http.Request) int64 {
	n := len(r.Method) + len(r.RequestURI) + len(r.Proto) + len(r.Host)
	for name, values := range r.Header {
		n += len(name)
		for _, value := range values {
			n += len(value)
		}
	}
	return int64(n) + max(r.ContentLength, 0)
}
