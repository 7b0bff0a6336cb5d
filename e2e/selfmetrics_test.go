package e2e

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"sluice/e2e/testkit"
)

// readFamilies reads a text with all its families by name.
func readFamilies(t *testing.T, text string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// labelNames returns the names of a metric's labels, sorted.
func labelNames(m *dto.Metric) string {
	var names []string
	for _, l := range m.Label {
		names = append(names, l.GetName())
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// shape says what dashboards and alerts rely on in a family: type, label names,
// and quantiles.
func shape(f *dto.MetricFamily) string {
	m := f.Metric[0]
	text := fmt.Sprintf("%s by (%s)", f.GetType(), labelNames(m))
	for _, q := range m.GetSummary().GetQuantile() {
		text += fmt.Sprintf(" q%g", q.GetQuantile())
	}
	return text
}

// useAll sends requests of each kind that is counted.
func useAll(g *sluice) {
	g.t.Helper()
	for _, r := range []struct {
		code               int
		method, path, body string
	}{
		{200, "PUT", "/metrics/job/own/instance/1", "a 1\n"},
		{200, "POST", "/metrics/job/own", "a 1\n"},
		{200, "PUT", "/metrics/job@base64/b3du", "a 1\n"},
		{400, "PUT", "/metrics/job/own", "bad\n"},
		{400, "POST", "/metrics/job/own", "# TYPE a counter\na{x=\"\"} 1\n# TYPE go_goroutines counter\ngo_goroutines 1\n"},
		{400, "POST", "/metrics/job/own/odd", "a 1\n"},
		{202, "DELETE", "/metrics/job/own", ""},
		{400, "DELETE", "/metrics/job/own/odd", ""},
		{200, "GET", "/-/ready", ""},
		{200, "GET", "/-/healthy", ""},
		{200, "GET", "/", ""},
		{200, "GET", "/status", ""},
		{200, "GET", "/api/v1/status", ""},
		{200, "GET", "/api/v1/metrics", ""},
		{200, "OPTIONS", "/api/v1/metrics", ""},
		{202, "PUT", "/api/v1/admin/wipe", ""},
		{200, "GET", "/metrics", ""},
		{404, "GET", "/no/such/path", ""},
	} {
		g.must(r.code, r.method, r.path, r.body)
	}
}

// Whoever has dashboards and alerts on Pushgateway's own metrics keeps them:
// every family of a real Pushgateway is here with its type and labels, and after
// the same requests the same are counted.
func TestSelfMetricsAreThoseOfPushgateway(t *testing.T) {
	s := newSite(t)
	pushgateway, g := startPushgateway(s, testkit.FreeAddress(t), "", "--web.enable-admin-api"), s.start("--web.enable-admin-api")
	useAll(&pushgateway.sluice)
	useAll(g)
	theirs := readFamilies(t, pushgateway.must(http.StatusOK, http.MethodGet, "/metrics", "").body)
	ours := readFamilies(t, g.must(http.StatusOK, http.MethodGet, "/metrics", "").body)

	// Gone from newer client libraries, and so from newer Pushgateways.
	dropped := map[string]bool{"go_memstats_lookups_total": true}
	// Labels that newer client libraries add.
	newer := map[string]string{"pushgateway_build_info": "tags"}
	for name, f := range theirs {
		our := ours[name]
		if dropped[name] {
			continue
		}
		if our == nil {
			t.Errorf("%s is missing", name)
			continue
		}
		want := shape(f)
		if added := newer[name]; added != "" && !strings.Contains(want, " "+added) {
			want = strings.Replace(want, " version", " "+added+" version", 1)
		}
		if shape(our) != want {
			t.Errorf("%s is %s, Pushgateway's is %s", name, shape(our), want)
		}
		if strings.HasPrefix(name, "pushgateway_") && our.GetHelp() != f.GetHelp() {
			t.Errorf("%s has help %q, Pushgateway's has %q", name, our.GetHelp(), f.GetHelp())
		}
	}
	for name := range ours {
		if theirs[name] == nil && !strings.HasPrefix(name, "sluice_") && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("%s is not in Pushgateway", name)
		}
	}

	counts := func(f *dto.MetricFamily) string {
		var lines []string
		for _, m := range f.Metric {
			if slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetValue() == "ready" }) {
				continue // asked until it was
			}
			lines = append(lines, fmt.Sprint(m.GetLabel(), m.GetCounter().GetValue()))
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	const requests = "pushgateway_http_requests_total"
	if have, want := counts(ours[requests]), counts(theirs[requests]); have != want {
		t.Errorf("%s:\n%s\nPushgateway's:\n%s", requests, have, want)
	}
	pushes := func(families map[string]*dto.MetricFamily, name string) string {
		var text string
		slices.SortFunc(families[name].Metric, func(a, b *dto.Metric) int {
			return cmp.Compare(a.Label[0].GetValue(), b.Label[0].GetValue())
		})
		for _, m := range families[name].Metric {
			text += fmt.Sprintf("%s %d ", m.Label[0].GetValue(), m.GetSummary().GetSampleCount())
		}
		return text
	}
	for _, name := range []string{"pushgateway_http_push_size_bytes", "pushgateway_http_push_duration_seconds"} {
		if have, want := pushes(ours, name), pushes(theirs, name); have != want {
			t.Errorf("%s counts %s, Pushgateway's %s", name, have, want)
		}
	}
}

// own returns the names of the families in a text that are the gateway's own, and
// whether there are others.
func own(t *testing.T, text string) (names []string, pushed bool) {
	t.Helper()
	for name, f := range readFamilies(t, text) {
		if strings.Contains(labelNames(f.Metric[0]), "job") {
			pushed = true
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, pushed
}

func TestSelfMetricsAlone(t *testing.T) {
	s := newSite(t)
	const body = "pushed 1\n"
	g := s.start()
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/a", body)
	together, pushed := own(t, g.must(http.StatusOK, http.MethodGet, "/metrics", "").body)
	if !pushed {
		t.Error("a scrape shows no pushed metrics")
	}
	alone, pushed := own(t, g.must(http.StatusOK, http.MethodGet, "/-/metrics", "").body)
	if pushed || !slices.Equal(alone, together) {
		t.Errorf("alone:\n%s\nin a scrape:\n%s", alone, together)
	}
	g.must(http.StatusMethodNotAllowed, http.MethodPut, "/-/metrics", body)
	if _, err := g.Terminate(); err != nil {
		t.Fatal(err)
	}

	// Apart they do not stand in the way of pushes: neither by their types, nor
	// by the names of their series.
	g = s.launch("--web.own-metrics=separate", "--web.route-prefix=/x")
	if err := g.WaitReady(t.Context(), s.client, g.url+"/x"); err != nil {
		t.Fatal(err)
	}
	for i, clash := range []string{
		"# TYPE go_goroutines counter\ngo_goroutines 7\n",
		"# TYPE go_gc_duration_seconds_count gauge\ngo_gc_duration_seconds_count 1\n",
		"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 5\n",
	} {
		g.must(http.StatusOK, http.MethodPut, fmt.Sprintf("/x/metrics/job/clash/n/%d", i), clash)
	}
	text := g.must(http.StatusOK, http.MethodGet, "/x/metrics", "").body
	if names, pushed := own(t, text); len(names) > 0 || !pushed {
		t.Errorf("a scrape shows %s", names)
	}
	for _, want := range []string{"# TYPE go_goroutines counter\n", `go_goroutines{instance="",job="clash",n="0"} 7` + "\n", `process_start_time_seconds{instance="",job="clash",n="2"} 5` + "\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the scrape:\n%s", want, text)
		}
	}
	if names, pushed := own(t, g.must(http.StatusOK, http.MethodGet, "/x/-/metrics", "").body); pushed || !slices.Equal(names, alone) {
		t.Errorf("alone, apart:\n%s\nwant:\n%s", names, alone)
	}
	if _, err := g.Terminate(); err != nil {
		t.Fatal(err)
	}

	// Back together, what was pushed meanwhile is shown, and one type a family.
	g = s.start()
	text = g.must(http.StatusOK, http.MethodGet, "/metrics", "").body
	if f := readFamilies(t, text)["go_goroutines"]; f.GetType() != dto.MetricType_COUNTER || len(f.Metric) != 1 {
		t.Errorf("go_goroutines: %s", f)
	}
	if f := readFamilies(t, text)["process_start_time_seconds"]; len(f.Metric) != 2 {
		t.Errorf("process_start_time_seconds: %s", f)
	}
}

// During a replay the own metrics tell how it goes on.
func TestSelfMetricsAloneAreThereBeforeTheReplayIsOver(t *testing.T) {
	s := newSite(t)
	g := s.launch()
	names, _ := own(t, g.must(http.StatusOK, http.MethodGet, "/-/metrics", "").body)
	if !slices.Contains(names, "sluice_stream_applied_sequence") {
		t.Errorf("have %s", names)
	}
}
