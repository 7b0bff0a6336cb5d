package decode

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"
)

// openSample is a line with a value.
type openSample struct {
	suffix    string // of its family's name
	labels    []*dto.LabelPair
	value     float64
	timestamp *int64 // milliseconds
	exemplar  *dto.Exemplar
	line      int
}

// openMetric is the metric of which lines are being read, and what of it has
// been there.
type openMetric struct {
	*dto.Metric
	line                             int // of its last sample
	hasTotal, hasSum, hasCount, born bool
	quantiles                        map[float64]bool // a set, since there may be as many as lines
}

// add takes a sample of the family.
func (f *openFamily) add(s openSample) error {
	if s.exemplar != nil && s.suffix != "_bucket" && (f.typ != model.MetricTypeCounter || s.suffix != "_total") {
		return fmt.Errorf("only buckets and totals can have exemplars, not %q", f.name+s.suffix)
	}
	switch f.typ {
	case model.MetricTypeCounter:
		return f.addCounter(s)
	case model.MetricTypeSummary:
		return f.addSummary(s)
	case model.MetricTypeHistogram, model.MetricTypeGaugeHistogram:
		return f.addHistogram(s)
	}
	m := &dto.Metric{Label: s.labels, TimestampMs: s.timestamp}
	switch f.typ {
	case model.MetricTypeInfo:
		if s.value != 1 {
			return fmt.Errorf("info %q must have the value 1, not %v", f.name, s.value)
		}
	case model.MetricTypeStateset:
		if s.value != 0 && s.value != 1 {
			return fmt.Errorf("stateset %q must have the value 0 or 1, not %v", f.name, s.value)
		}
		if !slices.ContainsFunc(s.labels, func(l *dto.LabelPair) bool { return l.GetName() == f.name }) {
			return fmt.Errorf("a sample of stateset %q must have a label of that name", f.name)
		}
	}
	if f.typ == model.MetricTypeUnknown {
		m.Untyped = &dto.Untyped{Value: &s.value}
	} else {
		m.Gauge = &dto.Gauge{Value: &s.value}
	}
	f.mf.Metric = append(f.mf.Metric, m)
	return nil
}

// metric returns the metric that a sample with these labels belongs to: the one
// at hand, or a new one.
func (f *openFamily) metric(s openSample, labels []*dto.LabelPair) (*openMetric, error) {
	same := f.last.Metric != nil && slices.EqualFunc(f.last.Label, labels, func(a, b *dto.LabelPair) bool {
		return a.GetName() == b.GetName() && a.GetValue() == b.GetValue()
	})
	if !same {
		if err := f.closeMetric(); err != nil {
			return nil, err
		}
		m := &dto.Metric{Label: labels}
		switch f.typ {
		case model.MetricTypeCounter:
			m.Counter = &dto.Counter{}
		case model.MetricTypeSummary:
			m.Summary = &dto.Summary{}
		default:
			m.Histogram = &dto.Histogram{}
		}
		f.last = openMetric{Metric: m}
		f.mf.Metric = append(f.mf.Metric, m)
	}
	if s.timestamp != nil {
		f.last.TimestampMs = s.timestamp
	}
	f.last.line = s.line
	return &f.last, nil
}

// closeMetric checks that the metric at hand is whole. What was wrong with it
// is told with its last line.
func (f *openFamily) closeMetric() error {
	m := f.last
	f.last = openMetric{}
	if m.Metric == nil {
		return nil
	}
	incomplete := func(what string) error {
		return openMetricsError(m.line, fmt.Errorf("%s %q {%s} %s", f.typ, f.name, labelText(m.Metric), what))
	}
	switch {
	case m.Counter != nil:
		if !m.hasTotal {
			return incomplete("has no sample with the suffix _total")
		}
	case m.Histogram != nil:
		buckets := m.Histogram.Bucket
		if len(buckets) == 0 || !math.IsInf(buckets[len(buckets)-1].GetUpperBound(), +1) {
			return incomplete("has no bucket +Inf")
		}
		count := buckets[len(buckets)-1].GetCumulativeCount()
		if m.hasCount && m.Histogram.GetSampleCount() != count {
			return incomplete(fmt.Sprintf("has the count %d, but %d in the bucket +Inf", m.Histogram.GetSampleCount(), count))
		}
		m.Histogram.SampleCount = &count
	}
	return nil
}

func (f *openFamily) addCounter(s openSample) error {
	m, err := f.metric(s, s.labels)
	if err != nil {
		return err
	}
	if s.suffix == "_created" {
		m.Counter.CreatedTimestamp, err = unixTime(s.value)
		return f.once(s, &m.born, err)
	}
	if !(s.value >= 0) {
		err = fmt.Errorf("counter %q must not be %v", f.name, s.value)
	}
	m.Counter.Value, m.Counter.Exemplar = &s.value, s.exemplar
	return f.once(s, &m.hasTotal, err)
}

func (f *openFamily) addSummary(s openSample) error {
	labels, part, err := f.cutPart(s, "", model.QuantileLabel)
	if err != nil {
		return err
	}
	m, err := f.metric(s, labels)
	if err != nil {
		return err
	}
	switch s.suffix {
	case "_created":
		m.Summary.CreatedTimestamp, err = unixTime(s.value)
		return f.once(s, &m.born, err)
	case "_sum":
		m.Summary.SampleSum = &s.value
		return f.once(s, &m.hasSum, nil)
	case "_count":
		m.Summary.SampleCount, err = f.count(s)
		return f.once(s, &m.hasCount, err)
	}
	if !(part >= 0 && part <= 1) {
		return fmt.Errorf("quantile %v of summary %q is not between 0 and 1", part, f.name)
	}
	if s.value < 0 {
		return fmt.Errorf("a quantile of summary %q must not be %v", f.name, s.value)
	}
	if m.quantiles[part] {
		return fmt.Errorf("quantile %v of summary %q is there twice", part, f.name)
	}
	if m.quantiles == nil {
		m.quantiles = map[float64]bool{}
	}
	m.quantiles[part] = true
	m.Summary.Quantile = append(m.Summary.Quantile, &dto.Quantile{Quantile: &part, Value: &s.value})
	return nil
}

func (f *openFamily) addHistogram(s openSample) error {
	labels, part, err := f.cutPart(s, "_bucket", model.BucketLabel)
	if err != nil {
		return err
	}
	m, err := f.metric(s, labels)
	if err != nil {
		return err
	}
	switch s.suffix {
	case "_created":
		m.Histogram.CreatedTimestamp, err = unixTime(s.value)
		return f.once(s, &m.born, err)
	case "_sum", "_gsum":
		m.Histogram.SampleSum = &s.value
		return f.once(s, &m.hasSum, nil)
	case "_count", "_gcount":
		m.Histogram.SampleCount, err = f.count(s)
		return f.once(s, &m.hasCount, err)
	}
	count, err := f.count(s)
	if err != nil {
		return err
	}
	if n := len(m.Histogram.Bucket); n > 0 {
		before := m.Histogram.Bucket[n-1]
		if !(before.GetUpperBound() < part) {
			return fmt.Errorf("bucket %v of %s %q stands behind bucket %v", part, f.typ, f.name, before.GetUpperBound())
		}
		if before.GetCumulativeCount() > *count {
			return fmt.Errorf("bucket %v of %s %q has less than the bucket before it", part, f.typ, f.name)
		}
	}
	m.Histogram.Bucket = append(m.Histogram.Bucket, &dto.Bucket{UpperBound: &part, CumulativeCount: count, Exemplar: s.exemplar})
	return nil
}

// once notes that a sample has been there, and refuses a second one.
func (f *openFamily) once(s openSample, seen *bool, err error) error {
	if err != nil {
		return err
	}
	if *seen {
		return fmt.Errorf("sample %q {%s} is there twice", f.name+s.suffix, labelText(&dto.Metric{Label: s.labels}))
	}
	*seen = true
	return nil
}

// cutPart takes le or quantile from the labels of a sample that must have it
// since it has the suffix.
func (f *openFamily) cutPart(s openSample, suffix, label string) ([]*dto.LabelPair, float64, error) {
	if s.suffix != suffix {
		return s.labels, 0, nil
	}
	i := slices.IndexFunc(s.labels, func(l *dto.LabelPair) bool { return l.GetName() == label })
	if i < 0 {
		return nil, 0, fmt.Errorf("a sample %q of %s %q must have the label %s", f.name+suffix, f.typ, f.name, label)
	}
	text := s.labels[i].GetValue()
	part, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(part) || strings.ContainsAny(text, "pP_") {
		return nil, 0, fmt.Errorf("label %s of %s %q is no number: %q", label, f.typ, f.name, text)
	}
	return slices.Delete(s.labels, i, i+1), part, nil
}

// count reads a value that counts.
func (f *openFamily) count(s openSample) (*uint64, error) {
	if !(s.value >= 0 && s.value < math.MaxUint64) || s.value != math.Trunc(s.value) {
		return nil, fmt.Errorf("%q must be a whole number that is not negative, not %v", f.name+s.suffix, s.value)
	}
	return proto.Uint64(uint64(s.value)), nil
}
