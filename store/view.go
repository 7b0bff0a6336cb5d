package store

import (
	"iter"
	"slices"
	"strings"
)

// View is the state of the store at one sequence. It never changes. Many goroutines may
// read it, for any time. It keeps in memory what has been replaced since.
type View struct {
	sequence uint64
	groups   int
	dead     int
	suspect  bool
	families []ViewFamily
}

// View returns the present state. It copies references only, so its time grows with the
// number of pages.
func (s *Store) View() *View {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.generation.Add(1) // pages that are older are copied before they change
	v := &View{sequence: s.sequence, groups: s.living(), dead: s.dead, suspect: s.suspect, families: make([]ViewFamily, len(s.sorted))}
	n := 0
	for _, f := range s.sorted {
		n += len(f.pages)
	}
	chunks := make([]*Chunk, 0, n)
	for i, f := range s.sorted {
		from := len(chunks)
		for _, p := range f.pages {
			chunks = append(chunks, p.Chunk)
		}
		v.families[i] = ViewFamily{name: f.name, chunks: chunks[from:len(chunks):len(chunks)]}
	}
	return v
}

// Sequence returns the stream sequence that the view shows.
func (v *View) Sequence() uint64 { return v.sequence }

// Len returns the number of groups, without those that have expired.
func (v *View) Len() int { return v.groups }

// LenDead returns the number of groups that have expired and are not forgotten.
func (v *View) LenDead() int { return v.dead }

// Families returns the families sorted by name.
func (v *View) Families() []ViewFamily { return v.families }

// Groups returns the living groups sorted by the path of their keys.
func (v *View) Groups() iter.Seq[*Group] {
	return v.holders(PushTimeName) // which each of them has
}

// Dead returns the groups that have expired and are not forgotten, sorted by the
// path of their keys.
func (v *View) Dead() iter.Seq[*Group] {
	return func(yield func(*Group) bool) {
		for g := range v.holders(GroupUpName) {
			if g.Dead() && !yield(g) {
				return
			}
		}
	}
}

// All returns the living and the dead groups sorted by the path of their keys.
func (v *View) All() iter.Seq[*Group] {
	return func(yield func(*Group) bool) {
		dead := slices.Collect(v.Dead())
		for g := range v.Groups() {
			for len(dead) > 0 && dead[0].key.path < g.key.path {
				if !yield(dead[0]) {
					return
				}
				dead = dead[1:]
			}
			if !yield(g) {
				return
			}
		}
		for _, g := range dead {
			if !yield(g) {
				return
			}
		}
	}
}

// holders returns the groups that hold a family, sorted by the path of their
// keys.
func (v *View) holders(name string) iter.Seq[*Group] {
	return func(yield func(*Group) bool) {
		i, ok := slices.BinarySearchFunc(v.families, name, func(f ViewFamily, name string) int {
			return strings.Compare(f.name, name)
		})
		if !ok {
			return
		}
		for _, c := range v.families[i].chunks {
			for _, m := range c.members {
				if !yield(m.group) {
					return
				}
			}
		}
	}
}
