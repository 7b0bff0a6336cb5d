package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/route"
)

// now is the time of all tests.
var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// fakeAPI answers with the data of its fields, and keeps what it was asked.
type fakeAPI struct {
	groups, group, history, stream, cluster, status string // data, as JSON
	asked                                           map[string]url.Values
}

func newFakeAPI() *fakeAPI {
	return &fakeAPI{
		asked: map[string]url.Values{},
		groups: `{"ready":true,"groups":[],"total":0,"offset":0,
			"counts":{"all":0,"failing":0,"dead":0,"never":0,"up":0}}`,
		stream: `{"ready":true,"connected":true,"waiting":"","replaying":null,"sequence":12345,"applied":12345,"lag":0,
			"bytes":3145728,"events":120,"history":1,"conflicts":2,"damaged":0,"holes":0,"missing":0,"server":"embedded","cluster":null}`,
		cluster: `{"name":"","stream":{"name":"SLUICE","replicas":1,"leader":"node-a","last_sequence":12345,"copies":[]},
			"gateways":[{"id":"ABC","server":"node-a","version":"1.0","self":true,"ready":true,"connected":true,
			"applied_sequence":12345,"digest":"0123456789abcdef","settled":true,"started":"2026-11-25T06:00:00Z"}],
			"agreement":{"sequence":12345,"agree":true,"gateways":1}}`,
		status: `{"build_information":{"version":"1.2.3","revision":"abc"},"start_time":"2026-11-25T06:00:00Z",
			"flags":{"web.enable-admin-api":"false","bus.prefix":"sluice","bus.listen":"","bus.url":"","push.max-bytes":"16777216"}}`,
	}
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.asked[r.URL.Path] = r.URL.Query()
	data := map[string]string{
		"/groups": f.groups, "/group": f.group, "/history": f.history,
		"/stream": f.stream, "/cluster": f.cluster, "/status": f.status,
	}[r.URL.Path]
	w.Header().Set("Content-Type", "application/json")
	switch {
	case data == "":
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"status":"error","errorType":"not_found","error":"there is none"}`)
	case data[0] == '!':
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]string{"status": "error", "errorType": "bad_data", "error": data[1:]})
	default:
		fmt.Fprintf(w, `{"status":"success","data":%s}`, data)
	}
}

// newServer serves the page over an API, below a prefix.
func newServer(t *testing.T, api http.Handler, cfg Config) *httptest.Server {
	t.Helper()
	cfg.API = api
	p, err := New(cfg, promslog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	p.now = func() time.Time { return now }
	r := route.New()
	p.Register(r, cfg.Prefix, func(_ string, h http.HandlerFunc) http.HandlerFunc { return h })
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return s
}
