package store

import (
	"iter"
	"sync/atomic"
)

// Chunk is a run of blocks of one family, sorted by the path of their keys. A chunk of
// a view never changes, and its methods may be called concurrently.
type Chunk struct {
	members []member
	memo    atomic.Pointer[[]byte]
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

// Memo returns what SetMemo was given last, nil if it was never called. The slice is
// shared and must not be changed.
func (c *Chunk) Memo() []byte {
	if memo := c.memo.Load(); memo != nil {
		return *memo
	}
	return nil
}

// SetMemo keeps what a reader has made of the blocks, such as their compressed form,
// for the next reader. It is kept as long as the chunk is unchanged. The slice must not
// be changed afterwards.
func (c *Chunk) SetMemo(memo []byte) { c.memo.Store(&memo) }
