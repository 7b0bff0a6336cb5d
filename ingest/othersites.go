package ingest

import (
	"fmt"
	"net/http"
	"net/url"
)

// reasonSite is the reason of requests that a page of another site has sent.
const reasonSite = "cross_site"

// SameSite returns a handler that answers 403 to requests that a browser sends from
// a page of another site, except those that only read: GET, HEAD and OPTIONS.
// Clients other than browsers send no headers that name a site, and pass. Pages at
// the external URL of the gateway (nil for none) belong to the gateway.
func (f *Front) SameSite(external *url.URL, next http.Handler) (http.Handler, error) {
	protection := http.NewCrossOriginProtection()
	if external != nil && external.Scheme != "" && external.Host != "" {
		if err := protection.AddTrustedOrigin(external.Scheme + "://" + external.Host); err != nil {
			return nil, fmt.Errorf("--web.external-url: cannot be the origin of pages: %w", err)
		}
	}
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.metrics.refused.WithLabelValues(reasonSite, viaHTTP).Inc()
		message := printable(fmt.Sprintf("a browser has sent this from a page of another site (Origin %.200q): only the gateway's own pages may change something\n"+
			"If that is the gateway's address behind a proxy, give it to the gateway as --web.external-url.", r.Header.Get("Origin")))
		http.Error(w, message, http.StatusForbidden)
	}))
	return protection.Handler(next), nil
}
