package gateway

import (
	"log/slog"
	"net/http"
	"net/http/pprof"
	"path"
	"slices"
	"strings"

	"github.com/prometheus/common/route"

	"sluice/exposer"
	"sluice/exposer/api"
	"sluice/exposer/page"
	"sluice/ingest"
	"sluice/store"
)

// selfMetricsPath is where the gateway's own metrics are, without those pushed.
const selfMetricsPath = "/-/metrics"

// handlers has what serves the requests of each route.
type handlers struct {
	front        *ingest.Front
	paths        *ingest.Paths
	scraper      *exposer.Scraper
	api          *api.API
	self         *exposer.SelfMetrics
	selfOnly     http.Handler
	notReady     func() string // why the gateway is not ready for pushes; "" if it is
	notScrapable func() string // likewise for scrapes
	reload       func() error
	quit         func()
	logger       *slog.Logger
}

// routes returns the handler of all requests. The paths are those of Pushgateway.
//
//	/metrics/job/<job>{/<label>/<value>}   push and delete
//	/metrics                               scrape
//	/group/job/<job>{/<label>/<value>}     scrape of one group
//	/-/metrics                             the gateway's own metrics alone
//	/api/v1/...                            query API, admin API
//	/-/healthy /-/ready                    health
//	/-/reload /-/quit                      lifecycle
//	/debug/pprof/...                       profiles
//	/ /live /stream /status /static/...    the page
//
// It also returns the patterns of all paths but those of the API.
func routes(cfg *Config, h handlers) (_ http.Handler, patterns []string, err error) {
	front, self := h.front, h.self
	prefix := cfg.Prefix()
	r := route.New().WithInstrumentation(func(pattern string, h http.HandlerFunc) http.HandlerFunc {
		patterns = append(patterns, pattern)
		return h
	})
	for _, suffix := range []string{"", "@base64"} {
		put := self.InstrumentPush(http.MethodPut, front.Push(store.OpPut, suffix != ""))
		post := self.InstrumentPush(http.MethodPost, front.Push(store.OpPost, suffix != ""))
		del := self.Instrument("delete", front.Delete(suffix != ""))
		for _, group := range []string{"/metrics/job" + suffix + "/:job", "/metrics/job" + suffix + "/:job/*labels"} {
			r.Put(prefix+group, put)
			r.Post(prefix+group, post)
			r.Del(prefix+group, del)
		}
	}
	for _, suffix := range []string{"", "@base64"} {
		one := self.Instrument("group", h.scraper.Group(front.KeyOf(suffix != "")))
		r.Get(prefix+api.GroupPath+"/job"+suffix+"/:job", one)
		r.Get(prefix+api.GroupPath+"/job"+suffix+"/:job/*labels", one)
	}
	r.Get(path.Join(prefix, cfg.TelemetryPath), h.scraper.ServeHTTP)
	r.Get(prefix+selfMetricsPath, h.selfOnly.ServeHTTP)
	r.Get(prefix+"/-/healthy", self.Instrument("healthy", exposer.Healthy))
	r.Get(prefix+"/-/ready", self.Instrument("ready", exposer.Ready(h.notReady, h.notScrapable)))
	addLifecycle(r, prefix, cfg.EnableLifecycle, h.quit)
	addReload(r, prefix, cfg.EnableLifecycle, h.reload)
	r.Get(prefix+"/debug/pprof/*pprof", servePprof)

	v1 := route.New()
	h.api.Register(v1, self.Instrument)
	deleteSelected := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the admin API is not enabled (--web.enable-admin-api)", http.StatusForbidden)
	})
	if cfg.EnableAdminAPI {
		v1.Put("/admin/wipe", self.Instrument("wipe", front.Wipe()))
		deleteSelected = h.api.DeleteGroups(front)
	}
	v1.Del("/groups", self.Instrument("delete_selected", deleteSelected))
	pages, err := page.New(page.Config{API: h.api, External: cfg.external(), Prefix: prefix, Metrics: cfg.TelemetryPath}, h.logger.With("component", "page"))
	if err != nil {
		return nil, nil, err
	}
	pages.Register(r, prefix, self.Instrument)
	mux := http.NewServeMux()
	mux.Handle("/", front.CheckEncoding(r))
	mux.Handle(prefix+"/api/v1/", http.StripPrefix(prefix+"/api/v1", v1))
	guarded, err := front.SameSite(cfg.external(), mux)
	if err != nil {
		return nil, nil, err
	}
	return h.paths.Watch(guarded), patterns, nil
}

// taken tells whether the path is that of something other than scrapes.
func taken(telemetryPath string) bool {
	switch p := path.Clean(telemetryPath); p {
	case "/", "/live", "/stream", "/status":
		return true
	default:
		return slices.ContainsFunc([]string{"/metrics/job/", "/metrics/job@base64/", "/group/", "/-/", "/api/v1/", "/debug/pprof/", "/static/"}, func(below string) bool {
			return strings.HasPrefix(p+"/", below)
		})
	}
}

// addLifecycle adds /-/quit, which stops the gateway, or refuses to.
func addLifecycle(r *route.Router, prefix string, enabled bool, quit func()) {
	quitPath := prefix + "/-/quit"
	handler := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		w.Write([]byte("Lifecycle API is not enabled."))
	}
	if enabled {
		handler = func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte("Requesting termination... Goodbye!"))
			quit()
		}
	}
	r.Put(quitPath, handler)
	r.Post(quitPath, handler)
	r.Get(quitPath, onlyPostOrPut)
	if prefix != "" {
		r.Get("/-/quit", onlyPostOrPut) // Pushgateway refuses GET without the prefix
	}
}

func onlyPostOrPut(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusMethodNotAllowed)
	w.Write([]byte("Only POST or PUT requests allowed."))
}

// servePprof chooses by the rest of the path, because the router allows no fixed
// paths beside a catch-all.
func servePprof(w http.ResponseWriter, r *http.Request) {
	switch route.Param(r.Context(), "pprof") {
	case "/cmdline":
		pprof.Cmdline(w, r)
	case "/profile":
		pprof.Profile(w, r)
	case "/symbol":
		pprof.Symbol(w, r)
	case "/trace":
		pprof.Trace(w, r)
	default:
		r.URL.Path = "/debug/pprof" + route.Param(r.Context(), "pprof")
		pprof.Index(w, r)
	}
}
