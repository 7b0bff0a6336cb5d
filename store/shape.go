package store

import (
	"slices"
	"strings"
)

// shape is the set of label names of a grouping key. Grouping labels override pushed
// ones, so two groups of one shape never hold the same series. Two groups of different
// shapes can, and then the series has all the label names of both.
type shape struct {
	names      []string // sorted, those of the key; job among them
	mask       uint64   // nameMask of names
	filingName string   // the one of names under which shapes files it
	count      int      // number of groups that have it
}

// shapes finds the shapes whose groups could hold a series with certain label names,
// without looking at all shapes. Each shape is filed under one of its names: the one
// that had the fewest shapes at that time.
type shapes struct {
	byNames      map[string]*shape
	byFilingName map[string][]*shape
	utf8         aliases[labelNames] // of shapes with names that escaping changes
}

func newShapes() shapes {
	return shapes{byNames: map[string]*shape{}, byFilingName: map[string][]*shape{}}
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

// scraped returns the names that the series of all groups of the shape have.
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
		sh.filingName = slices.MinFunc(names, func(a, b string) int { return len(s.byFilingName[a]) - len(s.byFilingName[b]) })
		s.byNames[id] = sh
		s.byFilingName[sh.filingName] = append(s.byFilingName[sh.filingName], sh)
		if !key.isLegacy() {
			s.utf8.add(sh.scraped())
		}
	}
	sh.count++
	return sh
}

// remove counts one group less of the shape.
func (s *shapes) remove(sh *shape) {
	sh.count--
	if sh.count > 0 {
		return
	}
	delete(s.byNames, namesID(sh.names))
	if !joinNames(sh.names).legacy() {
		s.utf8.remove(sh.scraped())
	}
	filed := s.byFilingName[sh.filingName]
	i := slices.Index(filed, sh)
	filed = slices.Delete(filed, i, i+1)
	if len(filed) == 0 {
		delete(s.byFilingName, sh.filingName)
	} else {
		s.byFilingName[sh.filingName] = filed
	}
}
