package decode

import (
	"bytes"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
)

// All methods of this file read from s.body at s.pos, leave s.pos behind what
// they have read, and return false where they are not sure. No loop needs to
// look for the end of the body: it ends with a line feed, and none of them goes
// beyond one.

// line reads one line.
func (s *scanner) line() bool {
	switch c := s.body[s.pos]; {
	case c == '\n':
		s.pos++
		return true
	case c == '#':
		s.pos++
		return s.comment()
	case IsNameStart(c):
		return s.sample()
	}
	return false
}

// comment reads the rest of a line that starts with a #.
func (s *scanner) comment() bool {
	s.skipBlanks()
	keyword := s.word()
	isHelp := string(keyword) == "HELP"
	if !isHelp && string(keyword) != "TYPE" || s.body[s.pos] == '\n' {
		s.rest()
		return true
	}
	s.skipBlanks()
	name := s.name()
	if len(name) == 0 || !IsBlank(s.body[s.pos]) {
		return false
	}
	f := s.family(name)
	if f == nil || f.last > f.first || s.open.begun {
		return false // expfmt takes a late HELP, but not a late TYPE
	}
	s.skipBlanks()
	text := s.rest()
	if len(text) == 0 {
		return true // says nothing, but the family is declared
	}
	if isHelp {
		return f.setHelp(text)
	}
	return f.setType(text)
}

// setHelp takes the help text as it was pushed. It needs no change to be
// canonical unless a quote is escaped.
func (f *scanned) setHelp(text []byte) bool {
	if f.help != nil {
		return false
	}
	for i := bytes.IndexByte(text, '\\'); i >= 0 && i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		i++
		if i == len(text) || text[i] != '\\' && text[i] != 'n' {
			return false
		}
	}
	f.help = text
	return true
}

// setType takes the types that text carries, in their usual spelling.
func (f *scanned) setType(text []byte) bool {
	if f.typed {
		return false
	}
	switch string(text) {
	case "counter":
		f.typ = dto.MetricType_COUNTER
	case "gauge":
		f.typ = dto.MetricType_GAUGE
	case "untyped":
		f.typ = dto.MetricType_UNTYPED
	case "summary":
		f.typ = dto.MetricType_SUMMARY
	case "histogram":
		f.typ = dto.MetricType_HISTOGRAM
	default:
		return false
	}
	f.typed = true
	return true
}

// family returns the family of that name, which is the current one or a new
// one. A family that comes back after another is found by sort.
func (s *scanner) family(name []byte) *scanned {
	if f := s.current(); f != nil && bytes.Equal(f.name, name) {
		return f
	}
	if !s.closeMetric() {
		return nil
	}
	s.families = append(s.families, scanned{
		name: name, typ: dto.MetricType_UNTYPED, first: len(s.metrics), last: len(s.metrics),
	})
	return s.current()
}

// current is the family of the line before, nil before the first.
func (s *scanner) current() *scanned {
	if len(s.families) == 0 {
		return nil
	}
	return &s.families[len(s.families)-1]
}

// sample reads a line with a value.
func (s *scanner) sample() bool {
	name := s.name()
	f := s.current()
	if f == nil || !f.isComposite() || !bytes.HasPrefix(name, f.name) {
		if f = s.family(name); f == nil {
			return false
		}
	}
	if s.series++; s.series > s.limits.Series || len(name) > s.limits.LabelBytes {
		return false
	}
	suffix := name[len(f.name):]
	if len(suffix) > 0 && !f.hasSuffix(suffix) {
		if f = s.family(name); f == nil {
			return false
		}
		suffix = nil
	}
	f.typed = true // from now on a TYPE line comes too late
	if !s.readLabels(f.typ) {
		return false
	}
	value, ok := scanNumber(s.rest())
	if !ok {
		return false
	}
	if f.isComposite() {
		return s.addLine(f, suffix, value)
	}
	return s.addMetric(f, value)
}

// hasSuffix tells whether lines of the family may have the suffix.
func (f *scanned) hasSuffix(suffix []byte) bool {
	switch string(suffix) {
	case "_sum", "_count":
		return f.isComposite()
	case "_bucket":
		return f.typ == dto.MetricType_HISTOGRAM
	}
	return false
}

// addMetric writes a metric of one line.
func (s *scanner) addMetric(f *scanned, value number) bool {
	if !s.sortLabels() {
		return false
	}
	m := span{start: len(s.text)}
	dst := append(s.text, f.name...)
	dst = append(dst, '{')
	m.labelStart = len(dst)
	dst = s.appendLabels(dst)
	m.labelEnd = len(dst)
	dst = append(dst, '}', ' ')
	dst = value.append(dst)
	s.text = append(dst, '\n')
	m.end = len(s.text)
	return s.add(f, m)
}

// add adds a metric to its family, which is the current one.
func (s *scanner) add(f *scanned, m span) bool {
	if f.last > f.first {
		switch bytes.Compare(s.labelText(s.metrics[f.last-1]), s.labelText(m)) {
		case 0:
			return false
		case 1:
			f.unsorted = true
		}
	}
	if len(s.text) > s.limits.TextBytes {
		return false // else a body with a long key takes memory without bound
	}
	s.metrics = append(s.metrics, m)
	f.last = len(s.metrics)
	f.size += m.end - m.start
	return true
}

// name reads a legacy metric name, which may be empty.
func (s *scanner) name() []byte {
	start, i := s.pos, s.pos
	if IsNameStart(s.body[i]) {
		for i++; IsNamePart(s.body[i]); i++ {
		}
	}
	s.pos = i
	return s.body[start:i]
}

// word reads up to a blank or the end of the line.
func (s *scanner) word() []byte {
	start := s.pos
	for c := s.body[s.pos]; !IsBlank(c) && c != '\n'; c = s.body[s.pos] {
		s.pos++
	}
	return s.body[start:s.pos]
}

// rest reads what is left of the line, and its end.
func (s *scanner) rest() []byte {
	start := s.pos
	end := start + bytes.IndexByte(s.body[start:], '\n')
	s.pos = end + 1
	return s.body[start:end]
}

func (s *scanner) skipBlanks() {
	for IsBlank(s.body[s.pos]) {
		s.pos++
	}
}

// partLabel is the label that tells the lines of a metric of the type apart.
func partLabel(typ dto.MetricType) string {
	switch typ {
	case dto.MetricType_HISTOGRAM:
		return model.BucketLabel
	case dto.MetricType_SUMMARY:
		return model.QuantileLabel
	}
	return ""
}
