package e2e

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"sluice/e2e/testkit"
)

// pushFormats are the formats that client_golang pushes in.
var pushFormats = map[string]expfmt.Format{
	"protobuf": expfmt.NewFormat(expfmt.TypeProtoDelim),
	"text":     expfmt.NewFormat(expfmt.TypeTextPlain),
}

// goRegistry has a metric of each type, an exemplar and a native histogram.
func goRegistry(t *testing.T) *client.Registry {
	t.Helper()
	counter := client.NewCounterVec(client.CounterOpts{Name: "c_total", Help: "c"}, []string{"l"})
	counter.WithLabelValues("a \"b\"\n\\").(client.ExemplarAdder).AddWithExemplar(2, client.Labels{"trace_id": "t1"})
	gauge := client.NewGauge(client.GaugeOpts{Name: "g", Help: "g"})
	gauge.Set(1.5)
	histogram := client.NewHistogram(client.HistogramOpts{Name: "h", Help: "h", Buckets: []float64{1, 5}})
	histogram.Observe(3)
	native := client.NewHistogram(client.HistogramOpts{Name: "n", Help: "n", NativeHistogramBucketFactor: 1.1})
	native.Observe(3)
	native.Observe(-0.5)
	summary := client.NewSummary(client.SummaryOpts{Name: "s", Help: "s", Objectives: map[float64]float64{0.5: 0.05}})
	summary.Observe(4)
	untyped := client.NewUntypedFunc(client.UntypedOpts{Name: "u", Help: "u"}, func() float64 { return 7 })
	registry := client.NewPedanticRegistry()
	registry.MustRegister(counter, gauge, histogram, native, summary, untyped)
	return registry
}

// gaugeOf is a collector of one gauge.
func gaugeOf(name string, value float64) client.Collector {
	return client.NewGaugeFunc(client.GaugeOpts{Name: name, Help: "help"}, func() float64 { return value })
}

func TestGoClientPushesAllTypes(t *testing.T) {
	for name, format := range pushFormats {
		t.Run(name, func(t *testing.T) {
			g := newSite(t).start()
			pusher := push.New(g.url, "x").Grouping("instance", "i").Format(format).Gatherer(goRegistry(t))
			if err := pusher.Push(); err != nil {
				t.Fatal(err)
			}
			const labels = `instance="i",job="x"`
			want := []string{`g{` + labels + `} 1.5`, `u{` + labels + `} 7`, `s{` + labels + `,quantile="0.5"} 4`,
				`n_bucket{` + labels + `,le="+Inf"} 2`, `n_sum{` + labels + `} 2.5`, `n_count{` + labels + `} 2`}
			want = append(want, allOfEach(labels)...)
			slices.Sort(want)
			e := g.scrape()
			if lines, _ := e.withoutTimes(); !slices.Equal(lines, want) {
				t.Errorf("shown is\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
			}
			for family, kind := range map[string]string{"c_total": "counter", "g": "gauge", "h": "histogram", "n": "histogram", "s": "summary", "u": "untyped"} {
				if e.types[family] != kind {
					t.Errorf("%s is a %s, want %s", family, e.types[family], kind)
				}
			}
			families := scrapeProtobuf(t, g)
			native := families["n"].GetMetric()[0].GetHistogram()
			exemplar := families["c_total"].GetMetric()[0].GetCounter().GetExemplar()
			kept := native.Schema != nil && len(native.GetPositiveSpan()) > 0 && len(native.GetNegativeSpan()) > 0 && exemplar.GetLabel()[0].GetValue() == "t1"
			if want := name == "protobuf"; kept != want { // text carries neither
				t.Errorf("native histogram and exemplar are kept: %t, want %t: %v, %v", kept, want, native, exemplar)
			}
		})
	}
}

// scrapeProtobuf reads /metrics as Prometheus does, by family.
func scrapeProtobuf(t *testing.T, g *sluice) map[string]*dto.MetricFamily {
	t.Helper()
	a := g.must(http.StatusOK, http.MethodGet, "/metrics", "", "Accept", delimitedProtobuf)
	decoder := expfmt.NewDecoder(strings.NewReader(a.body), expfmt.ResponseFormat(a.header))
	families := map[string]*dto.MetricFamily{}
	for {
		family := new(dto.MetricFamily)
		if err := decoder.Decode(family); errors.Is(err, io.EOF) {
			return families
		} else if err != nil {
			t.Fatal(err)
		}
		families[family.GetName()] = family
	}
}

func TestGoClientVerbs(t *testing.T) {
	for name, format := range pushFormats {
		t.Run(name, func(t *testing.T) {
			g := newSite(t).start()
			// The library changes the key: a space becomes a plus sign.
			pusher := func(collectors ...client.Collector) *push.Pusher {
				p := push.New(g.url+"/", "a/b").Format(format).Grouping("path", "/var/tmp").Grouping("empty", "").
					Grouping("space", "a b").Grouping("other", "ä+\"%?#").Grouping("last", "")
				for _, c := range collectors {
					p.Collector(c)
				}
				return p
			}
			const labels = `{empty="",instance="",job="a/b",last="",other="ä+\"%?#",path="/var/tmp",space="a+b"}`
			f := func(what string, err error, shows ...string) {
				t.Helper()
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
				if lines, _ := g.scrape().withoutTimes(); !slices.Equal(lines, shows) {
					t.Errorf("after %s there is %q, want %q", what, lines, shows)
				}
			}
			f("Push", pusher(gaugeOf("a", 1), gaugeOf("b", 2)).Push(), "a"+labels+" 1", "b"+labels+" 2")
			f("Add", pusher(gaugeOf("b", 3)).Add(), "a"+labels+" 1", "b"+labels+" 3")
			f("Add with a context", pusher(gaugeOf("c", 4)).AddContext(t.Context()), "a"+labels+" 1", "b"+labels+" 3", "c"+labels+" 4")
			f("Push again", pusher(gaugeOf("b", 5)).PushContext(t.Context()), "b"+labels+" 5")
			f("Delete of another key", push.New(g.url, "a/b").Delete(), "b"+labels+" 5")
			f("Delete", pusher().Delete())
			f("Delete again", pusher().Delete())
		})
	}
}

// For the library only 200 and 202 are success, of Delete only 202. Its error contains
// the text of the answer.
func TestGoClientTellsRefusals(t *testing.T) {
	g := newSite(t).start()
	if err := push.New(g.url, "a").Collector(gaugeOf("m", 1)).Push(); err != nil {
		t.Fatal(err)
	}
	counter := client.NewCounter(client.CounterOpts{Name: "m", Help: "help"})
	for name, refused := range map[string]struct {
		err  error
		says []string
	}{
		"another type":        {push.New(g.url, "b").Collector(counter).Push(), []string{"400", "counter", "gauge", "/job/a"}},
		"another type by Add": {push.New(g.url, "b").Collector(counter).Add(), []string{"400", "counter", "gauge", "/job/a"}},
		"a wrong path":        {push.New(g.url+"/nowhere", "a").Collector(counter).Push(), []string{"404"}},
		"Delete, wrong path":  {push.New(g.url+"/nowhere", "a").Delete(), []string{"404"}},
		"nobody listens":      {push.New("http://"+testkit.FreeAddress(t), "a").Collector(counter).Push(), []string{"refused"}},
	} {
		if refused.err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, says := range refused.says {
			if !strings.Contains(refused.err.Error(), says) {
				t.Errorf("%s: the error does not say %q: %v", name, says, refused.err)
			}
		}
	}
	if lines, _ := g.scrape().withoutTimes(); !slices.Equal(lines, []string{`m{instance="",job="a"} 1`}) {
		t.Errorf("shown is %q", lines)
	}
}

// A countingDoer is an HTTP client that the user provides.
type countingDoer struct {
	client http.Client
	agents []string
}

func (d *countingDoer) Do(r *http.Request) (*http.Response, error) {
	d.agents = append(d.agents, r.Header.Get("User-Agent"))
	return d.client.Do(r)
}

func TestGoClientWithItsOwnHTTPClientAndHeaders(t *testing.T) {
	g := newSite(t).start()
	doer := &countingDoer{client: http.Client{Timeout: requestBound}}
	pusher := push.New(g.url, "x").Client(doer).Header(http.Header{"User-Agent": {"nightly/1"}, "X-Extra": {"y"}}).Collector(gaugeOf("a", 1))
	for _, use := range []func() error{pusher.Push, pusher.Add, pusher.Delete} {
		if err := use(); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(doer.agents, []string{"nightly/1", "nightly/1", "nightly/1"}) {
		t.Errorf("the requests came from %v", doer.agents)
	}
}

func TestGoClientAgainstAnUncheckedGateway(t *testing.T) {
	g := newSite(t).start("--push.disable-consistency-check")
	pusher := push.New(g.url, "x").Collector(gaugeOf("a", 1))
	for _, use := range []func() error{pusher.Push, pusher.Add} { // answered by 202
		if err := use(); err != nil {
			t.Error(err)
		}
	}
	testkit.Within(t, 10*time.Second, "the push is shown", func() bool {
		lines, _ := g.scrape().withoutTimes()
		return slices.Equal(lines, []string{"a" + jobX() + " 1"})
	})
}
