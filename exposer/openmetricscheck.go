package exposer

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"google.golang.org/protobuf/proto"
)

// maxExemplarLabels is how many characters the labels of an exemplar may have
// (OpenMetrics 1.0, section "Exemplars").
const maxExemplarLabels = 128

// trim removes what OpenMetrics does not allow and a family does not need: an
// exemplar that is too long, and the created time of a gauge histogram.
func trim(message *dto.MetricFamily) {
	for _, m := range message.Metric {
		if c := m.Counter; c != nil && isTooLong(c.Exemplar) {
			c.Exemplar = nil
		}
		h := m.Histogram
		if h == nil {
			continue
		}
		for _, b := range h.Bucket {
			if isTooLong(b.Exemplar) {
				b.Exemplar = nil
			}
		}
	}
}

func isTooLong(e *dto.Exemplar) bool {
	size := 0
	for _, l := range e.GetLabel() {
		size += utf8.RuneCountInString(l.GetName()) + utf8.RuneCountInString(l.GetValue())
	}
	return size > maxExemplarLabels
}

// isAllowed tells whether OpenMetrics allows all metrics of a family to be what
// they are.
func isAllowed(message *dto.MetricFamily) bool {
	switch message.GetType() {
	case dto.MetricType_COUNTER:
		base, ok := strings.CutSuffix(message.GetName(), "_total")
		return ok && base != "" && !slices.ContainsFunc(message.Metric, func(m *dto.Metric) bool {
			return m.Counter == nil || !isCount(m.Counter.GetValue())
		})
	case dto.MetricType_GAUGE:
		return !slices.ContainsFunc(message.Metric, func(m *dto.Metric) bool { return m.Gauge == nil })
	case dto.MetricType_SUMMARY:
		return !slices.ContainsFunc(message.Metric, func(m *dto.Metric) bool { return m.Summary == nil || !isSummary(m.Summary) })
	case dto.MetricType_HISTOGRAM, dto.MetricType_GAUGE_HISTOGRAM:
		gauge := message.GetType() == dto.MetricType_GAUGE_HISTOGRAM
		return !slices.ContainsFunc(message.Metric, func(m *dto.Metric) bool {
			return m.Histogram == nil || !isHistogram(m.Histogram, gauge)
		})
	default:
		return !slices.ContainsFunc(message.Metric, func(m *dto.Metric) bool { return m.Untyped == nil })
	}
}

// isCount tells whether a counter may have a value.
func isCount(value float64) bool { return value >= 0 } // which NaN is not

func isSummary(s *dto.Summary) bool {
	seen := make(map[float64]bool, len(s.Quantile))
	for _, q := range s.Quantile {
		part := q.GetQuantile()
		if !(part >= 0 && part <= 1) || seen[part] || q.GetValue() < 0 {
			return false
		}
		seen[part] = true
	}
	return isCount(s.GetSampleSum())
}

// isHistogram tells whether the buckets go up to the count, and whether the sum is
// allowed. A histogram with buckets below zero must not have a sum, but a message
// always has one. Counts must be whole numbers.
func isHistogram(h *dto.Histogram, gauge bool) bool {
	if h.GetSampleCountFloat() != 0 {
		return false
	}
	last, count := math.Inf(-1), uint64(0)
	for i, b := range h.Bucket {
		bound := b.GetUpperBound()
		if !(bound > last || i == 0 && !math.IsNaN(bound)) || b.GetCumulativeCount() < count || b.GetCumulativeCountFloat() != 0 {
			return false
		}
		last, count = bound, b.GetCumulativeCount()
	}
	if count > h.GetSampleCount() || math.IsInf(last, +1) && count != h.GetSampleCount() {
		return false
	}
	sum := h.GetSampleSum()
	if len(h.Bucket) > 0 && h.Bucket[0].GetUpperBound() < 0 {
		return gauge && !math.IsNaN(sum)
	}
	return isCount(sum)
}

// unknownParts returns the series of a family as families of type unknown, one
// for each name.
func unknownParts(message *dto.MetricFamily) []*dto.MetricFamily {
	p := &parts{message: message}
	sum, count := "_sum", "_count"
	if message.GetType() == dto.MetricType_GAUGE_HISTOGRAM {
		sum, count = "_gsum", "_gcount"
	}
	for _, m := range message.Metric {
		switch {
		case m.Counter != nil:
			p.add("", m, m.Counter.GetValue())
		case m.Gauge != nil:
			p.add("", m, m.Gauge.GetValue())
		case m.Untyped != nil:
			p.add("", m, m.Untyped.GetValue())
		case m.Summary != nil:
			for _, q := range m.Summary.Quantile {
				p.add("", m, q.GetValue(), numberLabel(model.QuantileLabel, q.GetQuantile()))
			}
			p.add(sum, m, m.Summary.GetSampleSum())
			p.add(count, m, float64(m.Summary.GetSampleCount()))
		case m.Histogram != nil:
			h := m.Histogram
			all, whole := either(h.GetSampleCountFloat(), h.GetSampleCount()), false
			for _, b := range h.Bucket {
				p.add("_bucket", m, either(b.GetCumulativeCountFloat(), b.GetCumulativeCount()), numberLabel(model.BucketLabel, b.GetUpperBound()))
				whole = whole || math.IsInf(b.GetUpperBound(), +1)
			}
			if !whole {
				p.add("_bucket", m, all, numberLabel(model.BucketLabel, math.Inf(+1)))
			}
			p.add(sum, m, h.GetSampleSum())
			p.add(count, m, all)
		}
	}
	return p.families
}

// parts collects families by the suffix of their names.
type parts struct {
	message  *dto.MetricFamily
	families []*dto.MetricFamily
}

func (p *parts) add(suffix string, m *dto.Metric, value float64, more ...*dto.LabelPair) {
	name := p.message.GetName() + suffix
	i := slices.IndexFunc(p.families, func(f *dto.MetricFamily) bool { return f.GetName() == name })
	if i < 0 {
		i = len(p.families)
		p.families = append(p.families, &dto.MetricFamily{Name: &name, Help: p.message.Help, Type: dto.MetricType_UNTYPED.Enum()})
	}
	p.families[i].Metric = append(p.families[i].Metric, &dto.Metric{
		Label:   slices.Concat(m.Label, more),
		Untyped: &dto.Untyped{Value: &value},
	})
}

// either is a count of which a histogram has one kind or the other.
func either(float float64, integer uint64) float64 {
	if float != 0 {
		return float
	}
	return float64(integer)
}

func numberLabel(name string, number float64) *dto.LabelPair {
	return &dto.LabelPair{Name: proto.String(name), Value: proto.String(labels.FormatOpenMetricsFloat(number))}
}
