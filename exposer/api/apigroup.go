package api

import (
	"fmt"
	"math"
	"strconv"
	"time"

	dto "github.com/prometheus/client_model/go"

	"sluice/store"
)

// apiFamily is a family of a group in the API.
type apiFamily struct {
	Time    time.Time        `json:"time_stamp"`
	Type    string           `json:"type"`
	Help    string           `json:"help,omitempty"`
	Metrics []map[string]any `json:"metrics"`
}

// encodeGroup returns a group as the API has it: labels, whether the last push
// was accepted, and under its name each family.
func encodeGroup(g *store.Group) (map[string]any, error) {
	group := map[string]any{
		"labels":               g.Key().Map(),
		"last_push_successful": g.PushTime() > g.FailTime(),
	}
	for f := range g.Families() {
		message, err := f.Message()
		if err != nil {
			return nil, fmt.Errorf("group %s: %w", g.Key(), err)
		}
		group[f.Name] = apiFamily{
			Time:    time.Unix(0, f.PushTime).UTC(),
			Type:    message.GetType().String(),
			Help:    message.GetHelp(),
			Metrics: encodeMetrics(message),
		}
	}
	return group, nil
}

func encodeMetrics(f *dto.MetricFamily) []map[string]any {
	metrics := make([]map[string]any, 0, len(f.Metric))
	for _, m := range f.Metric {
		labels := map[string]string{}
		for _, l := range m.Label {
			labels[l.GetName()] = l.GetValue()
		}
		metric := map[string]any{"labels": labels}
		switch f.GetType() {
		case dto.MetricType_SUMMARY:
			quantiles := map[string]string{}
			for _, q := range m.GetSummary().GetQuantile() {
				quantiles[number(q.GetQuantile())] = number(q.GetValue())
			}
			metric["quantiles"] = quantiles
			metric["count"] = strconv.FormatUint(m.GetSummary().GetSampleCount(), 10)
			metric["sum"] = number(m.GetSummary().GetSampleSum())
		case dto.MetricType_HISTOGRAM:
			h := m.GetHistogram()
			metric["count"] = number(histogramCount(h))
			metric["sum"] = number(h.GetSampleSum())
			if buckets := nativeBuckets(h); len(buckets) > 0 {
				metric["buckets"] = buckets
			} else {
				metric["buckets"] = classicBuckets(h)
			}
		default:
			metric["value"] = number(simpleValue(m))
		}
		metrics = append(metrics, metric)
	}
	return metrics
}

func number(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func simpleValue(m *dto.Metric) float64 {
	switch {
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	case m.Counter != nil:
		return m.Counter.GetValue()
	default:
		return m.GetUntyped().GetValue()
	}
}

func histogramCount(h *dto.Histogram) float64 {
	if v := h.GetSampleCountFloat(); v > 0 {
		return v
	}
	return float64(h.GetSampleCount())
}

func classicBuckets(h *dto.Histogram) map[string]string {
	buckets := map[string]string{}
	for _, b := range h.GetBucket() {
		v := b.GetCumulativeCountFloat()
		if v == 0 {
			v = float64(b.GetCumulativeCount())
		}
		buckets[number(b.GetUpperBound())] = number(v)
	}
	return buckets
}
