// Package api answers queries as JSON: the query API of Pushgateway, version 1,
// and what Sluice adds to it.
package api

import (
	"bufio"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/common/route"
	"golang.org/x/sync/singleflight"

	"sluice/store"
)

// bufferSize is how many bytes of a long answer are sent at once.
const bufferSize = 64 << 10

// API is the query API of Pushgateway, version 1, and what Sluice adds to it.
type API struct {
	store   *store.Store
	ready   func() bool
	recent  func() []store.Refusal
	reached Reached
	status  Status
	cluster Cluster
	stream  Stream
	live    *Live
	history History
	// histories has a place for each request that reads the stream.
	histories chan struct{}
	logger    *slog.Logger
}

// Status is what /api/v1/status tells besides its own success.
type Status struct {
	// Build says which program this is: version, revision, and so on.
	Build map[string]string `json:"build_information"`
	// Flags are the command line flags by name, with their values.
	Flags map[string]string `json:"flags"`
	// Start is when the process was started.
	Start time.Time `json:"start_time"`
}

// APIConfig is what the API tells besides what is stored.
type APIConfig struct {
	// Ready tells whether the store has all that the stream has.
	Ready func() bool
	// Recent returns the refusals that this gateway remembers, one a group.
	Recent func() []store.Refusal
	// Reached says where Prometheus finds the groups.
	Reached Reached
	Status  Status
	// Cluster answers for the others on the stream, and Stream for the stream as
	// this gateway sees it.
	Cluster Cluster
	Stream  Stream
	// Live has the events of the stream as they happen; nil for none.
	Live *Live
	// History reads the stream for what it has kept of a group.
	History History
}

// NewAPI returns the API over a store.
func NewAPI(s *store.Store, cfg APIConfig, logger *slog.Logger) *API {
	if cfg.Live == nil {
		cfg.Live = NewLive()
	}
	return &API{
		store: s, ready: cfg.Ready, recent: cfg.Recent, reached: cfg.Reached, status: cfg.Status,
		cluster: cfg.Cluster, stream: cfg.Stream, live: cfg.Live,
		history: cfg.History, histories: make(chan struct{}, mostHistories), logger: logger,
	}
}

// Register adds the routes, without the prefix /api/v1.
func (a *API) Register(r *route.Router, instrument func(handler string, h http.HandlerFunc) http.HandlerFunc) {
	wrap := func(name string, h http.HandlerFunc) http.HandlerFunc {
		return instrument("api/v1/"+name, func(w http.ResponseWriter, r *http.Request) {
			setCORS(w)
			h(w, r)
		})
	}
	r.Options("/*path", wrap("options", func(http.ResponseWriter, *http.Request) {}))
	r.Get("/status", wrap("status", a.serveStatus))
	r.Get("/metrics", wrap("metrics", a.serveMetrics))
	r.Get("/refusals", wrap("refusals", a.serveRefusals))
	r.Get("/groups", wrap("groups", a.serveGroups))
	r.Get("/group", wrap("group", a.serveGroup))
	r.Get("/events", wrap("events", a.serveEvents))
	r.Get("/history", wrap("history", a.serveHistory))
	r.Get("/stream", wrap("stream", a.serveStream))
	r.Get("/targets", wrap("targets", a.serveTargets))
	r.Get("/cluster", wrap("cluster", a.serveCluster(new(singleflight.Group))))
}

func setCORS(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin")
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Date")
}

func (a *API) serveStatus(w http.ResponseWriter, _ *http.Request) {
	a.send(w, a.status)
}

// send answers with data in the API's form.
func (a *API) send(w http.ResponseWriter, data any) {
	w.Header().Set("Content-Type", "application/json")
	answer := struct {
		Status string `json:"status"`
		Data   any    `json:"data"`
	}{"success", data}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		a.logger.Debug("cannot send an answer of the API", "err", err)
	}
}

// serveMetrics sends all groups with their families. They are encoded one after
// another, so that the answer costs no memory of its own size.
func (a *API) serveMetrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(w, bufferSize)
	err := writeGroups(out, a.store.View())
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		a.logger.Warn("cannot send the groups", "err", err)
	}
}

func writeGroups(w io.Writer, view *store.View) error {
	if _, err := io.WriteString(w, `{"status":"success","data":[`); err != nil {
		return err
	}
	separator := ""
	for g := range view.Groups() {
		group, err := encodeGroup(g)
		if err != nil {
			return err
		}
		text, err := json.Marshal(group)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, separator); err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		separator = ","
	}
	_, err := io.WriteString(w, "]}")
	return err
}
