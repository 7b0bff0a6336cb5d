package decode

import (
	"math"

	dto "github.com/prometheus/client_model/go"
)

// composite is the summary or histogram metric of which lines are being read.
// They must follow each other, in any order; they are written when all are
// there.
type composite struct {
	labels     []label // as pushed, without le or quantile; the next line with others ends the metric
	parts      []part
	sum, count number
	hasSum     bool
	hasCount   bool
	begun      bool
}

// part is a bucket or a quantile.
type part struct {
	bound, value number
}

func (c *composite) reset() {
	*c = composite{labels: emptied(c.labels), parts: emptied(c.parts)}
}

// addLine takes a line of a summary or histogram.
func (s *scanner) addLine(f *scanned, suffix []byte, value number) bool {
	if s.open.begun && !sameLabels(s.open.labels, s.labels) && !s.closeMetric() {
		return false
	}
	c := &s.open
	if !c.begun {
		c.begun = true
		c.labels = append(c.labels, s.labels...)
	}
	switch {
	case string(suffix) == "_sum":
		if c.hasSum || s.part != nil {
			return false
		}
		c.sum, c.hasSum = value, true
		return true
	case string(suffix) == "_count":
		if c.hasCount || s.part != nil || !value.isCount() {
			return false
		}
		c.count, c.hasCount = value, true
		return true
	}
	// Of a histogram without suffix, or of either without a bound, expfmt makes
	// something that nobody means.
	isHistogram := f.typ == dto.MetricType_HISTOGRAM
	if isHistogram != (len(suffix) > 0) || s.part == nil || isHistogram && !value.isCount() {
		return false
	}
	bound, ok := scanNumber(s.part)
	if !ok || math.IsNaN(bound.value) || len(c.parts) > 0 && c.parts[len(c.parts)-1].bound.value >= bound.value {
		return false
	}
	c.parts = append(c.parts, part{bound, value})
	return true
}

// closeMetric writes the metric of which lines have been read, if there is one.
// It says no if a line is missing, since it would be made up.
func (s *scanner) closeMetric() bool {
	c := &s.open
	if !c.begun {
		return true
	}
	f := s.current()
	if !c.hasSum || !c.hasCount ||
		f.typ == dto.MetricType_HISTOGRAM && (len(c.parts) == 0 || !math.IsInf(c.parts[len(c.parts)-1].bound.value, +1)) {
		return false
	}
	// The line at hand may be of the next metric already: it keeps its labels.
	s.labels, c.labels = c.labels, s.labels
	ok := s.sortLabels()
	m := span{}
	if ok {
		m = s.writeComposite(f)
	}
	s.labels, c.labels = c.labels, s.labels
	c.reset()
	return ok && s.add(f, m)
}

// writeComposite writes the lines of the open metric, whose labels are in
// s.labels.
func (s *scanner) writeComposite(f *scanned) span {
	c := &s.open
	m := span{start: len(s.text)}
	dst := s.text
	suffix, bound := "", `,quantile="`
	if f.typ == dto.MetricType_HISTOGRAM {
		suffix, bound = "_bucket", `,le="`
	}
	open := func(suffix string) {
		dst = append(dst, f.name...)
		dst = append(dst, suffix...)
		dst = append(dst, '{')
		if m.labelEnd > 0 {
			dst = append(dst, dst[m.labelStart:m.labelEnd]...)
			return
		}
		m.labelStart = len(dst)
		dst = s.appendLabels(dst)
		m.labelEnd = len(dst)
	}
	for _, p := range c.parts {
		open(suffix)
		dst = append(dst, bound...)
		dst = p.bound.append(dst)
		dst = append(dst, '"', '}', ' ')
		dst = p.value.append(dst)
		dst = append(dst, '\n')
	}
	open("_sum")
	dst = append(dst, '}', ' ')
	dst = c.sum.append(dst)
	dst = append(dst, '\n')
	open("_count")
	dst = append(dst, '}', ' ')
	dst = c.count.append(dst)
	dst = append(dst, '\n')
	s.text, m.end = dst, len(dst)
	return m
}
