package store

import (
	"iter"

	dto "github.com/prometheus/client_model/go"
)

// ViewFamily is one family over all groups of a View.
type ViewFamily struct {
	name   string
	chunks []*Chunk
}

// Name returns the family's name.
func (f ViewFamily) Name() string { return f.name }

// Type returns the family's type. If consistency is not checked, groups may differ; then
// it is the type in the first group.
func (f ViewFamily) Type() dto.MetricType { return f.chunks[0].members[0].held().typ }

// Head returns the HELP and TYPE lines. If groups differ in the help, it is that of the
// first one. It is empty if the family has no metric.
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

// Blocks returns the sample lines of each group. The text of the family is its head and
// all blocks.
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

// HasQuotedNames reports whether the family's name or one of its label names may be
// written in quotes, because it is not a legacy name.
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
