package store

import (
	"bytes"

	dto "github.com/prometheus/client_model/go"
)

// sample is one line of canonical text in its parts, as written.
type sample struct {
	name   []byte // with its suffix, and with its quotes if it has some
	labels []byte // between the braces, without a quoted name
	value  []byte
	quoted bool // a name is in quotes
}

// cutSample splits a sample line (without line feed) and checks its syntax.
func cutSample(line []byte) (s sample, ok bool) {
	open := bytes.IndexByte(line, '{')
	if open < 0 {
		return s, false
	}
	s.name = line[:open]
	i := open + 1
	if open == 0 { // {"name",labels}
		end := 0
		if len(line) > 2 && line[1] == '"' {
			end = QuotedEnd(line[1:])
		}
		if end <= 0 || 1+end >= len(line) || line[1+end] != ',' {
			return s, false
		}
		s.name, s.quoted = line[1:1+end], true
		i = 1 + end + 1
	}
	start := i
	for {
		end := labelEnd(line[i:])
		if end < 0 || i+end >= len(line) {
			return s, false
		}
		s.quoted = s.quoted || line[i] == '"'
		i += end
		if line[i] == '}' {
			break
		}
		if line[i] != ',' {
			return s, false
		}
		i++
	}
	s.labels = line[start:i]
	if i+2 >= len(line) || line[i+1] != ' ' {
		return s, false
	}
	s.value = line[i+2:]
	for _, c := range s.value {
		if !isValueByte(c) {
			return s, false
		}
	}
	return s, true
}

// isValueByte reports whether a canonical value can have the character.
func isValueByte(c byte) bool {
	switch c {
	case '+', '-', '.', 'e', 'I', 'n', 'f', 'N', 'a':
		return true
	}
	return '0' <= c && c <= '9'
}

// labelEnd returns the index behind the label name="value" at text[0], or -1.
func labelEnd(text []byte) int {
	var eq int
	if len(text) > 0 && text[0] == '"' {
		if eq = QuotedEnd(text); eq < 0 || eq >= len(text) || text[eq] != '=' {
			return -1
		}
	} else if eq = bytes.IndexByte(text, '='); eq <= 0 {
		return -1
	}
	if eq+1 >= len(text) || text[eq+1] != '"' {
		return -1
	}
	end := QuotedEnd(text[eq+1:])
	if end < 0 {
		return -1
	}
	return eq + 1 + end
}

// cutLabel splits the first label off labels; name and value are as written,
// the value without its quotes. The labels must be those of a checked sample.
func cutLabel(labels []byte) (name, value, rest []byte) {
	eq := 0
	if labels[0] == '"' {
		eq = QuotedEnd(labels)
	} else {
		eq = bytes.IndexByte(labels, '=')
	}
	end := eq + 1 + QuotedEnd(labels[eq+1:])
	name, value, rest = labels[:eq], labels[eq+2:end-1], labels[end:]
	if len(rest) > 0 {
		rest = rest[1:] // the comma
	}
	return name, value, rest
}

// metricLabels returns the labels of the sample's metric: all but le or quantile, which
// canonical text has in the last place.
func (s sample) metricLabels(typ dto.MetricType) []byte {
	var part string
	switch typ {
	case dto.MetricType_HISTOGRAM, dto.MetricType_GAUGE_HISTOGRAM:
		part = `le="`
	case dto.MetricType_SUMMARY:
		part = `quantile="`
	default:
		return s.labels
	}
	// The part's value is a number, so the last occurrence is the label itself
	// if nothing but a number, the quote and the end follow.
	i := bytes.LastIndex(s.labels, []byte(part))
	if i < 1 || s.labels[i-1] != ',' {
		return s.labels
	}
	for _, c := range s.labels[i+len(part) : len(s.labels)-1] {
		if !isValueByte(c) {
			return s.labels
		}
	}
	return s.labels[:i-1]
}

// hasMetric reports whether samples, the sample lines of a family of the given type,
// have a metric with exactly these labels. It is a binary search, because the metrics
// are sorted by the text of their labels.
func hasMetric(samples []byte, typ dto.MetricType, labels []byte) bool {
	lo, hi := 0, len(samples) // both at the beginning of a line
	for lo < hi {
		mid := bytes.LastIndexByte(samples[lo:lo+(hi-lo)/2], '\n') + 1 + lo
		end := mid + bytes.IndexByte(samples[mid:], '\n')
		s, ok := cutSample(samples[mid:end])
		if !ok {
			return false
		}
		switch bytes.Compare(s.metricLabels(typ), labels) {
		case 0:
			return true
		case -1:
			lo = end + 1
		default:
			hi = mid
		}
	}
	return false
}
