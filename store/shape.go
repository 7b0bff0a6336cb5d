package store

import (
	"slices"
	"strings"
)

// shape is a set of label names that grouping keys have. Grouping labels
// override pushed ones, so two groups of one shape never hold the same series:
// only groups of different shape can collide, and then the series has all the
// labels of both.
type shape struct {
	names []string // sorted, those of the key; job among them
	mask  uint64   // nameMask of names
	rep   string   // the name under which the shape is found
	count int      // groups that have it
}

// shapes finds, for the label names of a series, the shapes whose groups could
// hold it, without looking at all that there are: each shape is filed under one
// of its names, the one with the fewest shapes at that time.
type shapes struct {
	byNames map[string]*shape
	byRep   map[string][]*shape
	utf8    aliases[labelNames] // of shapes with names that escaping changes
}

func newShapes() shapes {
	return shapes{byNames: map[string]*shape{}, byRep: map[string][]*shape{}}
}

// namesID identifies a set of label names.
func namesID(names []string) string { return strings.Join(names, "\xff") }

// nameBit hashes a label name to one of 64 bits (FNV-1a).
func nameBit[T string | []byte](name T) uint64 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return 1 << (h >> 26)
}

// writtenBit is the nameBit of a name as it is written, perhaps in quotes.
func writtenBit(raw []byte) uint64 {
	if raw[0] == '"' {
		return nameBit(unquoteName(raw))
	}
	return nameBit(raw)
}

func keyNames(key Key) []string {
	names := make([]string, len(key.labels))
	for i, l := range key.labels {
		names[i] = l.Name
	}
	return names
}

func newShape(names []string) *shape {
	sh := &shape{names: names}
	for _, name := range names {
		sh.mask |= nameBit(name)
	}
	return sh
}

// scraped returns the names that the own series of groups of the shape have.
func (sh *shape) scraped() labelNames {
	at, has := slices.BinarySearch(sh.names, InstanceLabel)
	if has {
		return joinNames(sh.names)
	}
	return joinNames(slices.Insert(slices.Clone(sh.names), at, InstanceLabel))
}

// add counts one more group of the key's shape.
func (s *shapes) add(key Key) *shape {
	names := keyNames(key)
	id := namesID(names)
	sh := s.byNames[id]
	if sh == nil {
		sh = newShape(names)
		sh.rep = slices.MinFunc(names, func(a, b string) int { return len(s.byRep[a]) - len(s.byRep[b]) })
		s.byNames[id] = sh
		s.byRep[sh.rep] = append(s.byRep[sh.rep], sh)
		if !key.isLegacy() {
			s.utf8.add(sh.scraped())
		}
	}
	sh.count++
	return sh
}

// remove counts one group less.
func (s *shapes) remove(sh *shape) {
	sh.count--
	if sh.count > 0 {
		return
	}
	delete(s.byNames, namesID(sh.names))
	if !joinNames(sh.names).legacy() {
		s.utf8.remove(sh.scraped())
	}
	filed := s.byRep[sh.rep]
	i := slices.Index(filed, sh)
	filed = slices.Delete(filed, i, i+1)
	if len(filed) == 0 {
		delete(s.byRep, sh.rep)
	} else {
		s.byRep[sh.rep] = filed
	}
}
