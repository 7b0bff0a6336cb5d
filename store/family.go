package store

import (
	dto "github.com/prometheus/client_model/go"
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

// merge returns the union of two sorted lists; where both have a name the
// second one's counts.
func merge(old, pushed []Family) []Family {
	all := make([]Family, 0, len(old)+len(pushed))
	for _, f := range pushed {
		for len(old) > 0 && old[0].Name < f.Name {
			all = append(all, old[0])
			old = old[1:]
		}
		if len(old) > 0 && old[0].Name == f.Name {
			old = old[1:]
		}
		all = append(all, f)
	}
	return append(all, old...)
}
