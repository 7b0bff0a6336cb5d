package store

import (
	dto "github.com/prometheus/client_model/go"
)

// Names of the two families that each group has besides the pushed ones.
// Pushed families of these names are dropped, as in Pushgateway.
const (
	PushTimeName    = "push_time_seconds"
	PushFailureName = "push_failure_time_seconds"
)

// Family is one metric family of one group in canonical form. It is immutable
// and its slices are shared between changes, events, groups and views.
//
// The canonical text is text format 0.0.4 as expfmt writes it: at most one HELP
// line, one TYPE line, and the samples, without timestamps. Each metric has all
// grouping labels and "instance", its labels are sorted by name, and the
// metrics are sorted by their label text, each once. Where le or quantile is
// written it is the last label.
type Family struct {
	// Name is the family's name.
	Name string
	// Type is the family's type. A gauge histogram's text says histogram.
	Type dto.MetricType
	// Text is the whole canonical text. It is empty if the family has no metric.
	Text []byte
	// Head is the number of bytes of Text before the first sample.
	Head int
	// Proto is the encoded io.prometheus.client.MetricFamily if the text does
	// not say everything (native histograms, exemplars, created times, families
	// without metrics, ...), else nil.
	Proto []byte
	// PushTime is when this family was pushed last, in nanoseconds since 1970,
	// or 0 for the time of the group's last push.
	PushTime int64
	// PlainNames says that no name in Text is written in quotes: all are legacy
	// names. False may also mean that nobody has looked.
	PlainNames bool
}

// Samples returns the sample lines, without HELP and TYPE.
func (f Family) Samples() []byte { return f.Text[f.Head:] }
