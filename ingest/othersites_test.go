package ingest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"sluice/bus"
)

// What changes something is refused if a browser sends it from another site;
// reading, and clients that are no browsers, are left alone.
func TestSameSite(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	handler, err := g.front.SameSite(&url.URL{Scheme: "https", Host: "gw.example.org", Path: "/pg/"}, g.handler)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		method string
		header []string
		want   int
	}{
		"curl":                              {http.MethodPut, nil, 200},
		"curl deletes":                      {http.MethodDelete, nil, 202},
		"an own page":                       {http.MethodDelete, []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://example.com"}, 202},
		"an own page, an old browser":       {http.MethodPost, []string{"Origin", "http://example.com"}, 200},
		"an own page behind a proxy":        {http.MethodDelete, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://gw.example.org"}, 202},
		"the address bar":                   {http.MethodPost, []string{"Sec-Fetch-Site", "none"}, 200},
		"another site pushes":               {http.MethodPost, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example.net"}, 403},
		"another site deletes":              {http.MethodDelete, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example.net"}, 403},
		"another host of the site":          {http.MethodPut, []string{"Sec-Fetch-Site", "same-site", "Origin", "https://evil.example.org"}, 403},
		"another site, an old browser":      {http.MethodPost, []string{"Origin", "http://evil.example.net"}, 403},
		"another port, an old browser":      {http.MethodPost, []string{"Origin", "http://example.com:8080"}, 403},
		"another site hides itself":         {http.MethodPost, []string{"Origin", "null"}, 403},
		"another scheme of the proxy":       {http.MethodDelete, []string{"Sec-Fetch-Site", "cross-site", "Origin", "http://gw.example.org"}, 403},
		"another site asks":                 {http.MethodOptions, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example.net"}, 200},
		"a method that nobody knows":        {"PATCH", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"text that is meant for a terminal": {http.MethodPost, []string{"Origin", "\x1b[31m" + strings.Repeat("x", 5000)}, 403},
	} {
		r := httptest.NewRequest(c.method, "/metrics/job/x", strings.NewReader(""))
		for i := 0; i+1 < len(c.header); i += 2 {
			r.Header.Set(c.header[i], c.header[i+1])
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: got %d %s, want %d", name, w.Code, w.Body, c.want)
		}
		if w.Code == 403 && (w.Body.Len() > 1000 || strings.Contains(w.Body.String(), "\x1b") || !strings.Contains(w.Body.String(), "--web.external-url")) {
			t.Errorf("%s: got %q", name, w.Body)
		}
	}
	if got := g.refused(reasonSite, viaHTTP); got != 9 {
		t.Errorf("%v refusals were counted, want 9", got)
	}
	if _, err := g.front.SameSite(nil, g.handler); err != nil {
		t.Error(err)
	}
}
