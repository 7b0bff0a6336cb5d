package ingest

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/bus"
	"sluice/bus/limitlog"
)

// Every push has its time, in classic and in native buckets, and nothing waits once
// all have their verdict.
func TestMetricsOfPushes(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	registry := prometheus.NewRegistry()
	own := NewMetrics(registry)
	own.waiting, own.waitingBytes = g.metrics.waiting, g.metrics.waitingBytes
	g.front.metrics = own
	g.http(t, http.MethodPut, "/metrics/job/x", "a 1\n", 200)
	g.http(t, http.MethodPut, "/metrics/job/x", "a 1\na 2\n", 400)
	g.http(t, http.MethodDelete, "/metrics/job/x", "", 202) // is no push
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range families {
		if f.GetName() != "sluice_push_duration_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			h := m.GetHistogram()
			want := map[string]uint64{viaHTTP: 2, viaNATS: 0}[m.GetLabel()[0].GetValue()]
			if h.GetSampleCount() != want || len(h.GetBucket()) < 10 || h.Schema == nil {
				t.Errorf("%v: got %v, want %d pushes in classic and native buckets", m.GetLabel(), h, want)
			}
			found = true
		}
	}
	if !found {
		t.Error("there is no sluice_push_duration_seconds")
	}
	if n, bytes := testutil.ToFloat64(g.metrics.waiting), testutil.ToFloat64(g.metrics.waitingBytes); n != 0 || bytes != 0 {
		t.Errorf("%v changes with %v bytes wait", n, bytes)
	}
}

// A change that waits is counted with its bytes.
func TestMetricsOfWaitingChanges(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	waiting := NewCommitter(g.committer.bus, g.store, defaultCommitter, slog.New(slog.DiscardHandler), NewMetrics(nil)) // does not run
	change := putChange(t, "/job/x", "a 1\n")
	for n := 1.0; n <= 2; n++ {
		if err := waiting.Enqueue(t.Context(), change, func(error) {}); err != nil {
			t.Fatal(err)
		}
		if got, bytes := testutil.ToFloat64(waiting.metrics.waiting), testutil.ToFloat64(waiting.metrics.waitingBytes); got != n || bytes != n*float64(change.size()) {
			t.Errorf("%v changes with %v bytes wait, want %v", got, bytes, n)
		}
	}
}

// Refused pushes are in the log, with the first line of the reason, and not more of
// them than its rate allows.
func TestRefusedPushesAreLogged(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	var text bytes.Buffer
	g.front.logger = limitlog.New(slog.New(slog.NewTextHandler(&text, nil)))
	g.http(t, http.MethodPut, "/metrics/job/x/instance/1", "a one\n", 400)
	g.http(t, http.MethodPut, "/metrics/job/x/instance", "a 1\n", 400)
	g.http(t, http.MethodPut, "/metrics/job/x", "a 1\n", 200)
	got := text.String()
	for _, want := range []string{"level=INFO", "op=put", "via=http", "group=/job/x/instance/1", "status=400", "reason=syntax", "text format parsing error in line 1", "reason=bad_key"} {
		if !strings.Contains(got, want) {
			t.Errorf("the log lacks %s:\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n"); n != 2 {
		t.Errorf("%d lines:\n%s", n, got)
	}
	for i := range 10 * limitlog.Burst {
		g.http(t, http.MethodPut, fmt.Sprintf("/metrics/job/x/instance/%d", i), "a one\n", 400)
	}
	if n := strings.Count(text.String(), "\n"); n > 5*limitlog.Burst {
		t.Errorf("%d lines for %d refusals", n, 10*limitlog.Burst)
	}
}

// http sends a request that must have a status.
func (g *gateway) http(t *testing.T, method, path, body string, want int) {
	t.Helper()
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	if w.Code != want {
		t.Errorf("%s %s: got %d %s, want %d", method, path, w.Code, w.Body, want)
	}
}
