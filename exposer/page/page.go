// Package page shows the gateway to people in a browser. It calls the functions of
// the query API for all that it shows. html/template writes the pages, which work
// without JavaScript; scripts then replace parts of a page by newer ones.
package page

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/common/route"

	"sluice/exposer/api"
)

//go:embed templates
var templateFiles embed.FS

// policy lets a page load files of the gateway only, and run no inline scripts.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// API is what the page asks: the methods of *api.API, where they are documented.
type API interface {
	Status() api.Status
	Stream() api.Stream
	Groups(context.Context, api.GroupsRequest) (api.GroupList, error)
	Jobs(context.Context, api.JobsRequest) (api.JobList, error)
	Group(path string, limit int) (api.GroupDetail, error)
	History(ctx context.Context, path string, limit int) (api.History, error)
	Cluster(context.Context) api.Cluster
}

// Config is what the page has to know.
type Config struct {
	// API answers the questions of the page.
	API API
	// External is the URL at which users reach the gateway. If it is nil, the page
	// takes the address of the request.
	External *url.URL
	// Prefix is what all paths begin with, "" or "/prefix".
	Prefix string
	// Metrics is the path of scrapes, behind the prefix.
	Metrics string
}

// Page serves the pages. All links are relative, so that they work behind any prefix.
// Its methods may be called concurrently.
type Page struct {
	cfg       Config
	assets    *assets
	templates map[string]*template.Template
	now       func() time.Time
	logger    *slog.Logger
}

// New returns the pages over an API.
func New(cfg Config, logger *slog.Logger) (*Page, error) {
	a, err := newAssets()
	if err != nil {
		return nil, err
	}
	p := &Page{cfg: cfg, assets: a, templates: map[string]*template.Template{}, now: time.Now, logger: logger}
	for _, name := range []string{"groups", "jobs", "group", "live", "stream", "status", "error"} {
		t, err := template.New(name).Funcs(p.functions()).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("cannot read the template %s: %w", name, err)
		}
		p.templates[name] = t
	}
	return p, nil
}

// Register adds the routes.
//
//	/           groups, with ?by=job their jobs, and with ?group= one of them
//	/live       events as they happen
//	/stream     the stream, and the replay
//	/status     build, flags, limits, how to scrape
//	/static/... style sheet, scripts, icon
func (p *Page) Register(r *route.Router, prefix string, instrument func(handler string, h http.HandlerFunc) http.HandlerFunc) {
	pages := func(show func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
		return instrument("status", gzhttp.GzipHandler(p.page(show)).ServeHTTP)
	}
	r.Get(prefix+"/", pages(p.serveRoot))
	r.Get(prefix+"/live", pages(p.serveLive))
	r.Get(prefix+"/stream", pages(p.serveStream))
	r.Get(prefix+"/status", pages(p.serveStatus))
	r.Get(prefix+"/static/*path", instrument("static", gzhttp.GzipHandler(http.HandlerFunc(p.assets.serve)).ServeHTTP))
}

// page sets the headers that all pages have, and turns an error into a page.
func (p *Page) page(show func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		for _, header := range [][2]string{
			{"Content-Security-Policy", policy}, {"X-Content-Type-Options", "nosniff"}, {"Referrer-Policy", "no-referrer"},
		} {
			if h.Get(header[0]) == "" { // else the operator has set it (--web.config.file)
				h.Set(header[0], header[1])
			}
		}
		h.Set("Cache-Control", "no-cache")
		// A client that has closed its side of the connection may still read (RFC 9112,
		// section 9.6), and net/http ends the context of its request. What a page asks
		// has times of its own.
		err := show(w, r.WithContext(context.WithoutCancel(r.Context())))
		if err == nil {
			return
		}
		code := http.StatusInternalServerError
		var no *api.Error
		if errors.As(err, &no) {
			code = no.Status
		} else {
			p.logger.Error("cannot show a page", "path", r.URL.Path, "err", err)
		}
		view := struct {
			frame
			Code   int
			Reason string
		}{p.frame("", http.StatusText(code)), code, err.Error()}
		if err := p.send(w, code, "error", view); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

// send renders a page as a whole before anything of it is sent.
func (p *Page) send(w http.ResponseWriter, code int, name string, view any) error {
	var text bytes.Buffer
	if err := p.templates[name].ExecuteTemplate(&text, "layout", view); err != nil {
		return fmt.Errorf("cannot render the page %s: %w", name, err)
	}
	w.WriteHeader(code)
	_, err := w.Write(text.Bytes())
	if err != nil {
		p.logger.Debug("cannot send a page", "err", err)
	}
	return nil
}

// frame is what all pages have around their contents.
type frame struct {
	Page   string // in the navigation
	Title  string
	Static string // where the static files are
	Stream api.Stream
	Busy   string // why the gateway is not ready, "" if it is
	Now    time.Time
	Admin  bool // the admin API is enabled
}

func (p *Page) frame(page, title string) frame {
	stream, flags := p.cfg.API.Stream(), p.cfg.API.Status().Flags
	return frame{
		Page: page, Title: title, Static: p.assets.base(), Stream: stream, Busy: busy(stream), Now: p.now(),
		Admin: flags["web.enable-admin-api"] == "true",
	}
}

// replaying is what a gateway does after its start.
const replaying = "replaying the stream"

// busy says why the gateway is not ready, "" if it is.
func busy(s api.Stream) string {
	switch {
	case s.Ready && s.Connected:
		return ""
	case s.Ready:
		return "the stream cannot be reached: scrapes go on, pushes are refused"
	case s.Waiting == "" && s.Replaying != nil, strings.HasPrefix(s.Waiting, replaying):
		return replaying // the page shows beside it how far it is
	case s.Waiting != "":
		return s.Waiting
	}
	return "starting"
}

// Percent is how far the replay is.
func (f frame) Percent() float64 {
	if f.Stream.Replaying == nil || f.Stream.Replaying.Total == 0 {
		return 0
	}
	return min(100, 100*float64(f.Stream.Replaying.Done)/float64(f.Stream.Replaying.Total))
}

func (p *Page) serveRoot(w http.ResponseWriter, r *http.Request) error {
	if path := r.URL.Query().Get("group"); path != "" {
		return p.serveGroup(w, r, path)
	}
	if r.URL.Query().Get("by") == byJob {
		return p.serveJobs(w, r)
	}
	return p.serveGroups(w, r)
}

func (p *Page) serveLive(w http.ResponseWriter, r *http.Request) error {
	view := struct {
		frame
		Search string
	}{p.frame("live", "Live"), r.URL.Query().Get("search")}
	return p.send(w, http.StatusOK, "live", view)
}

// baseURL is the URL before the paths of the gateway, without a slash at the end. It
// is sure if the operator has set it. Otherwise it comes from a request, which may
// have passed a proxy, and a script in the page replaces it.
func (p *Page) baseURL(r *http.Request) (base string, sure bool) {
	if p.cfg.External != nil {
		return strings.TrimRight(p.cfg.External.String(), "/"), true
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + p.cfg.Prefix, false
}

// link is a relative URL. Its query leaves readable what need not be escaped.
func link(page string, query url.Values) string {
	if len(query) == 0 {
		return "./" + page
	}
	readable := strings.NewReplacer("%2F", "/", "%3D", "=", "%3A", ":", "%40", "@", "%2C", ",")
	return "./" + page + "?" + readable.Replace(query.Encode())
}
