package store

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

// invariants recomputes the index from the groups and compares. Every test of
// the store ends with it.
func (s *Store) invariants() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	want := map[string]*typeCounts{}
	if err := s.scheduleInvariants(); err != nil {
		return err
	}
	shapeCounts := map[string]int{}
	sum := uint64(0)
	for path, g := range s.groups {
		if path != g.key.path {
			return fmt.Errorf("group %s is filed under %s", g.key.path, path)
		}
		shapeCounts[namesID(keyNames(g.key))]++
		sum += g.digest()
		if !slices.IsSortedFunc(g.held, func(a, b held) int { return compareStrings(a.name, b.name) }) {
			return fmt.Errorf("group %s: families are not sorted", path)
		}
		for i := range g.held {
			h := &g.held[i]
			if want[h.name] == nil {
				want[h.name] = new(typeCounts)
			}
			want[h.name][h.typ]++
			if h.family != s.families[h.name] {
				return fmt.Errorf("group %s, family %s: filed in another index", path, h.name)
			}
			at, ok := h.page.search(path)
			if !ok || h.page.members[at] != (member{g, int32(i)}) {
				return fmt.Errorf("group %s, family %s: not in its page", path, h.name)
			}
			if !slices.Contains(h.family.pages, h.page) {
				return fmt.Errorf("group %s, family %s: its page is not in the index", path, h.name)
			}
		}
	}
	if sum != s.sum {
		return fmt.Errorf("digest %016x, want %016x", s.sum, sum)
	}
	if len(s.families) != len(want) || len(s.sorted) != len(want) {
		return fmt.Errorf("%d families, %d sorted, want %d", len(s.families), len(s.sorted), len(want))
	}
	for i, f := range s.sorted {
		if i > 0 && s.sorted[i-1].name >= f.name {
			return fmt.Errorf("family %s follows %s", f.name, s.sorted[i-1].name)
		}
		if f.types != *want[f.name] {
			return fmt.Errorf("family %s: types %v, want %v", f.name, f.types, *want[f.name])
		}
		last, n := "", 0
		for _, p := range f.pages {
			if len(p.members) == 0 || len(p.members) > pageSize {
				return fmt.Errorf("family %s: page of %d members", f.name, len(p.members))
			}
			for _, m := range p.members {
				if m.path() <= last {
					return fmt.Errorf("family %s: %s follows %s", f.name, m.path(), last)
				}
				last = m.path()
				n++
			}
		}
		if n != f.types.total() {
			return fmt.Errorf("family %s: %d members, want %d", f.name, n, f.types.total())
		}
	}
	if err := s.aliasInvariants(); err != nil {
		return err
	}
	return s.shapesInvariants(shapeCounts)
}

// scheduleInvariants recounts the dead, the quotas, and what will be due.
func (s *Store) scheduleInvariants() error {
	entered := map[entry]bool{}
	for _, e := range s.schedule.entries {
		entered[e] = true
	}
	dead, timed, quotas := 0, 0, map[quotaID]int{}
	for path, g := range s.groups {
		if g.Dead() {
			dead++
		} else if s.quotaOf != nil {
			if quota := (*s.quotaOf)(g.key); quota.Max > 0 {
				quotas[quota.id()]++
			}
		}
		if g.due() == 0 {
			continue
		}
		timed++
		if !entered[entry{g.scheduled, path}] {
			return fmt.Errorf("group %s is due at %d, but not in the schedule at %d", path, g.due(), g.scheduled)
		}
	}
	if dead != s.dead || timed != s.schedule.timed || !maps.Equal(quotas, s.quotas) {
		return fmt.Errorf("%d dead, %d timed, quotas %v, want %d, %d, %v", s.dead, s.schedule.timed, s.quotas, dead, timed, quotas)
	}
	return nil
}

func (s *Store) shapesInvariants(want map[string]int) error {
	if len(s.shapes.byNames) != len(want) {
		return fmt.Errorf("%d shapes, want %d", len(s.shapes.byNames), len(want))
	}
	utf8 := aliases[labelNames]{}
	for _, sh := range s.shapes.byNames {
		if !joinNames(sh.names).legacy() {
			utf8.add(sh.scraped())
		}
	}
	if !utf8.equal(&s.shapes.utf8) {
		return fmt.Errorf("aliases of shapes: %v, want %v", s.shapes.utf8, utf8)
	}
	filed := 0
	for filingName, list := range s.shapes.byFilingName {
		for _, sh := range list {
			filed++
			if sh.filingName != filingName || !slices.Contains(sh.names, filingName) {
				return fmt.Errorf("shape %v is filed under %s", sh.names, filingName)
			}
			if sh.count != want[namesID(sh.names)] {
				return fmt.Errorf("shape %v: %d groups, want %d", sh.names, sh.count, want[namesID(sh.names)])
			}
		}
	}
	if filed != len(want) {
		return fmt.Errorf("%d shapes filed, want %d", filed, len(want))
	}
	return nil
}

func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// newTestStore returns a store whose invariants are checked when the test ends.
func newTestStore(tb testing.TB, settings Settings) *Store {
	s := New(settings)
	tb.Cleanup(func() {
		if err := s.invariants(); err != nil {
			tb.Errorf("invariants: %v", err)
		}
	})
	return s
}
