package exposer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"sluice/ingest/decode"
	"sluice/store"
)

// scraperHeaders are what scrapers send as Accept, each with the escaping that
// takes the place of @.
var scraperHeaders = []string{
	"text/plain;version=0.0.4;escaping=@",
	"text/plain;version=1.0.0;escaping=@",
	"application/openmetrics-text;version=1.0.0;escaping=@",
	"application/openmetrics-text;version=0.0.1;escaping=@",
	"application/openmetrics-text;version=2.0.0;escaping=@,application/openmetrics-text;version=1.0.0;escaping=@;q=0.5",
	"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=@",
	"application/openmetrics-text;version=1.0.0;escaping=@;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=@;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
}

var schemes = []model.EscapingScheme{model.NoEscaping, model.UnderscoreEscaping, model.DotsEscaping, model.ValueEncodingEscaping}

// Names that fall together when they are escaped, or nearly so, and pieces that
// others are made of.
var (
	oddMetricNames = []string{
		"a.b", "a-b", "a_b", "a__b", "a_dot_b", "U__a_2e_b", "a.b_count", "a_b_count", "a.b.count", "a-b_bucket", "a_b_sum",
		"a.b.total", "a_b_total", "a.b_created", "a_b_created", "a.b_gsum", "a_b_info", "push.time.seconds", "push_time-seconds",
		"sluice.group.up", "go.goroutines", "go.gc.duration.seconds", "go-gc-duration-seconds.count", "0a", "_a", "é",
	}
	oddLabelNames = []string{
		"a.b", "a-b", "a_b", "a__b", "a_dot_b", "U__a_2e_b", "a:b.c", "a:b-c", "a_b_c", "a_b.c", "..name..", "-name-", "0a", "_a", "é", "le", "quantile", "job", "instance",
	}
	namePieces = []string{"a", "b", "_", "__", ".", "-", " ", ":", "é", "\U0001F600", "0", `"`, `\`, "\n", "{", "}", "=", ",", "#", "U__", "_2e_", "_dot_", "_total", "_count"}
)

func drawName(t *rapid.T, odd []string, what string) string {
	if rapid.IntRange(0, 3).Draw(t, what+" is made up") > 0 {
		return rapid.SampledFrom(odd).Draw(t, what)
	}
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(namePieces), 1, 4).Draw(t, what), "")
}

func drawLabels(t *rapid.T, most int, what string) []*dto.LabelPair {
	var pairs []*dto.LabelPair
	for range rapid.IntRange(0, most).Draw(t, "labels of "+what) {
		pairs = append(pairs, &dto.LabelPair{
			Name:  proto.String(drawName(t, oddLabelNames, "label")),
			Value: proto.String(rapid.SampledFrom([]string{"", "1", "2", "x\\\"\n,"}).Draw(t, "value of a label")),
		})
	}
	return pairs
}

func drawExemplar(t *rapid.T) *dto.Exemplar {
	if rapid.IntRange(0, 3).Draw(t, "exemplar") > 0 {
		return nil
	}
	return &dto.Exemplar{Label: drawLabels(t, 3, "the exemplar"), Value: proto.Float64(1), Timestamp: &timestamppb.Timestamp{Seconds: 5}}
}

func drawMetric(t *rapid.T, typ dto.MetricType) *dto.Metric {
	m := &dto.Metric{Label: drawLabels(t, 3, "the metric")}
	v := proto.Float64(float64(rapid.IntRange(-1, 3).Draw(t, "value")))
	switch typ {
	case dto.MetricType_COUNTER:
		m.Counter = &dto.Counter{Value: v, Exemplar: drawExemplar(t)}
	case dto.MetricType_GAUGE:
		m.Gauge = &dto.Gauge{Value: v}
	case dto.MetricType_SUMMARY:
		m.Summary = &dto.Summary{SampleCount: proto.Uint64(1), SampleSum: v, Quantile: []*dto.Quantile{{Quantile: proto.Float64(0.5), Value: v}}}
	case dto.MetricType_UNTYPED:
		m.Untyped = &dto.Untyped{Value: v}
	default:
		m.Histogram = &dto.Histogram{SampleCount: proto.Uint64(3), SampleSum: v, Bucket: []*dto.Bucket{
			{UpperBound: proto.Float64(1), CumulativeCount: proto.Uint64(1), Exemplar: drawExemplar(t)}}}
		if rapid.IntRange(0, 3).Draw(t, "native") == 0 {
			m.Histogram.Schema, m.Histogram.ZeroThreshold, m.Histogram.ZeroCount = proto.Int32(2), proto.Float64(0.1), proto.Uint64(1)
			m.Histogram.PositiveSpan, m.Histogram.PositiveDelta = []*dto.BucketSpan{{Offset: proto.Int32(1), Length: proto.Uint32(1)}}, []int64{2}
		}
	}
	return m
}

// labelsOf returns the labels that tell a metric from the others of its family in
// text: sorted, without those of buckets and quantiles.
func labelsOf(m *dto.Metric) []string {
	var all []string
	for _, l := range m.Label {
		if l.GetName() != model.BucketLabel && l.GetName() != model.QuantileLabel {
			all = append(all, l.GetName()+"="+l.GetValue())
		}
	}
	slices.Sort(all)
	return all
}

// drawBody draws the body of a push in protobuf or text, with its content type.
func drawBody(t *rapid.T) (body []byte, contentType string) {
	text := rapid.Bool().Draw(t, "in text")
	var b bytes.Buffer
	for range rapid.IntRange(0, 3).Draw(t, "families") {
		typ := dto.MetricType(rapid.IntRange(0, 5).Draw(t, "type"))
		name := drawName(t, oddMetricNames, "name")
		if typ == dto.MetricType_GAUGE_HISTOGRAM { // Pushgateway takes families that are called like its series
			name = rapid.SampledFrom([]string{"g", "g.h", "g-h", "g_h", "g_dot_h"}).Draw(t, "name of a gauge histogram")
		}
		mf := &dto.MetricFamily{Name: &name, Type: typ.Enum()}
		for range rapid.IntRange(1, 3).Draw(t, "metrics") {
			mf.Metric = append(mf.Metric, drawMetric(t, typ))
		}
		if text { // it would have the buckets of a histogram twice, which Pushgateway and Prometheus take
			seen := map[string]bool{}
			mf.Metric = slices.DeleteFunc(mf.Metric, func(m *dto.Metric) bool {
				id := fmt.Sprint(labelsOf(m))
				defer func() { seen[id] = true }()
				return seen[id]
			})
		}
		var err error
		if text {
			_, err = expfmt.MetricFamilyToText(&b, mf)
		} else {
			_, err = protodelim.MarshalTo(&b, mf)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if text {
		return b.Bytes(), "text/plain"
	}
	return b.Bytes(), protobufType
}

// drawGroup draws a grouping key that the front ends take.
func drawGroup(t *rapid.T) store.Key {
	var grouping []store.Label
	for range rapid.IntRange(0, 2).Draw(t, "grouping labels") {
		name := drawName(t, oddLabelNames, "grouping label")
		if decode.IsLabelName(name) && !strings.Contains(name, ":") {
			grouping = append(grouping, store.Label{Name: name, Value: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "its value")})
		}
	}
	key, err := store.NewKey(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "job"), grouping...)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// No push that is accepted makes a scrape unreadable, in any format and with any
// escaping of names, and none of its series is missing there.
func TestAcceptedPushesAreReadable(t *testing.T) {
	self := fewSelfMetrics()
	rapid.Check(t, func(t *rapid.T) { acceptedPushesAreReadable(t, self) })
}

func FuzzAcceptedPushesAreReadable(f *testing.F) {
	for seed := range 5 {
		draws := make([]byte, 2000)
		rand.NewChaCha8([32]byte{byte(seed)}).Read(draws)
		f.Add(draws)
	}
	self := fewSelfMetrics()
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) { acceptedPushesAreReadable(t, self) }))
}

// fewSelfMetrics returns own metrics that cost little to gather.
func fewSelfMetrics() *SelfMetrics {
	m := &SelfMetrics{
		registry: prometheus.NewRegistry(),
		groups:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "go_goroutines"}),
		dead:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_groups_dead"}),
		states:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sluice_groups_by_state"}, []string{"state"}),
		jobs:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_jobs"}),
		series:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_series"}),
	}
	m.registry.MustRegister(m.groups, m.dead, prometheus.NewSummary(prometheus.SummaryOpts{Name: "go_gc_duration_seconds"}))
	return m
}

func acceptedPushesAreReadable(t *rapid.T, self *SelfMetrics) {
	reserved, err := self.Reserved()
	if err != nil {
		t.Fatal(err)
	}
	s := store.New(store.Settings{Reserved: reserved})
	logger := promslog.NewNopLogger()
	scraper := NewScraper(s, self, func() bool { return true }, NewJudge(s, self, logger), logger)
	now := int64(1e9)
	for range rapid.IntRange(1, 5).Draw(t, "batches") {
		draft := s.Draft()
		var events []store.Event
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			now += 1e9
			events = append(events, drawEvents(t, draft, now)...)
		}
		for _, e := range events {
			s.Apply(s.Sequence()+1, e)
		}
	}
	for _, header := range scraperHeaders {
		plain := 0
		for _, scheme := range schemes {
			w := scrape(scraper, "Accept", strings.ReplaceAll(header, "@", scheme.String()))
			if w.Code != 200 {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			n, err := readScrape(w.Header().Get("Content-Type"), w.Body.Bytes())
			if err != nil {
				t.Fatalf("Accept %s, %s: %v\n%s", header, scheme, err, w.Body)
			}
			if scheme == model.NoEscaping {
				plain = n
			} else if n != plain {
				t.Fatalf("Accept %s, %s: %d series, %d without escaping\n%s", header, scheme, n, plain, w.Body)
			}
		}
	}
}

// drawEvents draws a change and returns what it leads to.
func drawEvents(t *rapid.T, draft *store.Draft, now int64) []store.Event {
	key := drawGroup(t)
	var event store.Event
	var err error
	switch op := rapid.IntRange(0, 9).Draw(t, "op"); op {
	case 0:
		event, err = draft.Delete(key, "")
	case 1:
		var ok bool
		event, ok, err = draft.Due(key, now, 1e10)
		if !ok {
			return nil
		}
	default:
		body, contentType := drawBody(t)
		push := store.Push{Key: key, Time: now}
		if rapid.Bool().Draw(t, "has a time to live") {
			push.Expires = now + 2e9
		}
		do := draft.Post
		if op%2 == 0 {
			do = draft.Put
		}
		if push.Families, err = decode.Families(body, contentType, key, decode.Options{Scheme: model.UTF8Validation}); err == nil {
			if event, err = do(push); err == nil {
				return []store.Event{event}
			}
		}
		var ok bool
		if event, ok, err = draft.Fail(push, err.Error()); !ok {
			return nil
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return []store.Event{event}
}

// What an older gateway has accepted is in the stream, and is not judged again. A
// scrape with escaped names leaves out what nobody could read, and is the same each
// time; without escaping it has everything.
func TestScrapeOfWhatOlderGatewaysAccepted(t *testing.T) {
	s := store.New(store.Settings{})
	applyText(t, s, "/job/a", `# TYPE U__m_2e_n gauge
U__m_2e_n{instance="",job="a"} 1
# TYPE "go.goroutines" counter
{"go.goroutines",instance="",job="a"} 5
# TYPE "m-n" gauge
{"m-n",instance="",job="a"} 2
# TYPE "m.n" gauge
{"m.n",instance="",job="a"} 3
# TYPE "m.n.count" gauge
{"m.n.count",instance="",job="a"} 4
# TYPE s gauge
s{"..name.."="",instance="",job="a"} 6
s{"a-b"="1","a.b"="2",instance="",job="a"} 7
s{"a.b"="1",instance="",job="a"} 8
s{a_b="1",instance="",job="a"} 9
s{a_b="2",instance="",job="a"} 10
`)
	applyText(t, s, "/job/b", "# TYPE m_n histogram\nm_n_bucket{instance=\"\",job=\"b\",le=\"+Inf\"} 1\nm_n_sum{instance=\"\",job=\"b\"} 1\nm_n_count{instance=\"\",job=\"b\"} 1\n")
	applyText(t, s, "/job/x/U__a_2e_b/1", "")
	applyText(t, s, "/job/x/a_b/1", "")
	applyText(t, s, "/job/x/U__a_2e_b/1/U__a_2d_b/2", "")
	scraper := newTestScraper(s, true)
	for _, header := range scraperHeaders {
		for _, scheme := range schemes {
			accept := strings.ReplaceAll(header, "@", scheme.String())
			first, second := scrape(scraper, "Accept", accept), scrape(scraper, "Accept", accept)
			if _, err := readScrape(first.Header().Get("Content-Type"), first.Body.Bytes()); err != nil {
				t.Errorf("Accept %s: %v\n%s", accept, err, first.Body)
			}
			if strings.HasPrefix(header, "text") && samples(first.Body.String()) != samples(second.Body.String()) {
				t.Errorf("Accept %s: two scrapes differ", accept)
			}
		}
	}
	times := func(more string) string {
		return `push_time_seconds{instance="",job="a"} 1e-09|push_time_seconds{instance="",job="b"} 1e-09|` + more
	}
	f := func(scheme model.EscapingScheme, want string) {
		t.Helper()
		w := scrape(scraper, "Accept", "text/plain;escaping="+scheme.String())
		if got := samples(w.Body.String()); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", scheme, got, want)
		}
	}
	f(model.UnderscoreEscaping, `U__m_2e_n{instance="",job="a"} 1|m_n_bucket{instance="",job="b",le="+Inf"} 1|m_n_sum{instance="",job="b"} 1|m_n_count{instance="",job="b"} 1|`+
		times(`push_time_seconds{a_b="1",instance="",job="x"} 1e-09|`)+`s{a_b="1",instance="",job="a"} 8|s{a_b="2",instance="",job="a"} 10|`)
	f(model.DotsEscaping, `U__m_2e_n{instance="",job="a"} 1|go_dot_goroutines{instance="",job="a"} 5|m__n{instance="",job="a"} 2|m_dot_n{instance="",job="a"} 3|m_dot_n_dot_count{instance="",job="a"} 4|`+
		`m_n_bucket{instance="",job="b",le="+Inf"} 1|m_n_sum{instance="",job="b"} 1|m_n_count{instance="",job="b"} 1|`+
		times(`push_time_seconds{a__b="2",a_dot_b="1",instance="",job="x"} 1e-09|push_time_seconds{a_dot_b="1",instance="",job="x"} 1e-09|push_time_seconds{a_b="1",instance="",job="x"} 1e-09|`)+
		`s{_dot__dot_name_dot__dot_="",instance="",job="a"} 6|s{a__b="1",a_dot_b="2",instance="",job="a"} 7|s{a_dot_b="1",instance="",job="a"} 8|s{a_b="1",instance="",job="a"} 9|s{a_b="2",instance="",job="a"} 10|`)
	if n := strings.Count(scrape(scraper, "Accept", "text/plain;escaping=allow-utf-8").Body.String(), `job="a"} `); n != 10+2 {
		t.Errorf("without escaping there are %d lines of the first group", n)
	}
}

// samples returns the samples that groups have pushed and the times of their pushes,
// with a sign behind each.
func samples(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, `job="`) && !strings.HasPrefix(line, "push_failure") {
			b.WriteString(strings.TrimSuffix(line, "\n") + "|")
		}
	}
	return b.String()
}

// readScrape reads a scrape as Prometheus does, and as the parsers of the client
// libraries do, and returns how many series there are.
func readScrape(contentType string, body []byte) (series int, err error) {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return 0, err
	}
	scheme, err := model.ToEscapingScheme(params[model.EscapingKey])
	if err != nil {
		return 0, err
	}
	validation := model.LegacyValidation
	if scheme == model.NoEscaping {
		validation = model.UTF8Validation
	}
	if mediaType != expfmt.OpenMetricsType {
		decoder := expfmt.NewDecoder(bytes.NewReader(body), expfmt.Format(contentType))
		for err = nil; err == nil; {
			err = decoder.Decode(&dto.MetricFamily{})
		}
		if err != io.EOF {
			return 0, fmt.Errorf("expfmt: %w", err)
		}
	}
	r := &reader{validation: validation, text: mediaType != expfmt.ProtoType, types: map[string]bool{}, series: map[string]bool{}, owners: map[string]string{}}
	parser, err := textparse.New(body, contentType, labels.NewSymbolTable(), textparse.ParserOptions{KeepClassicOnClassicAndNativeHistograms: true})
	if err != nil {
		return 0, err
	}
	for {
		entry, err := parser.Next()
		if err == io.EOF {
			return len(r.series), nil
		}
		if err == nil {
			err = r.entry(entry, parser)
		}
		if err != nil {
			return 0, err
		}
	}
}

// reader holds a scrape to what Prometheus wants of it.
type reader struct {
	validation model.ValidationScheme
	text       bool
	family     string            // that is being read
	types      map[string]bool   // families so far
	series     map[string]bool   // series so far
	owners     map[string]string // families by the names of their series
}

func (r *reader) entry(entry textparse.Entry, parser textparse.Parser) error {
	switch entry {
	case textparse.EntryType:
		name, _ := parser.Type()
		r.family = string(name)
		if r.text { // the parser leaves escapes in the names of families
			r.family = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n").Replace(r.family)
		}
		if r.types[r.family] {
			return fmt.Errorf("family %q is there twice", r.family)
		}
		r.types[r.family] = true
		if !r.validation.IsValidMetricName(r.family) {
			return fmt.Errorf("family %q has no valid name", r.family)
		}
	case textparse.EntrySeries, textparse.EntryHistogram:
		return r.sample(entry, parser)
	}
	return nil
}

// sample does to the labels of a series what a scrape loop does.
func (r *reader) sample(entry textparse.Entry, parser textparse.Parser) error {
	var set labels.Labels
	parser.Labels(&set)
	if !set.IsValid(r.validation) {
		return fmt.Errorf("series %s has invalid names", set)
	}
	if name, twice := set.HasDuplicateLabelNames(); twice {
		return fmt.Errorf("series %s has label %q twice", set, name)
	}
	name := set.Get(model.MetricNameLabel)
	if !strings.HasPrefix(name, r.family) {
		return fmt.Errorf("series %s is in family %q", set, r.family)
	}
	if owner, ok := r.owners[name]; ok && owner != r.family {
		return fmt.Errorf("series %s is in the families %q and %q", set, owner, r.family)
	}
	r.owners[name] = r.family
	id := fmt.Sprint(entry, set)
	if r.series[id] {
		return fmt.Errorf("series %s is there twice", set)
	}
	r.series[id] = true
	var e exemplar.Exemplar
	for parser.Exemplar(&e) {
		if !e.Labels.IsValid(r.validation) {
			return fmt.Errorf("the exemplar of %s has invalid names: %s", set, e.Labels)
		}
		e = exemplar.Exemplar{}
	}
	return nil
}

// The reader of the property finds what it is there for.
func TestReaderOfScrapes(t *testing.T) {
	f := func(want, text string) {
		t.Helper()
		_, err := readScrape("text/plain; version=0.0.4; charset=utf-8; escaping=underscores", []byte(text))
		if err == nil {
			err = errors.New("readable")
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	f("readable", "# TYPE m gauge\nm{a_b=\"1\"} 1\n# TYPE n gauge\nn 1\n")
	f("duplicate label", "# TYPE m gauge\nm{a_b=\"1\",a_b=\"2\"} 1\n")
	f("there twice", "# TYPE m gauge\nm{a_b=\"1\"} 1\nm{a_b=\"1\"} 1\n")
	f("second TYPE", "# TYPE m gauge\nm 1\n# TYPE m gauge\nm{a=\"1\"} 1\n")
	f("invalid", "# TYPE m gauge\n{\"m\",\"a.b\"=\"1\"} 1\n")
	if !slices.Contains(schemes, model.DotsEscaping) {
		t.Error("not all escapings are read")
	}
}
