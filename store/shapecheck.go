package store

import (
	"bytes"
)

// shapeCheck finds series of one push that a group of another shape holds. The series
// of a push have all the labels of its key. So a group whose label names are among
// those of the key could hold any of them; the key alone says which group that is. A
// group with other label names can only hold a series that has these names, too; the
// series says which group that is.
type shapeCheck struct {
	draft *Draft
	key   Key

	prepared bool
	complete bool     // there are no shapes but the key's and those within it
	mask     uint64   // of the key's names
	inner    []*Group // groups of shapes within the key's
	outer    []*shape // shapes filed under a name of the key, but not within it
}

// prepare classifies the shapes that are filed under the key's names.
func (s *shapeCheck) prepare() {
	s.prepared = true
	names := keyNames(s.key)
	id := namesID(names)
	rest := len(s.draft.store.shapes.byNames) + len(s.draft.shapes)
	for _, name := range names {
		s.mask |= nameBit(name)
	}
	for _, name := range names {
		for _, sh := range s.draft.store.shapes.byFilingName[name] {
			rest -= s.classify(sh, id)
		}
	}
	for _, sh := range s.draft.shapes {
		rest -= s.classify(sh, id)
	}
	s.complete = rest == 0
}

// classify puts a shape among the inner or the outer ones; id is that of the key's
// names. It returns 1 if the key alone says what to look at, else 0.
func (s *shapeCheck) classify(sh *shape, id string) int {
	if namesID(sh.names) == id {
		return 1
	}
	group, within := s.within(sh)
	if !within {
		s.outer = append(s.outer, sh)
		return 0
	}
	if group != nil {
		s.inner = append(s.inner, group)
	}
	return 1
}

// within returns the group that a shape within the key's names leads to, nil if there
// is none, and whether the shape is within them.
func (s *shapeCheck) within(sh *shape) (*Group, bool) {
	if sh.mask&^s.mask != 0 {
		return nil, false
	}
	labels := make([]Label, 0, len(sh.names))
	for _, name := range sh.names {
		value, ok := s.key.Get(name)
		if !ok {
			return nil, false
		}
		labels = append(labels, Label{name, value})
	}
	job, _ := s.key.Get(JobLabel)
	key, err := NewKey(job, labels...)
	if err != nil {
		return nil, true // not possible: the labels are those of a key
	}
	return s.draft.group(key.path), true
}

// family finds a series of the family that another group holds. It runs over all
// series of the family, in their order.
func (s *shapeCheck) family(f *Family) (Offender, bool) {
	if !s.prepared {
		s.prepare()
	}
	var holders []*held // of the inner groups
	var groups []*Group
	for _, g := range s.inner {
		if i, ok := g.find(f.Name); ok {
			holders, groups = append(holders, &g.held[i]), append(groups, g)
		}
	}
	if s.complete && len(holders) == 0 {
		return Offender{}, false
	}
	var last []byte
	for rest := f.Samples(); len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte{'\n'})
		rest = after
		sample, ok := cutSample(line)
		if !ok {
			continue // not possible: the text is canonical
		}
		labels := sample.metricLabels(f.Type)
		if bytes.Equal(labels, last) {
			continue
		}
		last = labels
		for i, h := range holders {
			if hasMetric(h.text[h.head:], h.typ, labels) {
				return Offender{Name: f.Name, Labels: string(labels), Group: groups[i].key}, true
			}
		}
		if g := s.outside(f.Name, labels); g != nil {
			return Offender{Name: f.Name, Labels: string(labels), Group: g.key}, true
		}
	}
	return Offender{}, false
}

// elsewhere returns a group that holds a series, nil if none does. The series need not
// be one of the push, but must have the values of the key where it has its names.
func (s *shapeCheck) elsewhere(name string, labels []byte) *Group {
	if !s.prepared {
		s.prepare()
	}
	for _, g := range s.inner {
		if i, ok := g.find(name); ok && hasMetric(g.held[i].text[g.held[i].head:], g.held[i].typ, labels) {
			return g
		}
	}
	if s.complete {
		return nil
	}
	return s.outside(name, labels)
}

// outside returns a group that holds the series and whose shape is not within the
// key's, nil if there is none.
func (s *shapeCheck) outside(name string, labels []byte) *Group {
	mask := s.mask
	for rest := labels; len(rest) > 0; {
		var label []byte
		label, _, rest = cutLabel(rest)
		mask |= writtenBit(label)
	}
	for _, sh := range s.outer {
		if sh.mask&^mask == 0 {
			if g := s.holds(sh, name, labels); g != nil {
				return g
			}
		}
	}
	for rest := labels; len(rest) > 0; {
		var label []byte
		label, _, rest = cutLabel(rest)
		if _, ofKey := s.key.Get(string(label)); ofKey {
			continue
		}
		for _, sh := range s.draft.store.shapes.byFilingName[unquoteName(label)] {
			if sh.mask&^mask == 0 {
				if g := s.holds(sh, name, labels); g != nil {
					return g
				}
			}
		}
	}
	return nil
}

// holds returns the group that the shape and the labels lead to, if it holds the
// series, else nil.
func (s *shapeCheck) holds(sh *shape, name string, labels []byte) *Group {
	key := make([]Label, 0, len(sh.names))
	var job string
	for rest := labels; len(rest) > 0; {
		var label, value []byte
		label, value, rest = cutLabel(rest)
		plain := unquoteName(label)
		for _, want := range sh.names {
			if want == plain {
				key = append(key, Label{plain, Unescape(value)})
				if plain == JobLabel {
					job = Unescape(value)
				}
			}
		}
	}
	if len(key) != len(sh.names) {
		return nil
	}
	k, err := NewKey(job, key...)
	if err != nil || k.path == s.key.path {
		return nil
	}
	g := s.draft.group(k.path)
	if g == nil {
		return nil
	}
	if i, ok := g.find(name); ok && hasMetric(g.held[i].text[g.held[i].head:], g.held[i].typ, labels) {
		return g
	}
	return nil
}
