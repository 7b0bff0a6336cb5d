package e2e

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A reader of a gateway's events sees all that clients do there, also refusals that are
// not in the stream. It does not delay the end of the process.
func TestEventsAreWatched(t *testing.T) {
	g := newSite(t).start("--group.ttl=1s", "--group.forget-after=1s")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url+"/api/v1/events?search=job%3Dx", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request) // not the site's, which has a timeout
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	next := func(kind string, has ...string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == "event: "+kind && lines.Scan() {
				for _, part := range has {
					if !strings.Contains(lines.Text(), part) {
						t.Errorf("%s: got %s, want %s in it", kind, lines.Text(), part)
					}
				}
				return
			}
		}
		t.Fatalf("no event %s: %v", kind, lines.Err())
	}
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/other", "m 1\n")
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/x", "m 1\n")
	next("push", `"group":"/job/x"`, `"origin":"http 127.0.0.1"`, `"replaced":true`, `"series":1`)
	g.must(http.StatusBadRequest, http.MethodPost, "/metrics/job/x", "m 1 1\n") // a timestamp: remembered
	next("refusal", `"group":"/job/x"`, `"sequence":`, "timestamp")
	g.must(http.StatusBadRequest, http.MethodPost, "/metrics/job/x", "m one\n") // not remembered
	next("refusal", `"group":"/job/x"`, "expected float")
	next("expire", `"group":"/job/x"`)
	next("forget", `"group":"/job/x"`)
	g.must(http.StatusAccepted, http.MethodDelete, "/metrics/job/x", "")
	next("delete", `"group":"/job/x"`)
	next("rate", `"pushes":`)
	start := time.Now()
	if code, err := g.Terminate(); err != nil || code != 0 {
		t.Errorf("the process ended with %d: %v", code, err)
	}
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the events did not end in order: %v", err)
	}
	t.Logf("ended after %s", time.Since(start).Round(time.Millisecond))
}
