package store

import (
	"iter"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// View is what the store held at one sequence. It never changes and may be
// read by many goroutines, for as long as it is needed.
type View struct {
	sequence uint64
	groups   int
	dead     int
	suspect  bool
	families []ViewFamily
}

// ViewFamily is one family over all groups of a View.
type ViewFamily struct {
	name   string
	chunks []*Chunk
}

// View returns what the store holds now. It takes references only, in a time
// that goes with the number of pages.
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
	return v.holders(PushTimeName) // which every one has
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

// Group returns the group of a key, nil if there is none.
func (s *Store) Group(key Key) *Group {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.groups[key.path]
}

// Name returns the family's name.
func (f ViewFamily) Name() string { return f.name }

// Type returns the family's type. Without the consistency check groups may
// differ: then it is that of the first one.
func (f ViewFamily) Type() dto.MetricType { return f.chunks[0].members[0].held().typ }

// Head returns the HELP and TYPE lines. Where groups differ in the help, that
// of the first one counts. It is empty for a family without any metric.
func (f ViewFamily) Head() []byte {
	for _, c := range f.chunks {
		for _, m := range c.members {
			if text, head := m.text(); len(text) > 0 {
				return text[:head]
			}
		}
	}
	return nil
}

// Parts returns the family of each group, sorted by the path of its key.
func (f ViewFamily) Parts() iter.Seq2[*Group, Family] {
	return func(yield func(*Group, Family) bool) {
		for _, c := range f.chunks {
			for _, m := range c.members {
				if !yield(m.group, m.group.family(int(m.index))) {
					return
				}
			}
		}
	}
}

// Chunks returns the blocks of all groups in runs.
func (f ViewFamily) Chunks() []*Chunk { return f.chunks }

// Blocks returns the sample lines of each group: the text of the family is its
// head and all blocks.
func (f ViewFamily) Blocks() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, c := range f.chunks {
			for block := range c.Blocks() {
				if !yield(block) {
					return
				}
			}
		}
	}
}

// Blocks returns the sample lines of each group in the chunk.
func (c *Chunk) Blocks() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := range c.members {
			text, head := c.members[i].text()
			if len(text) > 0 && !yield(text[head:]) {
				return
			}
		}
	}
}

// Memo returns what SetMemo has kept, nil for nothing.
func (c *Chunk) Memo() []byte {
	if memo := c.memo.Load(); memo != nil {
		return *memo
	}
	return nil
}

// SetMemo keeps what a reader has made of the blocks, for the next one. It
// lives as long as the chunk is unchanged, and must not be changed itself.
func (c *Chunk) SetMemo(memo []byte) { c.memo.Store(&memo) }

// HasQuotedNames tells whether the family's name or a label of it may be
// written in quotes, since it is no legacy name.
func (f ViewFamily) HasQuotedNames() bool {
	for _, c := range f.chunks {
		for i := range c.members {
			if c.members[i].held().quoted {
				return true
			}
		}
	}
	return false
}
