package ingest

import (
	"container/list"
	"sync"

	"sluice/store"
)

// maxRefusals is of how many groups the last refusal is kept: one that sends
// nonsense to ever new keys must not fill the memory.
const maxRefusals = 1000

// Refusals keeps the last refusal of each group, those of the newest groups. A
// refusal that the group notes as its failure is in the stream as well, and
// known to all gateways; one that cannot be read is known here only, until the
// gateway ends.
type Refusals struct {
	mu     sync.Mutex
	latest *list.List // of store.Refusal, newest first
	byPath map[string]*list.Element
	// observe is told of what leaves no trace in the stream; nil for nobody.
	observe func(store.Refusal)
}

// NewRefusals returns an empty list.
func NewRefusals() *Refusals {
	return &Refusals{latest: list.New(), byPath: map[string]*list.Element{}}
}

// Observe has a function told of each refusal that is not an event of the stream,
// too. It must return soon. It is called before the first refusal.
func (r *Refusals) Observe(observe func(store.Refusal)) { r.observe = observe }

// note keeps a refusal in place of the group's last one.
func (r *Refusals) note(refusal store.Refusal) {
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
