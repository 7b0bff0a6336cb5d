package store

import (
	"bytes"
)

// shapeCheck finds series of one push that a group of another shape holds. The
// series of a push have all the labels of its key, so a group whose label names
// are among those of the key could hold any of them, and which group that is
// follows from the key alone. A group with other label names can only hold a
// series that has these names, too; which group follows from the series.
type shapeCheck struct {
	draft *Draft
	key   Key
	ready bool
	alone bool     // there are no shapes but the key's and those within it
	mask  uint64   // of the key's names
	inner []*Group // groups of shapes within the key's
	outer []*shape // shapes filed under a name of the key, but not within it
}

// prepare sorts the shapes that are filed under the key's names.
func (s *shapeCheck) prepare() {
	s.ready = true
	names := keyNames(s.key)
	own := namesID(names)
	strangers := len(s.draft.store.shapes.byNames) + len(s.draft.shapes)
	for _, name := range names {
		s.mask |= nameBit(name)
	}
	for _, name := range names {
		for _, sh := range s.draft.store.shapes.byRep[name] {
			strangers -= s.sort(sh, own)
		}
	}
	for _, sh := range s.draft.shapes {
		strangers -= s.sort(sh, own)
	}
	s.alone = strangers == 0
}

// sort puts a shape where it belongs. It returns 1 if that is settled by the
// key alone, else 0.
func (s *shapeCheck) sort(sh *shape, own string) int {
	if namesID(sh.names) == own {
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

// within returns the group that a shape within the key's names leads to.
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

// family finds a series of the family that another group holds.
func (s *shapeCheck) family(f *Family) (Offender, bool) {
	if !s.ready {
		s.prepare()
	}
	var holders []*held // of the inner groups
	var groups []*Group
	for _, g := range s.inner {
		if i, ok := g.find(f.Name); ok {
			holders, groups = append(holders, &g.held[i]), append(groups, g)
		}
	}
	if s.alone && len(holders) == 0 {
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

// elsewhere returns a group that holds a series, which need not be one of the
// push, but must have the values of the key where it has names of it. nil if none
// does.
func (s *shapeCheck) elsewhere(name string, labels []byte) *Group {
	if !s.ready {
		s.prepare()
	}
	for _, g := range s.inner {
		if i, ok := g.find(name); ok && hasMetric(g.held[i].text[g.held[i].head:], g.held[i].typ, labels) {
			return g
		}
	}
	if s.alone {
		return nil
	}
	return s.outside(name, labels)
}

// outside returns the group of a shape not within the key's that holds the
// series, nil if none does.
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
		for _, sh := range s.draft.store.shapes.byRep[unquoteName(label)] {
			if sh.mask&^mask == 0 {
				if g := s.holds(sh, name, labels); g != nil {
					return g
				}
			}
		}
	}
	return nil
}

// holds returns the group that the shape and the labels lead to if it holds
// the series.
func (s *shapeCheck) holds(sh *shape, name string, labels []byte) *Group {
	key := make([]Label, 0, len(sh.names))
	var job string
	for rest := labels; len(rest) > 0; {
		var label, value []byte
		label, value, rest = cutLabel(rest)
		plain := unquoteName(label)
		for _, want := range sh.names {
			if want == plain {
				key = append(key, Label{plain, unescape(value)})
				if plain == JobLabel {
					job = unescape(value)
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
