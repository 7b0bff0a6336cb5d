package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/prometheus/common/route"

	"sluice/exposer/api"
	"sluice/store"
)

// newExample returns an API over a store with two groups.
func newExample() *api.API {
	s := store.New(store.Settings{})
	for i, job := range []string{"backup", "import"} {
		key, err := store.NewKey(job)
		if err != nil {
			panic(err)
		}
		families, err := store.ParseText([]byte("# TYPE done gauge\ndone{instance=\"\",job=\"" + job + "\"} 1\n"))
		if err != nil {
			panic(err)
		}
		s.Apply(uint64(i+1), store.Event{Op: store.OpPut, Key: key, PushTime: 1_700_000_000e9, Families: families})
	}
	return api.New(s, api.Config{
		Ready:    func() bool { return true },
		Refusals: func() []store.Refusal { return nil },
	}, slog.New(slog.DiscardHandler))
}

// Callers in the process get answers as Go types.
func ExampleAPI_Groups() {
	filter, err := api.ParseFilter([]string{`{job=~"back.*"}`}, "")
	if err != nil {
		panic(err)
	}
	list, err := newExample().Groups(context.Background(), api.GroupsRequest{Filter: filter, State: api.StateUp})
	if err != nil {
		panic(err)
	}
	for _, g := range list.Groups {
		fmt.Println(g.Group, g.State, g.Series)
	}
	// Output: /job/backup up 1
}

// An error says how it is answered over HTTP.
func ExampleError() {
	_, err := newExample().Group("/job/absent", 0)
	var no *api.Error
	fmt.Println(errors.As(err, &no), no.Status, no.Kind, no.Message)
	// Output: true 404 not_found there is no group /job/absent
}

// A client reads the answers into the same types.
func ExampleAnswer() {
	routes := route.New().WithPrefix("/api/v1")
	newExample().Register(routes, func(_ string, h http.HandlerFunc) http.HandlerFunc { return h })
	server := httptest.NewServer(routes)
	defer server.Close()

	response, err := http.Get(server.URL + "/api/v1/group?group=/job/import")
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		panic(err)
	}
	var answer api.Answer
	var group api.GroupDetail
	if err := errors.Join(json.Unmarshal(body, &answer), json.Unmarshal(answer.Data, &group)); err != nil {
		panic(err)
	}
	fmt.Println(answer.Status, group.Families[0].Name, group.Families[0].Metrics[0].Value)
	// Output: success done 1
}
