package api

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/types/known/timestamppb"

	"sluice/store"
)

const (
	defaultMetrics = 1000
	maxMetrics     = 10_000
)

// GroupDetail is the answer of /api/v1/group: a group with its families.
type GroupDetail struct {
	GroupSummary
	Ready     bool     `json:"ready"`
	Truncated bool     `json:"truncated"` // Families has not all metrics
	Total     int      `json:"families_total"`
	Families  []Family `json:"families"` // in the place of their number
}

// Family is a family with its metrics.
type Family struct {
	Name      string     `json:"name"`
	Type      string     `json:"type"` // as in a TYPE line
	Help      string     `json:"help"`
	Unit      string     `json:"unit,omitempty"`
	PushTime  *time.Time `json:"push_time,omitempty"`
	Truncated bool       `json:"truncated"` // Metrics has not all of them
	Metrics   []Metric   `json:"metrics"`
}

// Metric is a metric of a family. It has a value, or a sum and a count with
// buckets, quantiles or a native histogram. Numbers are texts, since they may be
// NaN or infinite.
type Metric struct {
	Labels    map[string]string `json:"labels"`
	Value     string            `json:"value,omitempty"`
	Sum       string            `json:"sum,omitempty"`
	Count     string            `json:"count,omitempty"`
	Buckets   []Bucket          `json:"buckets,omitempty"`
	Native    *NativeHistogram  `json:"native,omitempty"`
	Quantiles []Quantile        `json:"quantiles,omitempty"`
	Timestamp *time.Time        `json:"timestamp,omitempty"`
	Created   *time.Time        `json:"created,omitempty"`
}

// Bucket is a bucket of a classic histogram. Its count is cumulative.
type Bucket struct {
	LE    string `json:"le"`
	Count string `json:"count"`
}

// Quantile is a quantile of a summary.
type Quantile struct {
	Quantile string `json:"quantile"`
	Value    string `json:"value"`
}

// NativeHistogram has the populated buckets of a native histogram, the lowest
// first. The zero bucket is one of them.
type NativeHistogram struct {
	Schema        int32          `json:"schema"`
	ZeroThreshold string         `json:"zero_threshold"`
	ZeroCount     string         `json:"zero_count"`
	Buckets       []NativeBucket `json:"buckets"`
}

// NativeBucket is a bucket of a native histogram. Its count is its own.
type NativeBucket struct {
	Lower string `json:"lower"`
	Upper string `json:"upper"`
	Count string `json:"count"`
}

// Group returns the group with a path (as behind /metrics) and its families, with
// limit metrics at most: 0 is 1,000, and more than 10,000 is 10,000. The error is
// an *Error, with status 404 if there is no such group.
func (a *API) Group(path string, limit int) (GroupDetail, error) {
	key, err := parseGroup(path)
	if err != nil {
		return GroupDetail{}, err
	}
	if limit == 0 {
		limit = defaultMetrics
	}
	return a.group(key, min(limit, maxMetrics))
}

func (a *API) serveGroup(w http.ResponseWriter, r *http.Request) {
	key, err := parseGroup(r.URL.Query().Get("group"))
	if err != nil {
		a.fail(w, err)
		return
	}
	limit, err := readNumber(r.URL.Query(), "limit", defaultMetrics, 1, maxMetrics)
	if err != nil {
		a.fail(w, err)
		return
	}
	group, err := a.group(key, limit)
	a.answer(w, group, err)
}

func (a *API) group(key store.Key, limit int) (GroupDetail, error) {
	g := a.store.Group(key)
	if g == nil {
		if !a.cfg.Ready() {
			return GroupDetail{}, notNow(kindUnavailable, "the stream is being replayed: whether there is such a group is not known yet")
		}
		return GroupDetail{}, &Error{http.StatusNotFound, kindNotFound, fmt.Sprintf("there is no group %.300s", key.Path())}
	}
	group := GroupDetail{GroupSummary: a.rememberedRefusals().summary(g), Ready: a.cfg.Ready(), Families: []Family{}}
	group.Total = group.GroupSummary.Families
	for f := range g.Families() {
		if store.IsDerivedName(f.Name) {
			continue
		}
		if len(group.Families) == maxMetrics {
			group.Truncated = true
			break
		}
		family, err := familyOf(f, limit)
		if err != nil {
			return GroupDetail{}, fmt.Errorf("group %s: %w", key, err)
		}
		limit -= len(family.Metrics)
		group.Truncated = group.Truncated || family.Truncated
		group.Families = append(group.Families, family)
	}
	return group, nil
}

// familyOf returns a family with its first metrics.
func familyOf(f store.Family, limit int) (Family, error) {
	family := Family{Name: f.Name, Type: typeWord(f.Type), PushTime: timeOf(f.PushTime), Metrics: []Metric{}}
	first, total := f.First(limit)
	if limit == 0 && f.Proto == nil {
		first, _ = f.First(1) // for its help
	}
	message, err := first.Message()
	if err != nil {
		return family, err
	}
	if f.Proto != nil {
		total = len(message.Metric)
	}
	family.Help, family.Unit = message.GetHelp(), message.GetUnit()
	metrics := message.Metric[:min(limit, len(message.Metric))]
	family.Truncated = len(metrics) < total
	for _, m := range metrics {
		family.Metrics = append(family.Metrics, metricOf(m))
	}
	return family, nil
}

// typeWord writes a type as in a TYPE line.
func typeWord(typ dto.MetricType) string {
	return strings.ToLower(strings.ReplaceAll(typ.String(), "_", ""))
}

func metricOf(m *dto.Metric) Metric {
	d := Metric{Labels: make(map[string]string, len(m.Label))}
	for _, l := range m.Label {
		d.Labels[l.GetName()] = l.GetValue()
	}
	if m.TimestampMs != nil {
		t := time.UnixMilli(m.GetTimestampMs()).UTC()
		d.Timestamp = &t
	}
	switch {
	case m.Histogram != nil:
		d.histogram(m.Histogram)
	case m.Summary != nil:
		d.Sum, d.Count = number(m.Summary.GetSampleSum()), count(m.Summary.GetSampleCount())
		d.Created = createdAt(m.Summary.CreatedTimestamp)
		for _, q := range m.Summary.Quantile {
			d.Quantiles = append(d.Quantiles, Quantile{number(q.GetQuantile()), number(q.GetValue())})
		}
	default:
		d.Value = number(simpleValue(m))
		d.Created = createdAt(m.GetCounter().GetCreatedTimestamp())
	}
	return d
}

func (d *Metric) histogram(h *dto.Histogram) {
	d.Sum, d.Count = number(h.GetSampleSum()), histogramCount(h)
	d.Created = createdAt(h.CreatedTimestamp)
	for _, b := range h.Bucket {
		d.Buckets = append(d.Buckets, Bucket{number(b.GetUpperBound()), cumulativeCount(b)})
	}
	// Protobuf may leave out the last one, since it is the count.
	if n := len(h.Bucket); n > 0 && !math.IsInf(h.Bucket[n-1].GetUpperBound(), +1) {
		d.Buckets = append(d.Buckets, Bucket{number(math.Inf(+1)), d.Count})
	}
	d.native(h)
}

// native adds the buckets of a native histogram, if it is one and its spans fit
// its buckets.
func (d *Metric) native(h *dto.Histogram) {
	native := nativeHistogram(h)
	if native == nil {
		return
	}
	d.Native = &NativeHistogram{
		Schema: native.Schema, ZeroThreshold: number(native.ZeroThreshold), ZeroCount: native.zeroCount(), Buckets: []NativeBucket{},
	}
	for b, count := range native.populated() {
		d.Native.Buckets = append(d.Native.Buckets, NativeBucket{number(b.Lower), number(b.Upper), count})
	}
}

func createdAt(t *timestamppb.Timestamp) *time.Time {
	if t == nil {
		return nil
	}
	at := t.AsTime()
	return &at
}
