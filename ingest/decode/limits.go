package decode

import (
	"bytes"
	"fmt"
	"math"

	dto "github.com/prometheus/client_model/go"

	"sluice/ingest/quote"
)

// Limits bound what one push may hold, whatever its format. 0 is no limit.
type Limits struct {
	// Series is the most series, counted as lines of text: a histogram has one for
	// each bucket and two more.
	Series int
	// Labels is the most labels of a series, those of its group included. The
	// labels le and quantile, and an instance that the gateway adds, do not count.
	Labels int
	// LabelBytes is the most bytes of a metric name or a label name.
	LabelBytes int
	// ValueBytes is the most bytes of a label value. Without a limit a value is
	// bounded by the body, as in Prometheus.
	ValueBytes int
	// TextBytes is the most bytes of the canonical text of the push. Each of its
	// lines has all labels of the group, so a small body can have a large text.
	TextBytes int
}

// orNone returns the limits with the largest number where there is none.
func (l Limits) orNone() Limits {
	for _, limit := range []*int{&l.Series, &l.Labels, &l.LabelBytes, &l.ValueBytes, &l.TextBytes} {
		if *limit == 0 {
			*limit = math.MaxInt
		}
	}
	return l
}

// The reasons of a LimitError.
const (
	TooManySeries = "too_many_series"
	TooManyLabels = "too_many_labels"
	LabelTooLong  = "label_too_long"
	TextTooLarge  = "text_too_large"
)

// LimitError says that a push passes a limit. The push leaves no trace.
type LimitError struct {
	// Reason is one of the constants above.
	Reason string
	// Message names the limit, the value and the flag.
	Message string

	// Metric is the name of the family, empty if it is not known.
	Metric string
}

// Error returns the message.
func (e *LimitError) Error() string { return e.Message }

// checkBody finds in a text body what would make the slow path costly, before it
// is taken: each of its lines becomes a handful of objects.
func (l Limits) checkBody(body []byte) error {
	if l.Series > 0 {
		if line := lineOfSample(body, l.Series+1); line > 0 {
			return l.tooManySeries(fmt.Sprintf("line %d is one too many", line))
		}
	}
	most := l.Labels
	if most == 0 {
		most = maxLineLabels
	}
	if line := crowdedLine(body, most); line > 0 {
		return &LimitError{Reason: TooManyLabels, Message: fmt.Sprintf(
			"text format parsing error in line %d: more than %d labels (--push.max-labels)", line, most)}
	}
	return nil
}

func (l Limits) tooManySeries(detail string) *LimitError {
	return &LimitError{Reason: TooManySeries, Message: fmt.Sprintf(
		"the push has more than %d series (--push.max-series): %s\nPush in several groups, or raise the limit.", l.Series, detail)}
}

func (l Limits) textTooLarge() *LimitError {
	return &LimitError{Reason: TextTooLarge, Message: fmt.Sprintf(
		"the push has more than %d bytes as text with the labels of its group in each line (the limit grows with --push.max-bytes)\nPush in several groups, use a shorter grouping key, or raise the limit.", l.TextBytes)}
}

// checkFamily checks the names and labels of a family that has got the labels of
// its group. instance is the label that the gateway may have added.
func (l Limits) checkFamily(mf *dto.MetricFamily, instance *dto.LabelPair) error {
	name := mf.GetName()
	if l.LabelBytes > 0 && len(name) > l.LabelBytes {
		return &LimitError{Reason: LabelTooLong, Metric: name, Message: fmt.Sprintf(
			"a metric name has %d bytes, the limit is %d (--push.max-label-bytes): %s", len(name), l.LabelBytes, quote.Excerpt(name))}
	}
	for i, m := range mf.GetMetric() {
		count := 0
		for _, pair := range m.GetLabel() {
			if pair != instance {
				count++
			}
			if size, most := l.tooLong(pair); size > 0 {
				return &LimitError{Reason: LabelTooLong, Metric: name, Message: fmt.Sprintf(
					"label %s of metric %s, series %d, has %d bytes, the limit is %d (--push.max-label-bytes): %s",
					quote.Excerpt(pair.GetName()), quote.Excerpt(name), i+1, size, most, quote.Excerpt(pair.GetValue()))}
			}
		}
		if l.Labels > 0 && count > l.Labels {
			return &LimitError{Reason: TooManyLabels, Metric: name, Message: fmt.Sprintf(
				"metric %s, series %d, has %d labels with those of its group, the limit is %d (--push.max-labels)",
				quote.Excerpt(name), i+1, count, l.Labels)}
		}
	}
	return nil
}

// tooLong returns the size of a name or value that passes its limit, and the
// limit; 0 if none does.
func (l Limits) tooLong(pair *dto.LabelPair) (size, most int) {
	if size := len(pair.GetName()); l.LabelBytes > 0 && size > l.LabelBytes {
		return size, l.LabelBytes
	}
	if size := len(pair.GetValue()); l.ValueBytes > 0 && size > l.ValueBytes {
		return size, l.ValueBytes
	}
	return 0, 0
}

// lineOfSample returns the line of the nth sample of a text body, from 1, or 0
// if there are fewer.
func lineOfSample(body []byte, n int) int {
	if bytes.Count(body, []byte{'\n'})+1 < n {
		return 0
	}
	for number, line := range Lines(body) {
		if isSample(line) {
			n--
		}
		if n == 0 {
			return number
		}
	}
	return 0
}

// seriesOf is how many lines of text a metric has.
func seriesOf(typ dto.MetricType, m *dto.Metric) int {
	switch typ {
	case dto.MetricType_SUMMARY:
		return len(m.GetSummary().GetQuantile()) + 2
	case dto.MetricType_HISTOGRAM, dto.MetricType_GAUGE_HISTOGRAM:
		return max(len(m.GetHistogram().GetBucket()), 1) + 2
	}
	return 1
}
