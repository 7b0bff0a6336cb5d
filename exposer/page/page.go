// Package page is what people see of a gateway in a browser: its groups, one
// group, what happens, the stream, and the status. Everything on it comes from
// the JSON API, asked in process, and is written by html/template: the first
// screen works without JavaScript, which then replaces parts of the page by
// those of a newer one.
package page

import (
	"bytes"
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
)

//go:embed templates
var templateFiles embed.FS

// policy lets a page load nothing but the gateway's own files, and run nothing
// that stands in the page itself.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Config is what the page has to know.
type Config struct {
	// API answers what is below /api/v1, without that prefix.
	API http.Handler
	// External is where users reach the gateway, nil if nobody has said so: then
	// it is where a request has come to.
	External *url.URL
	// Prefix is what all paths begin with, "" or "/prefix".
	Prefix string
	// Metrics is the path of scrapes, behind the prefix.
	Metrics string
}

// Page serves the pages. All its links are relative.
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
	for _, name := range []string{"groups", "group", "live", "stream", "status", "error"} {
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
//	/           groups, and with ?group= one of them
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
		err := show(w, r)
		if err == nil || r.Context().Err() != nil {
			return
		}
		code := http.StatusInternalServerError
		var no *refused
		switch {
		case errors.As(err, &no):
			code = no.code
		default:
			p.logger.Error("cannot show a page", "path", r.URL.Path, "err", err)
		}
		view := struct {
			frame
			Code   int
			Reason string
		}{p.frame(r, "", http.StatusText(code)), code, err.Error()}
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
	Stream *stream
	Busy   string // why the gateway is not ready, "" if it is
	Now    time.Time
	Admin  bool
}

// frame asks for the state of the stream. A page can be shown without it.
func (p *Page) frame(r *http.Request, page, title string) frame {
	f := frame{Page: page, Title: title, Static: p.assets.base(), Now: p.now()}
	if s, err := ask[stream](r.Context(), p.cfg.API, "/stream", nil); err == nil {
		f.Stream = &s
		f.Busy = s.busy()
	}
	return f
}

// Percent is how far the replay is.
func (f frame) Percent() float64 {
	if f.Stream == nil || f.Stream.Replaying == nil || f.Stream.Replaying.Total == 0 {
		return 0
	}
	return min(100, 100*float64(f.Stream.Replaying.Done)/float64(f.Stream.Replaying.Total))
}

func (p *Page) serveRoot(w http.ResponseWriter, r *http.Request) error {
	if path := r.URL.Query().Get("group"); path != "" {
		return p.serveGroup(w, r, path)
	}
	return p.serveGroups(w, r)
}

func (p *Page) serveLive(w http.ResponseWriter, r *http.Request) error {
	view := struct {
		frame
		Search string
	}{p.frame(r, "live", "Live"), r.URL.Query().Get("search")}
	return p.send(w, http.StatusOK, "live", view)
}

// reached is the URL that the paths of the gateway are behind, without a slash
// at the end, and whether that is sure: a script in the page knows better than a
// request that has come through a proxy.
func (p *Page) reached(r *http.Request) (base string, sure bool) {
	if p.cfg.External != nil {
		return strings.TrimRight(p.cfg.External.String(), "/"), true
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + p.cfg.Prefix, false
}

// link is a relative URL with a query that can be read.
func link(page string, query url.Values) string {
	if len(query) == 0 {
		return "./" + page
	}
	readable := strings.NewReplacer("%2F", "/", "%3D", "=", "%3A", ":", "%40", "@", "%2C", ",")
	return "./" + page + "?" + readable.Replace(query.Encode())
}
