package store

import (
	"bytes"
	"iter"
)

// Metric is one metric of a family as canonical text.
type Metric struct {
	// Labels are what is written between the braces, without le and quantile. No two
	// metrics of a family have the same, and the metrics are sorted by them.
	Labels []byte
	// Lines are the samples, each with its line feed.
	Lines []byte
}

// Metrics returns the metrics of the family's text. Their slices are parts of it.
func (f Family) Metrics() iter.Seq[Metric] {
	return func(yield func(Metric) bool) {
		var m Metric
		start := f.Head
		for at := f.Head; at < len(f.Text); {
			end := at + bytes.IndexByte(f.Text[at:], '\n')
			s, ok := sample{}, end >= at
			if ok {
				s, ok = cutSample(f.Text[at:end])
			}
			if !ok {
				return // not possible: canonical text has been checked
			}
			if labels := s.metricLabels(f.Type); m.Labels == nil || !bytes.Equal(labels, m.Labels) {
				if m.Lines = f.Text[start:at]; at > start && !yield(m) {
					return
				}
				start, m.Labels = at, labels
			}
			at = end + 1
		}
		if m.Lines = f.Text[start:]; len(m.Lines) > 0 {
			yield(m)
		}
	}
}

// First returns the family with its first n metrics only, and how many metrics its text
// has. A family with a Proto message is returned whole.
func (f Family) First(n int) (first Family, metrics int) {
	end := f.Head
	for m := range f.Metrics() {
		if metrics++; metrics <= n {
			end += len(m.Lines)
		}
	}
	if f.Proto == nil && end < len(f.Text) {
		f.Text = f.Text[:end:end]
	}
	return f, metrics
}
