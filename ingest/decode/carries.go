package decode

import (
	"math"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
)

// maxExact is the largest count up to which a float64 holds every integer.
const maxExact = 1 << 53

// textCarries tells whether the canonical text of a family says all that the
// family does, so that parsing it gives an equal family. In doubt it says no,
// and the family is kept as protobuf as well. A value that is absent is not zero:
// a scrape in protobuf shows which of the two was pushed.
// repeated tells whether a metric is there twice.
func textCarries(mf *dto.MetricFamily, repeated bool) bool {
	if len(mf.GetMetric()) == 0 || mf.GetType() == dto.MetricType_GAUGE_HISTOGRAM {
		return false
	}
	if help := mf.GetHelp(); strings.HasPrefix(help, " ") || strings.HasPrefix(help, "\t") {
		return false // would be taken for a separator
	}
	if repeated && (mf.GetType() == dto.MetricType_SUMMARY || mf.GetType() == dto.MetricType_HISTOGRAM) {
		return false // their lines would become one metric
	}
	for _, m := range mf.GetMetric() {
		if !textCarriesMetric(mf.GetType(), m) {
			return false
		}
	}
	return true
}

func textCarriesMetric(typ dto.MetricType, m *dto.Metric) bool {
	values := 0
	for _, has := range []bool{m.Counter != nil, m.Gauge != nil, m.Untyped != nil, m.Summary != nil, m.Histogram != nil} {
		if has {
			values++
		}
	}
	if values != 1 {
		return false // scrapes in protobuf show them all
	}
	switch typ {
	case dto.MetricType_COUNTER:
		c := m.GetCounter()
		return c.Exemplar == nil && c.CreatedTimestamp == nil && isCarried(c.Value)
	case dto.MetricType_GAUGE:
		return isCarried(m.GetGauge().Value)
	case dto.MetricType_UNTYPED:
		return isCarried(m.GetUntyped().Value)
	case dto.MetricType_SUMMARY:
		return textCarriesSummary(m.GetSummary())
	default:
		for _, l := range m.GetLabel() {
			if l.GetName() == model.BucketLabel {
				return false
			}
		}
		return textCarriesHistogram(m.GetHistogram())
	}
}

func textCarriesSummary(s *dto.Summary) bool {
	for _, q := range s.GetQuantile() {
		if math.IsNaN(q.GetQuantile()) || !isCarried(q.Quantile) || !isCarried(q.Value) {
			return false
		}
	}
	return s.CreatedTimestamp == nil && isCarriedCount(s.SampleCount) && isCarried(s.SampleSum)
}

func textCarriesHistogram(h *dto.Histogram) bool {
	if h.CreatedTimestamp != nil || h.SampleCountFloat != nil || isNative(h) ||
		!isCarriedCount(h.SampleCount) || !isCarried(h.SampleSum) {
		return false
	}
	hasInf := false // else the text has a bucket more
	for _, b := range h.GetBucket() {
		if b.Exemplar != nil || b.CumulativeCountFloat != nil || !isCarriedCount(b.CumulativeCount) ||
			math.IsNaN(b.GetUpperBound()) || !isCarried(b.UpperBound) {
			return false
		}
		hasInf = hasInf || math.IsInf(b.GetUpperBound(), +1)
	}
	return hasInf
}

// isNative tells whether a histogram has a field of native histograms.
func isNative(h *dto.Histogram) bool {
	return h.Schema != nil || h.ZeroThreshold != nil || h.ZeroCount != nil || h.ZeroCountFloat != nil ||
		len(h.NegativeSpan) > 0 || len(h.NegativeDelta) > 0 || len(h.NegativeCount) > 0 ||
		len(h.PositiveSpan) > 0 || len(h.PositiveDelta) > 0 || len(h.PositiveCount) > 0 || len(h.Exemplars) > 0
}

// isCarried tells whether a number is there and survives being written.
func isCarried(f *float64) bool { return f != nil && isPlain(*f) }

// isCarriedCount tells whether a count is there and survives being written.
func isCarriedCount(n *uint64) bool { return n != nil && *n <= maxExact }

// isPlain tells whether a number survives being written: a negative zero loses
// its sign.
func isPlain(f float64) bool {
	return f != 0 || !math.Signbit(f)
}
