package exposer

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"google.golang.org/protobuf/proto"

	"sluice/store"
)

// filled returns a store with the given canonical texts by path of their group.
func filled(tb testing.TB, groups map[string]string) *store.Store {
	tb.Helper()
	s := store.New(store.Settings{})
	seq := uint64(0)
	for path, text := range groups {
		key, err := store.ParseKey(path)
		if err != nil {
			tb.Fatal(err)
		}
		families, err := store.ParseText([]byte(text))
		if err != nil {
			tb.Fatal(err)
		}
		seq++
		s.Apply(seq, store.Event{Op: store.OpPut, Key: key, PushTime: 1_500_000_000_000_000_000, Families: families})
	}
	return s
}

func newTestScraper(s *store.Store, ready bool) *Scraper {
	self := NewSelfMetrics()
	return NewScraper(s, self, func() bool { return ready }, NewJudge(s, self, promslog.NewNopLogger()), promslog.NewNopLogger())
}

func scrape(s *Scraper, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// pushedOnly drops the gateway's own lines, whose values change.
func pushedOnly(text string) string {
	var b strings.Builder
	keep := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "# ") {
			name := strings.Fields(line)[2]
			keep = strings.HasPrefix(name, "t_") || strings.HasPrefix(name, `"t.`) || strings.HasPrefix(name, "push_") || name == "go_goroutines"
		}
		if keep && !strings.HasPrefix(line, "go_goroutines ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestScrapeText(t *testing.T) {
	s := newTestScraper(filled(t, map[string]string{
		"/job/b": "# HELP go_goroutines pushed\n# TYPE go_goroutines gauge\ngo_goroutines{instance=\"\",job=\"b\"} 7\n" +
			"# HELP t_a second\n# TYPE t_a gauge\nt_a{instance=\"\",job=\"b\"} 2\n",
		"/job/a/instance/1": "# HELP t_a first\n# TYPE t_a gauge\nt_a{instance=\"1\",job=\"a\"} 1\n" +
			"# TYPE t_h histogram\nt_h_bucket{instance=\"1\",job=\"a\",le=\"+Inf\"} 1\nt_h_sum{instance=\"1\",job=\"a\"} 1\nt_h_count{instance=\"1\",job=\"a\"} 1\n",
	}), true)
	want := `# HELP go_goroutines Number of goroutines that currently exist.
# TYPE go_goroutines gauge
go_goroutines{instance="",job="b"} 7
# HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.
# TYPE push_failure_time_seconds gauge
push_failure_time_seconds{instance="1",job="a"} 0
push_failure_time_seconds{instance="",job="b"} 0
# HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.
# TYPE push_time_seconds gauge
push_time_seconds{instance="1",job="a"} 1.5e+09
push_time_seconds{instance="",job="b"} 1.5e+09
# HELP t_a first
# TYPE t_a gauge
t_a{instance="1",job="a"} 1
t_a{instance="",job="b"} 2
# TYPE t_h histogram
t_h_bucket{instance="1",job="a",le="+Inf"} 1
t_h_sum{instance="1",job="a"} 1
t_h_count{instance="1",job="a"} 1
`
	w := scrape(s)
	if got := pushedOnly(w.Body.String()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := w.Header().Get("Content-Type"); got != "text/plain; version=0.0.4; charset=utf-8; escaping=underscores" {
		t.Errorf("got content type %q", got)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	if _, err := parser.TextToMetricFamilies(strings.NewReader(w.Body.String())); err != nil {
		t.Errorf("the standard parser refuses the scrape: %v", err)
	}
}

func TestScrapeGzip(t *testing.T) {
	s := newTestScraper(filled(t, map[string]string{"/job/a": "# TYPE t_a gauge\nt_a{instance=\"\",job=\"a\"} 1\n"}), true)
	w := scrape(s, "Accept-Encoding", "gzip")
	if got := w.Header().Get("Content-Encoding"); got != "gzip" {
		t.Fatalf("got encoding %q, want gzip", got)
	}
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\nt_a{instance=\"\",job=\"a\"} 1\n") {
		t.Errorf("got %s", text)
	}
}

// protobufHeader is what Prometheus sends if it wants native histograms.
const protobufHeader = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

func decodeProtobuf(tb testing.TB, body io.Reader) map[string]*dto.MetricFamily {
	tb.Helper()
	families := map[string]*dto.MetricFamily{}
	decoder := expfmt.NewDecoder(body, expfmt.NewFormat(expfmt.TypeProtoDelim))
	for {
		f := &dto.MetricFamily{}
		if err := decoder.Decode(f); err == io.EOF {
			return families
		} else if err != nil {
			tb.Fatal(err)
		}
		if families[f.GetName()] != nil {
			tb.Fatalf("family %s comes twice", f.GetName())
		}
		families[f.GetName()] = f
	}
}

func TestScrapeProtobuf(t *testing.T) {
	s := newTestScraper(filled(t, map[string]string{
		"/job/a": "# HELP t_a first\n# TYPE t_a counter\nt_a{instance=\"\",job=\"a\"} 1\n",
		"/job/b": "# HELP go_goroutines pushed\n# TYPE go_goroutines gauge\ngo_goroutines{instance=\"\",job=\"b\"} 7\n# HELP t_a second\n# TYPE t_a counter\nt_a{instance=\"\",job=\"b\",x=\"1\"} 2\nt_a{instance=\"\",job=\"b\",x=\"2\"} 3\n",
	}), true)
	families := decodeProtobuf(t, scrape(s, "Accept", protobufHeader).Body)
	a := families["t_a"]
	if a.GetHelp() != "first" || a.GetType() != dto.MetricType_COUNTER || len(a.Metric) != 3 {
		t.Errorf("got %v", a)
	}
	self := families["go_goroutines"]
	if self.GetHelp() != "Number of goroutines that currently exist." || len(self.Metric) != 2 {
		t.Errorf("got %v", self)
	}
}

// A family that text cannot carry whole is exposed as it was pushed.
func TestScrapeProtobufKeepsMessage(t *testing.T) {
	message := &dto.MetricFamily{Name: proto.String("t_h"), Type: dto.MetricType_HISTOGRAM.Enum(), Metric: []*dto.Metric{{
		Label: []*dto.LabelPair{{Name: proto.String("instance"), Value: proto.String("")}, {Name: proto.String("job"), Value: proto.String("a")}},
		Histogram: &dto.Histogram{
			SampleCount: proto.Uint64(3), SampleSum: proto.Float64(1), Schema: proto.Int32(2), ZeroThreshold: proto.Float64(0.001), ZeroCount: proto.Uint64(2),
			PositiveSpan: []*dto.BucketSpan{{Offset: proto.Int32(0), Length: proto.Uint32(1)}}, PositiveDelta: []int64{1},
		},
	}}}
	raw, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if _, err := expfmt.MetricFamilyToText(&text, message); err != nil {
		t.Fatal(err)
	}
	families, err := store.ParseText(text.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	families[0].Proto = raw
	key, err := store.ParseKey("/job/a")
	if err != nil {
		t.Fatal(err)
	}
	st := store.New(store.Settings{})
	st.Apply(1, store.Event{Op: store.OpPut, Key: key, Families: families})
	got := decodeProtobuf(t, scrape(newTestScraper(st, true), "Accept", protobufHeader).Body)["t_h"]
	if !proto.Equal(got, message) {
		t.Errorf("got %v, want %v", got, message)
	}
}

func TestScrapeEscaping(t *testing.T) {
	s := newTestScraper(filled(t, map[string]string{
		"/job/a": "# TYPE \"t.a\" gauge\n{\"t.a\",instance=\"\",job=\"a\",\"k.x\"=\"y\"} 1\n",
	}), true)
	f := func(accept, want string) {
		t.Helper()
		if got := scrape(s, "Accept", accept).Body.String(); !strings.Contains(got, want) {
			t.Errorf("%q: no %q in the scrape", accept, want)
		}
	}
	f("text/plain", "\nt_a{instance=\"\",job=\"a\",k_x=\"y\"} 1\n")
	f("text/plain;version=1.0.0;escaping=allow-utf-8", "\n{\"t.a\",instance=\"\",job=\"a\",\"k.x\"=\"y\"} 1\n")
}

func TestScrapeBeforeReady(t *testing.T) {
	w := scrape(newTestScraper(store.New(store.Settings{}), false))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
}

// What is reserved has the type that is gathered, also after requests.
func TestReservedCoversSelfMetrics(t *testing.T) {
	self := NewSelfMetrics()
	reserved, err := self.Reserved()
	if err != nil {
		t.Fatal(err)
	}
	self.InstrumentPush(http.MethodPut, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) })(httptest.NewRecorder(), httptest.NewRequest(http.MethodPut, "/", nil))
	after, err := self.Reserved()
	if err != nil {
		t.Fatal(err)
	}
	for name, typ := range after {
		if reserved[name] != typ {
			t.Errorf("%s: reserved as %v, gathered as %v", name, reserved[name], typ)
		}
	}
	for _, name := range []string{"go_goroutines", "process_start_time_seconds", "pushgateway_build_info", "pushgateway_http_push_duration_seconds", "pushgateway_http_push_size_bytes", "pushgateway_http_requests_total"} {
		if _, ok := reserved[name]; !ok {
			t.Errorf("%s is not reserved", name)
		}
	}
}

// The own metrics count groups by state, jobs and series.
func TestSelfMetricsCountGroups(t *testing.T) {
	s := store.New(store.Settings{})
	families, err := store.ParseText([]byte("# TYPE m gauge\nm{instance=\"\",job=\"x\",n=\"1\"} 1\nm{instance=\"\",job=\"x\",n=\"2\"} 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	for i, group := range []struct {
		path string
		e    store.Event
	}{
		{"/job/a/instance/1", store.Event{Op: store.OpPut, PushTime: 1e9, Families: families}},
		{"/job/a/instance/2", store.Event{Op: store.OpFail, PushTime: 1e9, FailTime: 2e9, Families: families}},
		{"/job/a/instance/3", store.Event{Op: store.OpExpire, PushTime: 1e9, Expires: 2e9, Forget: 9e9}},
		{"/job/b", store.Event{Op: store.OpFail, FailTime: 2e9}},
		{"/job@base64/YS9i/x/y", store.Event{Op: store.OpPut, PushTime: 2e9, FailTime: 1e9}},
	} {
		key, err := store.ParseKey(group.path)
		if err != nil {
			t.Fatal(err)
		}
		group.e.Key = key
		s.Apply(uint64(i+1), group.e)
	}
	self := NewSelfMetrics()
	gather := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return self.gather(s.View()) })
	want := `# HELP sluice_groups Groups in this scrape.
# TYPE sluice_groups gauge
sluice_groups 4
# HELP sluice_groups_by_state Groups by state: up, failing (the last push was refused), never (no push was accepted), dead (expired and not forgotten yet). Refusals that are not in the stream do not count.
# TYPE sluice_groups_by_state gauge
sluice_groups_by_state{state="dead"} 1
sluice_groups_by_state{state="failing"} 1
sluice_groups_by_state{state="never"} 1
sluice_groups_by_state{state="up"} 2
# HELP sluice_jobs Different values of the label job of all groups.
# TYPE sluice_jobs gauge
sluice_jobs 3
# HELP sluice_series Pushed series of all groups. A histogram has one for each bucket and two more.
# TYPE sluice_series gauge
sluice_series 4
`
	if err := testutil.GatherAndCompare(gather, strings.NewReader(want), "sluice_groups", "sluice_groups_by_state", "sluice_jobs", "sluice_series"); err != nil {
		t.Error(err)
	}
}
