package page

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/route"

	"sluice/exposer/api"
)

// now is the time of all tests.
var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// fakeAPI answers with the data of its fields, and keeps what it was asked.
type fakeAPI struct {
	groups, jobs, group, history, stream, cluster, status string // data, as JSON
	askedGroups                                           api.GroupsRequest
	askedJobs                                             api.JobsRequest
	askedLimit                                            int // of metrics
}

func newFakeAPI() *fakeAPI {
	return &fakeAPI{
		groups: `{"ready":true,"groups":[],"total":0,"offset":0,
			"counts":{"all":0,"failing":0,"dead":0,"never":0,"up":0}}`,
		jobs: `{"ready":true,"jobs":[],"total":0,"offset":0,"counts":{"all":0}}`,
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

// answerOf reads data as a client does. Without any there is no such thing, and
// what begins with an exclamation mark is an error.
func answerOf[T any](data string) (answer T, err error) {
	switch {
	case data == "":
		return answer, &api.Error{Status: http.StatusNotFound, Kind: "not_found", Message: "there is none"}
	case data[0] == '!':
		return answer, &api.Error{Status: http.StatusBadRequest, Kind: "bad_data", Message: data[1:]}
	}
	return answer, json.Unmarshal([]byte(data), &answer)
}

// must is for what cannot fail in the gateway.
func must[T any](data string) T {
	answer, err := answerOf[T](data)
	if err != nil {
		panic(err)
	}
	return answer
}

func (f *fakeAPI) Status() api.Status                  { return must[api.Status](f.status) }
func (f *fakeAPI) Stream() api.Stream                  { return must[api.Stream](f.stream) }
func (f *fakeAPI) Cluster(context.Context) api.Cluster { return must[api.Cluster](f.cluster) }

func (f *fakeAPI) Groups(_ context.Context, q api.GroupsRequest) (api.GroupList, error) {
	f.askedGroups = q
	return answerOf[api.GroupList](f.groups)
}

func (f *fakeAPI) Jobs(_ context.Context, q api.JobsRequest) (api.JobList, error) {
	f.askedJobs = q
	return answerOf[api.JobList](f.jobs)
}

func (f *fakeAPI) Group(_ string, limit int) (api.GroupDetail, error) {
	f.askedLimit = limit
	return answerOf[api.GroupDetail](f.group)
}

func (f *fakeAPI) History(context.Context, string, int) (api.History, error) {
	return answerOf[api.History](f.history)
}

// newServer serves the page over an API, below a prefix.
func newServer(t *testing.T, from API, cfg Config) *httptest.Server {
	t.Helper()
	cfg.API = from
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
