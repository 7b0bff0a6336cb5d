package bus

import (
	"sync"

	"sluice/store"
)

// localApply lets Append apply its own events as soon as the stream has
// acknowledged them, instead of waiting until they are delivered. A push is answered a
// fifth earlier. The order stays that of the stream, since it is
// only taken when the store has all that stands before them there; the follower
// passes over what the store has when it comes.
type localApply struct {
	mu    sync.Mutex   // one event after another
	store *store.Store // nil unless it follows the stream
	// observe gets each event that the store has applied; it may be nil.
	observe func(seq uint64, e *store.Event)
}

// Observe has a function told of each event that the store applies while it
// follows the stream, in order, right after that; not of those that a replay
// brings. It must return soon, and not change the event. Observe is called
// before Follow.
func (b *Bus) Observe(observe func(seq uint64, e *store.Event)) {
	b.localApply.mu.Lock()
	defer b.localApply.mu.Unlock()
	b.localApply.observe = observe
}

// tell tells the observer of an event that a store has applied. The lock is
// held.
func (s *localApply) tell(st *store.Store, seq uint64, e *store.Event) {
	if s.observe != nil && st == s.store {
		s.observe(seq, e)
	}
}

// open sets the store to which events may be applied locally, one that follows the
// stream; nil forbids it.
func (s *localApply) open(st *store.Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store = st
}

// apply applies events that have landed behind a sequence, one after the other.
// It returns false if that is left to the follower.
func (s *localApply) apply(after uint64, events []store.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store == nil {
		return false
	}
	has := s.store.Sequence()
	if has < after {
		return false // others stand before them
	}
	for i, e := range events {
		if seq := after + 1 + uint64(i); seq > has { // the first ones may have come already
			s.store.Apply(seq, e)
			s.tell(s.store, seq, &events[i])
		}
	}
	return true
}
