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
	mostMetrics    = 10_000
)

// groupDetail is a group with its families.
type groupDetail struct {
	apiGroup
	Ready     bool           `json:"ready"`
	Truncated bool           `json:"truncated"`
	Total     int            `json:"families_total"`
	Families  []familyDetail `json:"families"` // in the place of their number
}

// familyDetail is a family with its metrics.
type familyDetail struct {
	Name      string         `json:"name"`
	Type      string         `json:"type"`
	Help      string         `json:"help"`
	Unit      string         `json:"unit,omitempty"`
	PushTime  *time.Time     `json:"push_time,omitempty"`
	Truncated bool           `json:"truncated"`
	Metrics   []metricDetail `json:"metrics"`
}

// metricDetail is a metric. Numbers are texts where they may be NaN or infinite.
type metricDetail struct {
	Labels    map[string]string `json:"labels"`
	Value     string            `json:"value,omitempty"`
	Sum       string            `json:"sum,omitempty"`
	Count     string            `json:"count,omitempty"`
	Buckets   []bucketDetail    `json:"buckets,omitempty"`
	Native    *nativeDetail     `json:"native,omitempty"`
	Quantiles []quantileDetail  `json:"quantiles,omitempty"`
	Timestamp *time.Time        `json:"timestamp,omitempty"`
	Created   *time.Time        `json:"created,omitempty"`
}

// bucketDetail is a bucket of a classic histogram; its count is cumulative.
type bucketDetail struct {
	LE    string `json:"le"`
	Count string `json:"count"`
}

type quantileDetail struct {
	Quantile string `json:"quantile"`
	Value    string `json:"value"`
}

// nativeDetail are the populated buckets of a native histogram, the lowest first.
type nativeDetail struct {
	Schema        int32          `json:"schema"`
	ZeroThreshold string         `json:"zero_threshold"`
	ZeroCount     string         `json:"zero_count"`
	Buckets       []nativeBucket `json:"buckets"`
}

type nativeBucket struct {
	Lower string `json:"lower"`
	Upper string `json:"upper"`
	Count string `json:"count"`
}

// groupParameter reads the parameter group. It answers the request if it returns
// false.
func groupParameter(w http.ResponseWriter, r *http.Request) (store.Key, bool) {
	key, err := store.ParseKey(r.URL.Query().Get("group"))
	if err != nil {
		badParameter(w, "group", fmt.Sprintf("%.300s", err))
		return key, false
	}
	return key, true
}

// serveGroup sends one group with its families: limit metrics of it at most,
// 1,000 by default.
func (a *API) serveGroup(w http.ResponseWriter, r *http.Request) {
	key, ok := groupParameter(w, r)
	if !ok {
		return
	}
	limit, ok := countParameter(w, r.URL.Query(), "limit", defaultMetrics, 1, mostMetrics)
	if !ok {
		return
	}
	g := a.store.Group(key)
	if g == nil {
		if !a.ready() {
			notNow(w, "unavailable", "the stream is being replayed: whether there is such a group is not known yet")
			return
		}
		failed(w, http.StatusNotFound, "not_found", fmt.Sprintf("there is no group %.300s", key.Path()))
		return
	}
	answer := groupDetail{apiGroup: a.notedRefusals().listed(g), Ready: a.ready(), Families: []familyDetail{}}
	answer.Total = answer.apiGroup.Families
	for f := range g.Families() {
		if store.IsDerivedName(f.Name) {
			continue
		}
		if len(answer.Families) == mostMetrics {
			answer.Truncated = true
			break
		}
		detail, err := detailOf(f, limit)
		if err != nil {
			failed(w, http.StatusInternalServerError, "internal", fmt.Sprintf("group %s: %s", key, err))
			return
		}
		limit -= len(detail.Metrics)
		answer.Truncated = answer.Truncated || detail.Truncated
		answer.Families = append(answer.Families, detail)
	}
	a.send(w, answer)
}

// detailOf returns a family with its first metrics.
func detailOf(f store.Family, limit int) (familyDetail, error) {
	detail := familyDetail{Name: f.Name, Type: typeWord(f.Type), PushTime: timeOf(f.PushTime), Metrics: []metricDetail{}}
	first, total := f.First(limit)
	if limit == 0 && f.Proto == nil {
		first, _ = f.First(1) // for its help
	}
	message, err := first.Message()
	if err != nil {
		return detail, err
	}
	if f.Proto != nil {
		total = len(message.Metric)
	}
	detail.Help, detail.Unit = message.GetHelp(), message.GetUnit()
	metrics := message.Metric[:min(limit, len(message.Metric))]
	detail.Truncated = len(metrics) < total
	for _, m := range metrics {
		detail.Metrics = append(detail.Metrics, metricOf(m))
	}
	return detail, nil
}

// typeWord is the word of a TYPE line.
func typeWord(typ dto.MetricType) string {
	return strings.ToLower(strings.ReplaceAll(typ.String(), "_", ""))
}

func metricOf(m *dto.Metric) metricDetail {
	d := metricDetail{Labels: make(map[string]string, len(m.Label))}
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
		d.Sum, d.Count = number(m.Summary.GetSampleSum()), number(float64(m.Summary.GetSampleCount()))
		d.Created = createdAt(m.Summary.CreatedTimestamp)
		for _, q := range m.Summary.Quantile {
			d.Quantiles = append(d.Quantiles, quantileDetail{number(q.GetQuantile()), number(q.GetValue())})
		}
	default:
		d.Value = number(simpleValue(m))
		d.Created = createdAt(m.GetCounter().GetCreatedTimestamp())
	}
	return d
}

func (d *metricDetail) histogram(h *dto.Histogram) {
	d.Sum, d.Count = number(h.GetSampleSum()), number(histogramCount(h))
	d.Created = createdAt(h.CreatedTimestamp)
	for _, b := range h.Bucket {
		count := b.GetCumulativeCountFloat()
		if count == 0 {
			count = float64(b.GetCumulativeCount())
		}
		d.Buckets = append(d.Buckets, bucketDetail{number(b.GetUpperBound()), number(count)})
	}
	// Protobuf may leave out the last one, since it is the count.
	if n := len(h.Bucket); n > 0 && !math.IsInf(h.Bucket[n-1].GetUpperBound(), +1) {
		d.Buckets = append(d.Buckets, bucketDetail{number(math.Inf(+1)), d.Count})
	}
	if h.Schema == nil {
		return
	}
	native := nativeHistogram(h)
	if native == nil {
		return // its spans do not fit its buckets
	}
	d.Native = &nativeDetail{
		Schema: native.Schema, ZeroThreshold: number(native.ZeroThreshold), ZeroCount: number(native.ZeroCount), Buckets: []nativeBucket{},
	}
	for it := native.AllBucketIterator(); it.Next(); {
		if b := it.At(); b.Count != 0 {
			d.Native.Buckets = append(d.Native.Buckets, nativeBucket{number(b.Lower), number(b.Upper), number(b.Count)})
		}
	}
}

func createdAt(t *timestamppb.Timestamp) *time.Time {
	if t == nil {
		return nil
	}
	at := t.AsTime()
	return &at
}
