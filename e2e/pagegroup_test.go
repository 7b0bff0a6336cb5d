package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"
	"github.com/prometheus/common/expfmt"

	"sluice/e2e/testkit"
)

// histograms returns a classic and a native histogram, with a counter and a summary.
func histograms() *client.Registry {
	classic := client.NewHistogram(client.HistogramOpts{Name: "request_seconds", Help: "Time of a request.", Buckets: []float64{0.1, 0.5, 1, 5}})
	native := client.NewHistogram(client.HistogramOpts{Name: "request_native_seconds", Help: "The same, finer.", NativeHistogramBucketFactor: 1.2})
	for i := range 200 {
		seconds := 0.02 * float64(i%60+1)
		classic.Observe(seconds)
		native.Observe(seconds)
	}
	classic.Observe(7)
	native.Observe(-0.25)
	summary := client.NewSummary(client.SummaryOpts{Name: "wait_seconds", Help: "Waiting.", Objectives: map[float64]float64{0.5: 0.05}})
	summary.Observe(4)
	runs := client.NewCounterVec(client.CounterOpts{Name: "runs_total", Help: "Runs by result."}, []string{"result"})
	runs.WithLabelValues("ok").Add(1234567)
	runs.WithLabelValues("failed").Add(2)
	registry := client.NewPedanticRegistry()
	registry.MustRegister(classic, native, summary, runs)
	return registry
}

// TestPageOfOneGroup looks at groups of all kinds, runs the lines that the page
// shows, and deletes.
func TestPageOfOneGroup(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.start("--bus.listen="+testkit.FreeAddress(t), "--bus.history=5")
	pusher := push.New(g.url, "batch").Grouping("instance", "node-1").Format(expfmt.NewFormat(expfmt.TypeProtoDelim)).Gatherer(histograms())
	if err := pusher.Push(); err != nil {
		t.Fatal(err)
	}
	// The command lines of the page call programs by name.
	tools := filepath.Join(s.dir, "bin")
	if err := os.Mkdir(tools, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{"nats": natsCLI(t), "sluice": binary} {
		if err := os.Symlink(from, filepath.Join(tools, name)); err != nil {
			t.Fatal(err)
		}
	}
	g.inBrowser("group", pageSettings{Tools: tools})
	g.inBrowser("history", pageSettings{})
	g.must(http.StatusOK, http.MethodGet, "/-/healthy", "")
}
