package exposer

import (
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"

	"sluice/store"
)

// escaper writes the metrics of one family with escaped names. Pushes whose names
// become the same are refused, but the stream may hold what an older gateway has
// accepted. A scraper would refuse the whole scrape then, so the escaper leaves out
// a series that nobody could read, and one that is there already.
//
// It does what model.EscapeMetricFamily does, and also escapes colons in label
// names and the labels of exemplars.
type escaper struct {
	scheme model.EscapingScheme
	// strict tells to look for series that are there already.
	strict  bool
	seen    map[string]bool
	leftOut *dto.Metric // the first one
}

// newEscaper returns the escaper for a family.
func newEscaper(e *exposed, scheme model.EscapingScheme) *escaper {
	return &escaper{scheme: scheme, strict: scheme != model.NoEscaping && e.both && e.stored.HasQuotedNames()}
}

// escaped returns the whole family as one message with escaped names.
func (e *exposed) escaped(scheme model.EscapingScheme) (*dto.MetricFamily, error) {
	message, err := e.message()
	if err != nil {
		return nil, err
	}
	return newEscaper(e, scheme).escape(message), nil
}

// escape returns the family, or a part of it, with escaped names. It changes
// nothing of the message, and shares with it what stays as it is.
func (e *escaper) escape(message *dto.MetricFamily) *dto.MetricFamily {
	if message == nil {
		return nil
	}
	message = withoutLe(message)
	if e.scheme == model.NoEscaping {
		return message
	}
	out := &dto.MetricFamily{Help: message.Help, Type: message.Type, Unit: message.Unit, Name: message.Name}
	if message.Name != nil {
		out.Name = proto.String(store.EscapeMetricName(message.GetName(), e.scheme))
	}
	out.Metric = make([]*dto.Metric, 0, len(message.Metric))
	for _, m := range message.Metric {
		escaped := e.metric(m)
		switch {
		case !e.strict || e.isNew(escaped):
			out.Metric = append(out.Metric, escaped)
		case e.leftOut == nil:
			e.leftOut = m
		}
	}
	return out
}

// withoutLe returns the family without the labels le of histograms themselves. Text
// does not have them, and a parser of protobuf adds the label of the buckets.
func withoutLe(message *dto.MetricFamily) *dto.MetricFamily {
	isLe := func(l *dto.LabelPair) bool { return l.GetName() == model.BucketLabel }
	if !slices.ContainsFunc(message.Metric, func(m *dto.Metric) bool { return m.Histogram != nil && slices.ContainsFunc(m.Label, isLe) }) {
		return message
	}
	out := &dto.MetricFamily{Help: message.Help, Type: message.Type, Unit: message.Unit, Name: message.Name}
	for _, m := range message.Metric {
		if m.Histogram != nil {
			m = &dto.Metric{Label: slices.DeleteFunc(slices.Clone(m.Label), isLe), Histogram: m.Histogram, TimestampMs: m.TimestampMs}
		}
		out.Metric = append(out.Metric, m)
	}
	return out
}

// metric returns a metric with escaped names.
func (e *escaper) metric(m *dto.Metric) *dto.Metric {
	if hasUTF8Exemplars(m) {
		m = proto.CloneOf(m)
		e.exemplars(m)
	}
	if !hasUTF8Labels(m.Label) {
		return m
	}
	return &dto.Metric{
		Label: e.labels(m.Label),
		Gauge: m.Gauge, Counter: m.Counter, Summary: m.Summary, Untyped: m.Untyped, Histogram: m.Histogram,
		TimestampMs: m.TimestampMs,
	}
}

func (e *escaper) labels(labels []*dto.LabelPair) []*dto.LabelPair {
	escaped := make([]*dto.LabelPair, len(labels))
	for i, l := range labels {
		escaped[i] = l
		if name := store.EscapeLabelName(l.GetName(), e.scheme); name != l.GetName() {
			escaped[i] = &dto.LabelPair{Name: &name, Value: l.Value}
		}
	}
	return escaped
}

// isNew tells whether a metric can be read and is not there yet.
func (e *escaper) isNew(m *dto.Metric) bool {
	id, ok := labelsID(m.Label)
	if !ok || e.seen[id] {
		return false
	}
	if e.seen == nil {
		e.seen = map[string]bool{}
	}
	e.seen[id] = true
	return true
}

// labelsID identifies a set of labels. It fails if a name is there twice, or is the
// one that stands for the metric's name.
func labelsID(labels []*dto.LabelPair) (id string, ok bool) {
	sorted := slices.SortedFunc(slices.Values(labels), func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	var b strings.Builder
	for i, l := range sorted {
		if l.GetName() == model.MetricNameLabel || i > 0 && l.GetName() == sorted[i-1].GetName() {
			return "", false
		}
		b.WriteString(l.GetName() + "\xff" + l.GetValue() + "\xff") // valid UTF-8 has no such byte
	}
	return b.String(), true
}

// exemplars escapes the labels of exemplars. An exemplar whose labels become the
// same is dropped: the metric can do without.
func (e *escaper) exemplars(m *dto.Metric) {
	escape := func(x *dto.Exemplar) *dto.Exemplar {
		if x == nil {
			return nil
		}
		x.Label = e.labels(x.Label)
		if _, ok := labelsID(x.Label); !ok {
			return nil
		}
		return x
	}
	if m.Counter != nil {
		m.Counter.Exemplar = escape(m.Counter.Exemplar)
	}
	for _, b := range m.GetHistogram().GetBucket() {
		b.Exemplar = escape(b.Exemplar)
	}
	if h := m.Histogram; h != nil {
		h.Exemplars = slices.DeleteFunc(h.Exemplars, func(x *dto.Exemplar) bool { return escape(x) == nil })
	}
}

func hasUTF8Exemplars(m *dto.Metric) bool {
	odd := func(x *dto.Exemplar) bool { return hasUTF8Labels(x.GetLabel()) }
	return odd(m.GetCounter().GetExemplar()) ||
		slices.ContainsFunc(m.GetHistogram().GetBucket(), func(b *dto.Bucket) bool { return odd(b.GetExemplar()) }) ||
		slices.ContainsFunc(m.GetHistogram().GetExemplars(), odd)
}

func hasUTF8Labels(labels []*dto.LabelPair) bool {
	return slices.ContainsFunc(labels, func(l *dto.LabelPair) bool { return !model.LegacyValidation.IsValidLabelName(l.GetName()) })
}
