package ingest

import (
	"container/list"
	"sync"

	"sluice/store"
)

// maxRefusals bounds the groups whose last refusal is kept, so that a client which
// invents keys does not fill the memory.
const maxRefusals = 1000

// Refusals keeps the last refusal of the groups that were refused last. If the push
// could be read, its refusal is in the stream as well, and all gateways know it. If
// not, only this gateway knows it, until it ends. Refusals is safe for concurrent
// use.
type Refusals struct {
	mu     sync.Mutex
	latest *list.List // of store.Refusal, newest first
	byPath map[string]*list.Element
	// observe is called with each refusal that is not in the stream; may be nil.
	observe func(store.Refusal)
}

// NewRefusals returns an empty list.
func NewRefusals() *Refusals {
	return &Refusals{latest: list.New(), byPath: map[string]*list.Element{}}
}

// Observe sets a function that is called with each refusal that is not an event of
// the stream. The function must not block. Observe must be called before the first
// refusal.
func (r *Refusals) Observe(observe func(store.Refusal)) { r.observe = observe }

// add keeps a refusal instead of the last one of its group.
func (r *Refusals) add(refusal store.Refusal) {
	path := refusal.Key.Path()
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.byPath[path]; old != nil {
		r.latest.Remove(old)
	} else if len(r.byPath) == maxRefusals {
		oldest := r.latest.Remove(r.latest.Back()).(store.Refusal)
		delete(r.byPath, oldest.Key.Path())
	}
	r.byPath[path] = r.latest.PushFront(refusal)
}

// Latest returns the last refusal of each group, newest first.
func (r *Refusals) Latest() []store.Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]store.Refusal, 0, r.latest.Len())
	for e := r.latest.Front(); e != nil; e = e.Next() {
		all = append(all, e.Value.(store.Refusal))
	}
	return all
}
