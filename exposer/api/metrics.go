package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	dto "github.com/prometheus/client_model/go"

	"sluice/store"
)

// bufferSize is how many bytes of a long answer are sent at once.
const bufferSize = 64 << 10

// PushgatewayGroup is a group in the answer of /api/v1/metrics, which is that of
// Pushgateway: "labels" has the grouping labels, "last_push_successful" is true
// or false, and under its name is each family, a PushgatewayFamily.
type PushgatewayGroup map[string]any

// PushgatewayFamily is a family of a PushgatewayGroup.
type PushgatewayFamily struct {
	Time    time.Time        `json:"time_stamp"` // of its push
	Type    string           `json:"type"`       // in upper case
	Help    string           `json:"help,omitempty"`
	Metrics []map[string]any `json:"metrics"`
}

// serveMetrics sends all groups with their families. They are encoded one after
// another, so that the answer costs no memory of its own size.
func (a *API) serveMetrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(w, bufferSize)
	err := writeGroups(out, a.store.View())
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		a.logger.Warn("cannot send the groups", "err", err)
	}
}

func writeGroups(w io.Writer, view *store.View) error {
	if _, err := io.WriteString(w, `{"status":"success","data":[`); err != nil {
		return err
	}
	separator := ""
	for g := range view.Groups() {
		group, err := encodeGroup(g)
		if err != nil {
			return err
		}
		text, err := json.Marshal(group)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, separator); err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		separator = ","
	}
	_, err := io.WriteString(w, "]}")
	return err
}

func encodeGroup(g *store.Group) (PushgatewayGroup, error) {
	group := PushgatewayGroup{
		"labels":               g.Key().Map(),
		"last_push_successful": g.PushTime() > g.FailTime(),
	}
	for f := range g.Families() {
		message, err := f.Message()
		if err != nil {
			return nil, fmt.Errorf("group %s: %w", g.Key(), err)
		}
		group[f.Name] = PushgatewayFamily{
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
		encodeValue(metric, f.GetType(), m)
		metrics = append(metrics, metric)
	}
	return metrics
}

// encodeValue adds the value of a metric, or its parts.
func encodeValue(metric map[string]any, typ dto.MetricType, m *dto.Metric) {
	switch typ {
	case dto.MetricType_SUMMARY:
		quantiles := map[string]string{}
		for _, q := range m.GetSummary().GetQuantile() {
			quantiles[number(q.GetQuantile())] = number(q.GetValue())
		}
		metric["quantiles"] = quantiles
		metric["count"] = count(m.GetSummary().GetSampleCount())
		metric["sum"] = number(m.GetSummary().GetSampleSum())
	case dto.MetricType_HISTOGRAM:
		h := m.GetHistogram()
		metric["count"] = histogramCount(h)
		metric["sum"] = number(h.GetSampleSum())
		if buckets := nativeBuckets(h); len(buckets) > 0 {
			metric["buckets"] = buckets
		} else {
			metric["buckets"] = classicBuckets(h)
		}
	default:
		metric["value"] = number(simpleValue(m))
	}
}

// number writes a number as Go does, but for infinity, which has a sign.
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

func classicBuckets(h *dto.Histogram) map[string]string {
	buckets := map[string]string{}
	for _, b := range h.GetBucket() {
		buckets[number(b.GetUpperBound())] = cumulativeCount(b)
	}
	return buckets
}
