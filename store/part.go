package store

import "bytes"

// First returns the family with its first n metrics, and how many it has. What is
// cut off is only where the text says everything; a family with a message of its
// own is returned whole, and its number of metrics is that of its text.
func (f Family) First(n int) (first Family, metrics int) {
	var last []byte
	cut := len(f.Text)
	for at := f.Head; at < len(f.Text); {
		end := at + bytes.IndexByte(f.Text[at:], '\n')
		if end < at {
			break // not possible: canonical text ends in a line feed
		}
		s, ok := cutSample(f.Text[at:end])
		if labels := s.metricLabels(f.Type); !ok || metrics == 0 || !bytes.Equal(labels, last) {
			if metrics == n {
				cut = at
			}
			metrics++
			last = labels
		}
		at = end + 1
	}
	if f.Proto == nil && cut < len(f.Text) {
		f.Text = f.Text[:cut:cut]
	}
	return f, metrics
}
