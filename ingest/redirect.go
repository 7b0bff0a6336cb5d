package ingest

import (
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// logPause is the shortest time between two log lines about odd paths: clients
// repeat a mistake with every push.
const logPause = 10 * time.Second

// Kinds of paths that are redirected, in the metric.
const (
	kindFirstSlash = "double_slash_at_start" // a base URL that ends in a slash
	kindEmptyValue = "empty_value"           // in the grouping key
	kindDouble     = "double_slash"          // elsewhere
	kindDots       = "dot_segment"
	kindLastSlash  = "trailing_slash"
	kindOther      = "other" // such as upper case
)

// Paths watches the paths of requests for mistakes that make pushes vanish.
type Paths struct {
	prefix  string // of all routes
	metrics *Metrics
	logger  *slog.Logger
	pause   rate.Sometimes
}

// NewPaths returns Paths for the routes below a prefix.
func NewPaths(prefix string, m *Metrics, logger *slog.Logger) *Paths {
	return &Paths{prefix: prefix, metrics: m, logger: logger, pause: rate.Sometimes{Interval: logPause}}
}

// Watch counts the redirects of next by what is odd about the path. Pushgateway
// redirects such paths, too, and several clients take every answer below 400 for
// success, so that their pushes are lost in silence. Redirected pushes are logged.
// Pushes with an encoded slash are logged, too: it splits a value, so that they go
// to another group than the client meant.
func (p *Paths) Watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requested := r.URL.Path // the router changes it
		encodedSlash := r.URL.RawPath != "" && strings.Contains(strings.ToUpper(r.URL.RawPath), "%2F")
		watched := &redirectWatch{ResponseWriter: w}
		next.ServeHTTP(watched, r)
		push := isPush(r.Method)
		switch {
		case watched.redirected:
			kind := p.kind(requested)
			method := "other"
			if push {
				method = strings.ToLower(r.Method)
			}
			p.metrics.redirects.WithLabelValues(kind, method).Inc()
			if push {
				p.pause.Do(func() {
					p.logger.Warn("redirected a push: many clients do not follow and lose it", "reason", kind,
						"method", r.Method, "path", requested, "location", w.Header().Get("Location"), "client", r.RemoteAddr)
				})
			}
		case push && encodedSlash:
			p.pause.Do(func() {
				p.logger.Warn("an encoded slash in a path splits the value like any other slash: use label@base64", "method", r.Method, "path", r.URL.RawPath, "client", r.RemoteAddr)
			})
		}
	})
}

// isPush tells whether a method changes a group.
func isPush(method string) bool {
	return method == http.MethodPut || method == http.MethodPost || method == http.MethodDelete
}

// kind says what is odd about a path that was redirected.
func (p *Paths) kind(requested string) string {
	rest := strings.TrimPrefix(requested, p.prefix)
	clean := path.Clean(requested)
	switch {
	case strings.HasPrefix(requested, "//") || strings.HasPrefix(rest, "//"):
		return kindFirstSlash
	case strings.Contains(requested, "//"):
		if strings.HasPrefix(rest, "/metrics/job") {
			return kindEmptyValue
		}
		return kindDouble
	case strings.HasSuffix(requested, "/") && clean == strings.TrimSuffix(requested, "/"):
		return kindLastSlash
	case clean != strings.TrimSuffix(requested, "/"):
		return kindDots
	}
	return kindOther
}

// redirectWatch notices a redirect.
type redirectWatch struct {
	http.ResponseWriter
	redirected bool
}

func (w *redirectWatch) WriteHeader(status int) {
	w.redirected = w.redirected || status >= 300 && status < 400 && status != http.StatusNotModified
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach what is beneath.
func (w *redirectWatch) Unwrap() http.ResponseWriter { return w.ResponseWriter }
