package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"sluice/e2e/testkit"
)

func TestPageLive(t *testing.T) {
	t.Parallel()
	newSite(t).start().inBrowser("live", pageSettings{})
}

func TestPageLooks(t *testing.T) {
	t.Parallel()
	newSite(t).start("--bus.history=5", "--web.enable-admin-api").inBrowser("looks", pageSettings{})
}

func TestPageWithoutJavaScript(t *testing.T) {
	t.Parallel()
	newSite(t).start().inBrowser("plain", pageSettings{})
}

func TestPageBelowAPath(t *testing.T) {
	t.Parallel()
	t.Run("of its own", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		g := s.launch("--web.route-prefix=/pg")
		testkit.Within(t, requestBound, "the gateway is ready", func() bool {
			a, err := g.do(http.MethodGet, "/pg/-/ready", "")
			return err == nil && a.code == http.StatusOK
		})
		g.inBrowser("below", pageSettings{Outer: g.url + "/pg"})
	})
	// The proxy strips the path and sends its own Host header.
	t.Run("of a proxy", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		outer := fmt.Sprintf("http://%s/x", l.Addr())
		g := newSite(t).start("--web.external-url="+outer+"/", "--web.route-prefix=/")
		to, err := url.Parse(g.url)
		if err != nil {
			t.Fatal(err)
		}
		proxy := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.StripPrefix("/x", &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		})}}
		proxy.Start()
		t.Cleanup(proxy.CloseClientConnections)
		t.Cleanup(proxy.Close)
		g.inBrowser("below", pageSettings{Outer: outer})
	})
}

func TestPageOfAnotherSiteChangesNothing(t *testing.T) {
	t.Parallel()
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!DOCTYPE html><title>Another site</title>")
	}))
	t.Cleanup(foreign.Close)
	newSite(t).start("--web.enable-admin-api").inBrowser("foreign", pageSettings{Foreign: foreign.URL})
}
