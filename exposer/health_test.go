package exposer

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestReady(t *testing.T) {
	push, scrape := "", ""
	h := Ready(func() string { return push }, func() string { return scrape })
	check := func(query string, wantCode int, wantBody string) {
		t.Helper()
		w := httptest.NewRecorder()
		h(w, httptest.NewRequest(http.MethodGet, "/-/ready"+query, nil))
		retry := w.Header().Get("Retry-After")
		if w.Code != wantCode || w.Body.String() != wantBody || (retry == "1") != (wantCode == 503) {
			t.Errorf("%q: got %d %q, Retry-After %q, want %d %q", query, w.Code, w.Body, retry, wantCode, wantBody)
		}
	}
	check("", 200, "OK")
	check("?for=push", 200, "OK")
	check("?for=scrape", 200, "OK")
	push = "the stream cannot be reached"
	check("", 503, "the stream cannot be reached\n")
	check("?for=push", 503, "the stream cannot be reached\n")
	check("?for=scrape", 200, "OK")
	push, scrape = "replaying", "replaying the stream"
	check("?other=1", 503, "replaying\n")
	check("?for=scrape", 503, "replaying the stream\n")
	check("?for=", 400, "parameter for: \"\" is neither \"push\" nor \"scrape\"\n")
	check("?for=Push", 400, "parameter for: \"Push\" is neither \"push\" nor \"scrape\"\n")
	check("?for=scrape&for=both", 400, "parameter for: \"both\" is neither \"push\" nor \"scrape\"\n")
}
