package decode

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"

	"sluice/ingest/quote"
	"sluice/store"
)

// Messages returns families that have been read already, by name, as Families
// does. It changes them, and keeps none of them. The error is a *RefusedError.
func Messages(families map[string]*dto.MetricFamily, key store.Key, opts Options) ([]store.Family, error) {
	return canonical(families, key, opts)
}

// canonical gives the families the labels of their group, checks them, and
// writes them in canonical form. It changes the families. The error is a
// *RefusedError or a *LimitError.
func canonical(families map[string]*dto.MetricFamily, key store.Key, opts Options) ([]store.Family, error) {
	names := slices.Sorted(maps.Keys(families))
	for _, name := range names {
		for _, m := range families[name].GetMetric() {
			if m.TimestampMs != nil {
				refused := refusef("pushed metrics must not have timestamps: metric %s has %d", quote.Excerpt(name), m.GetTimestampMs())
				refused.Reason, refused.Metric = HasTimestamp, name
				return nil, refused
			}
		}
	}
	w := &writer{grouping: newGrouping(key), unchecked: opts.Unchecked, limits: opts.Limits}
	out := make([]store.Family, 0, len(names))
	for _, name := range names {
		if store.IsDerivedName(name) {
			continue
		}
		f, err := w.family(families[name])
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	w.place(out)
	return out, nil
}

// writer writes families in canonical form, one after the other.
type writer struct {
	grouping  *grouping
	unchecked bool
	limits    Limits
	series    int // of all families so far

	text    []byte // of all families so far
	ends    []int  // where each family ends in text
	labels  []byte // label texts of the family at hand
	metrics []labelled
}

// labelled is a metric and where its label text is in writer.labels.
type labelled struct {
	metric     *dto.Metric
	start, end int
}

// family makes one canonical family, except for its text, which is what has
// been added to w.text.
func (w *writer) family(mf *dto.MetricFamily) (store.Family, error) {
	if err := checkFamily(mf); err != nil {
		return store.Family{}, err
	}
	normalize(mf)
	for _, m := range mf.GetMetric() {
		w.grouping.apply(m)
		w.series += seriesOf(mf.GetType(), m)
	}
	if w.limits.Series > 0 && w.series > w.limits.Series {
		return store.Family{}, w.limits.tooManySeries("metric " + quote.Excerpt(mf.GetName()) + " is where they end")
	}
	if err := w.limits.checkFamily(mf, w.grouping.instance); err != nil {
		return store.Family{}, err
	}
	for _, m := range mf.GetMetric() {
		if err := w.grouping.checkMetric(mf, m); err != nil {
			return store.Family{}, err
		}
	}
	repeated, err := w.sort(mf)
	if err != nil {
		return store.Family{}, err
	}
	f := store.Family{Name: mf.GetName(), Type: mf.GetType()}
	if len(w.metrics) > 0 {
		if f.Head, err = w.write(mf); err != nil {
			return store.Family{}, err
		}
	}
	w.ends = append(w.ends, len(w.text))
	if !textCarries(mf, repeated) {
		if f.Proto, err = proto.Marshal(mf); err != nil {
			return store.Family{}, refusef("metric %q cannot be encoded: %v", mf.GetName(), err)
		}
	}
	return f, nil
}

// normalize removes differences that no scrape of Pushgateway shows: an empty
// help is none, no type is the default type, and the unit is dropped (which is
// as well, since Prometheus refuses a scrape with a unit that is not part of
// the name).
func normalize(mf *dto.MetricFamily) {
	mf.Type = mf.GetType().Enum()
	mf.Unit = nil
	if mf.GetHelp() == "" {
		mf.Help = nil
	}
}

// sort sorts the metrics by their label text, which it leaves in w.labels. It
// tells whether a metric is there twice, which is refused unless unchecked.
func (w *writer) sort(mf *dto.MetricFamily) (repeated bool, err error) {
	w.labels, w.metrics = w.labels[:0], w.metrics[:0]
	for _, m := range mf.GetMetric() {
		start := len(w.labels)
		for _, l := range m.GetLabel() {
			if isHistogram(mf.GetType()) && l.GetName() == model.BucketLabel {
				continue // its lines have one of their own
			}
			if len(w.labels) > start {
				w.labels = append(w.labels, ',')
			}
			w.labels = AppendLabel(w.labels, l.GetName(), l.GetValue())
		}
		if w.limits.TextBytes > 0 && len(w.labels) > w.limits.TextBytes {
			return false, w.limits.textTooLarge() // the text would be larger yet
		}
		w.metrics = append(w.metrics, labelled{m, start, len(w.labels)})
	}
	slices.SortStableFunc(w.metrics, func(a, b labelled) int {
		return bytes.Compare(w.labels[a.start:a.end], w.labels[b.start:b.end])
	})
	for i, m := range w.metrics {
		mf.Metric[i] = m.metric
		if i == 0 || !bytes.Equal(w.labelText(i-1), w.labelText(i)) {
			continue
		}
		repeated = true
		if !w.unchecked {
			labels := string(w.labelText(i))
			refused := refusef("collected metric %s {%s} was collected before with the same name and label values",
				quote.Excerpt(mf.GetName()), quote.Clip(labels, maxLabelText))
			refused.Reason, refused.Metric, refused.Labels = DuplicateSeries, mf.GetName(), labels
			return true, refused
		}
	}
	return repeated, nil
}

func (w *writer) labelText(i int) []byte {
	return w.labels[w.metrics[i].start:w.metrics[i].end]
}

// write adds the family to the text and returns the length of its head.
func (w *writer) write(mf *dto.MetricFamily) (int, error) {
	start := len(w.text)
	name := appendName(nil, mf.GetName())
	help := appendHelp(nil, mf.GetHelp())
	w.text = appendHead(w.text, name, help, typeWords[mf.GetType()])
	head := len(w.text) - start

	s := series{name: mf.GetName(), quoted: !model.LegacyValidation.IsValidMetricName(mf.GetName())}
	for i, m := range w.metrics {
		s.labels = w.labelText(i)
		w.text = appendMetric(w.text, s, mf.GetType(), m.metric)
		if w.limits.TextBytes > 0 && len(w.text) > w.limits.TextBytes {
			return 0, w.limits.textTooLarge()
		}
	}
	return head, nil
}

// place gives the families their texts, all in one piece of memory of just the
// right size.
func (w *writer) place(families []store.Family) {
	text := make([]byte, len(w.text))
	copy(text, w.text)
	start := 0
	for i, end := range w.ends {
		if end > start {
			families[i].Text = text[start:end:end]
		}
		start = end
	}
}

// appendMetric writes the sample lines of a metric as expfmt does.
func appendMetric(dst []byte, s series, typ dto.MetricType, m *dto.Metric) []byte {
	switch typ {
	case dto.MetricType_COUNTER:
		return s.append(dst, "", m.GetCounter().GetValue())
	case dto.MetricType_GAUGE:
		return s.append(dst, "", m.GetGauge().GetValue())
	case dto.MetricType_UNTYPED:
		return s.append(dst, "", m.GetUntyped().GetValue())
	case dto.MetricType_SUMMARY:
		for _, q := range m.GetSummary().GetQuantile() {
			dst = s.appendPart(dst, "", model.QuantileLabel, q.GetQuantile(), q.GetValue())
		}
		dst = s.append(dst, "_sum", m.GetSummary().GetSampleSum())
		return s.append(dst, "_count", float64(m.GetSummary().GetSampleCount()))
	case dto.MetricType_HISTOGRAM, dto.MetricType_GAUGE_HISTOGRAM:
		h := m.GetHistogram()
		count := either(h.GetSampleCountFloat(), h.GetSampleCount())
		hasInf := false
		for _, b := range h.GetBucket() {
			value := either(b.GetCumulativeCountFloat(), b.GetCumulativeCount())
			dst = s.appendPart(dst, "_bucket", model.BucketLabel, b.GetUpperBound(), value)
			hasInf = hasInf || math.IsInf(b.GetUpperBound(), +1)
		}
		if !hasInf {
			dst = s.appendPart(dst, "_bucket", model.BucketLabel, math.Inf(+1), count)
		}
		dst = s.append(dst, "_sum", h.GetSampleSum())
		return s.append(dst, "_count", count)
	default:
		panic(fmt.Sprintf("BUG: metric of type %d was not refused", typ))
	}
}

// either is a count of which a histogram has one kind or the other.
func either(float float64, integer uint64) float64 {
	if float != 0 {
		return float
	}
	return float64(integer)
}

// series writes the lines of one metric.
type series struct {
	name   string
	quoted bool   // the name stands inside the braces
	labels []byte // never empty
}

// append writes one line.
func (s series) append(dst []byte, suffix string, value float64) []byte {
	dst = append(s.appendOpen(dst, suffix), "} "...)
	dst = store.AppendNumber(dst, value)
	return append(dst, '\n')
}

// appendPart writes one line with one more label.
func (s series) appendPart(dst []byte, suffix, label string, bound, value float64) []byte {
	dst = append(s.appendOpen(dst, suffix), ',')
	dst = append(dst, label...)
	dst = append(dst, '=', '"')
	dst = store.AppendNumber(dst, bound)
	dst = append(dst, `"} `...)
	dst = store.AppendNumber(dst, value)
	return append(dst, '\n')
}

func (s series) appendOpen(dst []byte, suffix string) []byte {
	if s.quoted {
		dst = append(dst, '{', '"')
		dst = store.AppendEscaped(dst, s.name)
		dst = append(dst, suffix...)
		dst = append(dst, '"', ',')
	} else {
		dst = append(dst, s.name...)
		dst = append(dst, suffix...)
		dst = append(dst, '{')
	}
	return append(dst, s.labels...)
}
