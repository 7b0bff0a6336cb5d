package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// fakeGateway is a small in-process push gateway: it parses what is pushed and
// exposes it with the grouping labels, in the format that the scraper accepts.
type fakeGateway struct {
	*httptest.Server

	mu       sync.Mutex
	groups   map[Group]map[string]*dto.MetricFamily
	pushes   map[Group]int
	methods  map[string]int
	ignoring bool // acknowledge pushes without applying them
	refuse   int  // status to refuse pushes with, if not 0
}

func newFakeGateway(t *testing.T) *fakeGateway {
	f := &fakeGateway{groups: map[Group]map[string]*dto.MetricFamily{}, pushes: map[Group]int{}, methods: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/prefix/metrics/job/{job}/instance/{instance}", f.push)
	mux.HandleFunc("GET /prefix/metrics", f.expose)
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

func (f *fakeGateway) target(t *testing.T) *url.URL {
	u, err := url.Parse(f.URL + "/prefix")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (f *fakeGateway) push(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != 0 {
		http.Error(w, "refused", f.refuse)
		return
	}
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unzipped
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	g := Group{Job: r.PathValue("job"), Instance: r.PathValue("instance")}
	f.pushes[g]++
	f.methods[r.Method]++
	if !f.ignoring {
		f.groups[g] = families
	}
}

func (f *fakeGateway) expose(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	formats := expfmt.DefaultAcceptedFormats()
	if strings.HasPrefix(r.Header.Get("Accept"), "application/openmetrics-text") {
		formats = expfmt.DefaultOpenMetricsAcceptedFormats()
	}
	format := expfmt.NegotiateAccept(r.Header, formats...)
	var body bytes.Buffer
	encoder := expfmt.NewEncoder(&body, format)
	for _, family := range f.merged() {
		if err := encoder.Encode(family); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	if closer, ok := encoder.(expfmt.Closer); ok {
		closer.Close()
	}
	w.Header().Set("Content-Type", string(format))
	switch encoding := r.Header.Get("Accept-Encoding"); encoding {
	case "gzip":
		w.Header().Set("Content-Encoding", encoding)
		zip := gzip.NewWriter(w)
		defer zip.Close()
		zip.Write(body.Bytes())
	case "zstd":
		w.Header().Set("Content-Encoding", encoding)
		zip, _ := zstd.NewWriter(w)
		defer zip.Close()
		zip.Write(body.Bytes())
	default:
		w.Write(body.Bytes())
	}
}

// merged returns the families of all groups, sorted by name.
func (f *fakeGateway) merged() []*dto.MetricFamily {
	byName := map[string]*dto.MetricFamily{}
	for g, families := range f.groups {
		for name, family := range families {
			all := byName[name]
			if all == nil {
				all = &dto.MetricFamily{Name: family.Name, Help: family.Help, Type: family.Type}
				byName[name] = all
			}
			for _, m := range family.Metric {
				all.Metric = append(all.Metric, &dto.Metric{
					Label:     append([]*dto.LabelPair{label("job", g.Job), label("instance", g.Instance)}, m.Label...),
					Gauge:     m.Gauge,
					Counter:   m.Counter,
					Histogram: m.Histogram,
				})
			}
		}
	}
	sorted := make([]*dto.MetricFamily, 0, len(byName))
	for _, family := range byName {
		sorted = append(sorted, family)
	}
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].GetName() < sorted[j].GetName() })
	return sorted
}

func label(name, value string) *dto.LabelPair {
	return &dto.LabelPair{Name: &name, Value: &value}
}

// set changes the fake's behaviour between loads.
func (f *fakeGateway) set(change func(*fakeGateway)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}
