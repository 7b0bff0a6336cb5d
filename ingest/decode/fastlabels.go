package decode

import (
	"bytes"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
)

// label is a label in the form in which it stands in text. In a body that is
// valid UTF-8 an escaped value has one form only, so copying it is enough.
type label struct {
	name, value []byte
	weak        bool // a label that was pushed goes before it
}

var instanceName = []byte(model.InstanceLabel)

// maxFastLabels bounds the labels of a line, since they are sorted by insertion.
const maxFastLabels = 64

// readLabels reads what stands between a metric's name and its value: blanks,
// and labels in braces, which it leaves in s.labels in their order, but le of a
// histogram and quantile of a summary in s.part.
func (s *scanner) readLabels(typ dto.MetricType) bool {
	s.labels, s.part = s.labels[:0], nil
	separated := IsBlank(s.body[s.pos])
	s.skipBlanks()
	if s.body[s.pos] != '{' {
		return separated
	}
	part := partLabel(typ)
	for next := true; next; {
		if len(s.labels) > maxFastLabels {
			return false
		}
		s.pos++
		s.skipBlanks()
		if s.body[s.pos] == '}' {
			break
		}
		l, ok := s.readLabel()
		if !ok {
			return false
		}
		switch string(l.name) {
		case model.BucketLabel, model.QuantileLabel:
			if part == "" {
				s.labels = append(s.labels, l)
			} else if string(l.name) == part && s.part == nil {
				s.part = l.value
			} else {
				return false
			}
		default:
			s.labels = append(s.labels, l)
		}
		switch s.body[s.pos] {
		case ',':
		case '}':
			next = false
		default:
			return false
		}
	}
	if len(s.labels)+len(s.group) > s.limits.Labels {
		return false // where both have a label it is counted twice
	}
	s.pos++
	s.skipBlanks()
	return true
}

// readLabel reads name="value" and the blanks behind it.
func (s *scanner) readLabel() (l label, ok bool) {
	body, i := s.body, s.pos
	start := i
	if !IsLabelStart(body[i]) {
		return l, false
	}
	for i++; IsLabelPart(body[i]); i++ {
	}
	l.name = body[start:i]
	if len(l.name) > 1 && l.name[0] == '_' && l.name[1] == '_' {
		return l, false // reserved
	}
	for IsBlank(body[i]) {
		i++
	}
	if body[i] != '=' {
		return l, false
	}
	for i++; IsBlank(body[i]); i++ {
	}
	if body[i] != '"' {
		return l, false
	}
	i++
	start = i
	for ; body[i] != '"'; i++ {
		switch body[i] {
		case '\n':
			return l, false
		case '\\':
			i++
			if c := body[i]; c != '\\' && c != '"' && c != 'n' {
				return l, false
			}
		}
	}
	l.value = body[start:i]
	if len(l.name) > s.limits.LabelBytes || len(l.value) > s.limits.ValueBytes {
		return l, false // the escaped value may be longer than the value, but hardly ever is
	}
	for i++; IsBlank(body[i]); i++ {
	}
	s.pos = i
	return l, true
}

// sortLabels sorts the labels of the line by name. It says no if a name is
// there twice.
func (s *scanner) sortLabels() bool {
	labels := s.labels
	for i := 1; i < len(labels); i++ {
		for j := i; j > 0; j-- {
			order := bytes.Compare(labels[j-1].name, labels[j].name)
			if order == 0 {
				return false
			}
			if order < 0 {
				break
			}
			labels[j-1], labels[j] = labels[j], labels[j-1]
		}
	}
	return true
}

// appendLabels writes the sorted labels of the line and those of the group.
func (s *scanner) appendLabels(dst []byte) []byte {
	start := len(dst)
	pushed, group := s.labels, s.group
	for len(pushed) > 0 || len(group) > 0 {
		order := -1 // which comes first: the pushed label or the group's
		if len(pushed) == 0 {
			order = 1
		} else if len(group) > 0 {
			order = bytes.Compare(pushed[0].name, group[0].name)
		}
		var l label
		if order > 0 || order == 0 && !group[0].weak {
			l = group[0]
		} else {
			l = pushed[0]
		}
		if order >= 0 {
			group = group[1:]
		}
		if order <= 0 {
			pushed = pushed[1:]
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(dst, l.name...)
		dst = append(dst, '=', '"')
		dst = append(dst, l.value...)
		dst = append(dst, '"')
	}
	return dst
}

// sameLabels tells whether two lines have the same labels in the same order.
func sameLabels(a, b []label) bool {
	return slices.EqualFunc(a, b, func(a, b label) bool {
		return bytes.Equal(a.name, b.name) && bytes.Equal(a.value, b.value)
	})
}
