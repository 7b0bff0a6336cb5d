package decode

import (
	"strings"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	"sluice/ingest/quote"
)

// checkFamily checks what a family is without its metrics.
func checkFamily(mf *dto.MetricFamily) error {
	name := mf.GetName()
	// Pushgateway lets any name pass that comes in protobuf. Names that are no
	// legacy names can be exposed, escaped or quoted; names like these cannot:
	// Prometheus takes a NUL for the end.
	if !model.UTF8Validation.IsValidMetricName(name) || strings.Contains(name, "\x00") {
		return refusef("invalid metric name %s", quote.Excerpt(name))
	}
	if _, ok := dto.MetricType_name[int32(mf.GetType())]; !ok {
		return refusef("metric %s has the unknown type %d", quote.Excerpt(name), mf.GetType())
	}
	// Prometheus refuses a whole scrape for such a text.
	if !utf8.ValidString(mf.GetHelp()) {
		return refusef("help of metric %s is not valid UTF-8: %s", quote.Excerpt(name), quote.Excerpt(mf.GetHelp()))
	}
	return nil
}

// checkMetric checks one metric that has got the labels of its group, as
// prometheus.Gatherers does. What it adds are values without which the metric
// cannot be written, names that expfmt would write in a way that nobody can
// read, and exemplars.
func (g *grouping) checkMetric(mf *dto.MetricFamily, m *dto.Metric) error {
	if !hasValue(mf.GetType(), m) {
		return refusef("collected metric %s {%s} is not a %s", quote.Excerpt(mf.GetName()), labelText(m), mf.GetType())
	}
	previous := ""
	for _, l := range m.GetLabel() {
		label := l.GetName()
		switch {
		case label == previous && label != "":
			return refusef("collected metric %s {%s} has two or more labels with the same name: %s",
				quote.Excerpt(mf.GetName()), labelText(m), quote.Printable(quote.Clip(label, quote.MaxExcerpt)))
		case !IsLabelName(label):
			return refusef("collected metric %s {%s} has a label with an invalid name: %s",
				quote.Excerpt(mf.GetName()), labelText(m), quote.Excerpt(label))
		case m.Summary != nil && label == model.QuantileLabel:
			return refusef("collected metric %s {%s} must not have an explicit %s label",
				quote.Excerpt(mf.GetName()), labelText(m), quote.Excerpt(label))
		case g.le && label == model.BucketLabel && isHistogram(mf.GetType()):
			// The text of a histogram has no room for such a label. A pushed one
			// is left out of it, but a group that is not told from others by its
			// own labels would share their series.
			return refusef("histogram %s cannot be pushed to a group that has the label %s", quote.Excerpt(mf.GetName()), quote.Excerpt(label))
		case !utf8.ValidString(l.GetValue()):
			return refusef("collected metric %s {%s} has a label named %s whose value is not utf8: %s",
				quote.Excerpt(mf.GetName()), labelText(m), quote.Excerpt(label), quote.Excerpt(l.GetValue()))
		}
		previous = label
	}
	return checkExemplars(mf.GetName(), m)
}

// hasValue tells whether a metric has the value of its family's type.
func hasValue(typ dto.MetricType, m *dto.Metric) bool {
	switch typ {
	case dto.MetricType_COUNTER:
		return m.Counter != nil
	case dto.MetricType_GAUGE:
		return m.Gauge != nil
	case dto.MetricType_SUMMARY:
		return m.Summary != nil
	case dto.MetricType_UNTYPED:
		return m.Untyped != nil
	default:
		return m.Histogram != nil
	}
}

func isHistogram(typ dto.MetricType) bool {
	return typ == dto.MetricType_HISTOGRAM || typ == dto.MetricType_GAUGE_HISTOGRAM
}

// IsLabelName tells whether a label of this name can be exposed. A name with a
// NUL cannot, nor can one with a colon that is otherwise a legacy name: expfmt
// takes it for a metric name and leaves out the quotes, and then no parser reads
// the line.
func IsLabelName(name string) bool {
	return model.UTF8Validation.IsValidLabelName(name) &&
		!strings.HasPrefix(name, model.ReservedLabelPrefix) &&
		!strings.Contains(name, "\x00") &&
		(!model.LegacyValidation.IsValidMetricName(name) || model.LegacyValidation.IsValidLabelName(name))
}

// checkExemplars checks the exemplars of a metric, which an OpenMetrics scrape
// would break on.
func checkExemplars(name string, m *dto.Metric) error {
	if err := checkExemplar(name, m.GetCounter().GetExemplar()); err != nil {
		return err
	}
	for _, bucket := range m.GetHistogram().GetBucket() {
		if err := checkExemplar(name, bucket.GetExemplar()); err != nil {
			return err
		}
	}
	for _, exemplar := range m.GetHistogram().GetExemplars() {
		if err := checkExemplar(name, exemplar); err != nil {
			return err
		}
	}
	return nil
}

func checkExemplar(name string, exemplar *dto.Exemplar) error {
	for _, l := range exemplar.GetLabel() {
		if !IsLabelName(l.GetName()) || !utf8.ValidString(l.GetValue()) {
			return refusef("exemplar of metric %s has an invalid label: %s=%s", quote.Excerpt(name), quote.Excerpt(l.GetName()), quote.Excerpt(l.GetValue()))
		}
	}
	if exemplar.GetTimestamp() != nil && exemplar.GetTimestamp().CheckValid() != nil {
		return refusef("exemplar of metric %s has an invalid timestamp", quote.Excerpt(name))
	}
	return nil
}

// maxLabelText bounds in bytes what a message shows of the labels of a metric.
const maxLabelText = 300

// labelText is the labels of a metric for a message.
func labelText(m *dto.Metric) string {
	var text []byte
	for i, l := range m.GetLabel() {
		if len(text) > maxLabelText {
			break
		}
		if i > 0 {
			text = append(text, ',')
		}
		text = AppendLabel(text, l.GetName(), l.GetValue())
	}
	return quote.Clip(string(text), maxLabelText)
}
