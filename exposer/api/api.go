// Package api answers queries as JSON: the query API of Pushgateway, version 1,
// and what Sluice adds to it. Each answer has one exported type, which the HTTP
// handlers write, the page shows and the client commands read. The methods of
// API return these types to callers in the process; they make no requests.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/common/route"
	"golang.org/x/sync/singleflight"

	"sluice/store"
)

// API answers queries from the store, and from what other parts of the gateway
// tell it. Its methods may be called concurrently.
type API struct {
	store *store.Store
	cfg   Config
	// asking joins questions about the cluster that are asked at the same time.
	asking singleflight.Group
	// histories has a place for each request that reads the stream.
	histories chan struct{}
	now       func() time.Time
	logger    *slog.Logger
}

// Config says where the API finds what is not in the store. All functions are
// called concurrently. Those that a request does not need may be nil.
type Config struct {
	// Ready tells whether the store has all that the stream has. It must not
	// block.
	Ready func() bool
	// Refusals returns the refusals that this gateway remembers, at most one of
	// each group. It must not block.
	Refusals func() []store.Refusal
	// Address is where Prometheus reaches the gateway.
	Address Address
	// Status is the answer of /api/v1/status.
	Status Status
	// Cluster asks the stream and the other gateways.
	Cluster ClusterSource
	// Stream tells what this gateway knows of the stream.
	Stream StreamSource
	// History reads what the stream has kept of a group.
	History HistorySource
	// Events has the events of the stream as they happen; nil for none.
	Events *Broadcaster
}

// Status is the answer of /api/v1/status.
type Status struct {
	// Build says which program this is: version, revision, and so on.
	Build map[string]string `json:"build_information"`
	// Flags are the command line flags by name, with their values.
	Flags map[string]string `json:"flags"`
	// Defaults are the default values of the flags that have another value.
	Defaults map[string]string `json:"flag_defaults,omitempty"`
	// Start is when the process was started.
	Start time.Time `json:"start_time"`
}

// New returns an API over a store.
func New(s *store.Store, cfg Config, logger *slog.Logger) *API {
	if cfg.Events == nil {
		cfg.Events = NewBroadcaster()
	}
	return &API{store: s, cfg: cfg, histories: make(chan struct{}, maxHistories), now: time.Now, logger: logger}
}

// Register adds the routes, without the prefix /api/v1.
func (a *API) Register(r *route.Router, instrument func(handler string, h http.HandlerFunc) http.HandlerFunc) {
	wrap := func(name string, h http.HandlerFunc) http.HandlerFunc {
		return instrument("api/v1/"+name, func(w http.ResponseWriter, r *http.Request) {
			setHeaders(w)
			h(w, answered(r))
		})
	}
	r.Options("/*path", wrap("options", func(http.ResponseWriter, *http.Request) {}))
	r.Get("/status", wrap("status", a.serveStatus))
	r.Get("/metrics", wrap("metrics", a.serveMetrics))
	r.Get("/refusals", wrap("refusals", a.serveRefusals))
	r.Get("/groups", wrap("groups", a.serveGroups))
	r.Get("/jobs", wrap("jobs", a.serveJobs))
	r.Get("/group", wrap("group", a.serveGroup))
	r.Get("/events", instrument("api/v1/events", func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w)
		a.serveEvents(w, r)
	}))
	r.Get("/history", wrap("history", a.serveHistory))
	r.Get("/stream", wrap("stream", a.serveStream))
	r.Get("/targets", wrap("targets", a.serveTargets))
	r.Get("/cluster", wrap("cluster", a.serveCluster))
}

// answered returns a request that is answered although its client has closed its
// side of the connection behind it: it may still read (RFC 9112, section 9.6), and
// net/http ends the context of a request then. All answers but /api/v1/events are
// bounded by times of their own.
func answered(r *http.Request) *http.Request {
	return r.WithContext(context.WithoutCancel(r.Context()))
}

// setHeaders sets what all answers of Pushgateway's API have: browsers may read them
// from pages of other sites, and nobody keeps them.
func setHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin")
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Date")
	h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
}

// Status returns build, flags and start time of the gateway.
func (a *API) Status() Status { return a.cfg.Status }

func (a *API) serveStatus(w http.ResponseWriter, _ *http.Request) {
	a.send(w, a.Status())
}
