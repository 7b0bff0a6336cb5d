package history

import (
	"sync"
	"sync/atomic"
)

// A Recorder records the operations of many clients. Its methods may be called
// concurrently.
type Recorder struct {
	ticks atomic.Int64

	mu         sync.Mutex
	operations []Operation
}

// Tick returns a number larger than all before. A client takes that of the call before it
// sends the request, and that of the return after the answer has come.
func (r *Recorder) Tick() int64 { return r.ticks.Add(1) }

// Add records operations that have ended.
func (r *Recorder) Add(operations ...Operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.operations = append(r.operations, operations...)
}

// All returns what was recorded, in the order of Add.
func (r *Recorder) All() []Operation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.operations[:len(r.operations):len(r.operations)]
}

// Split returns the history of each group. An operation that belongs to all groups is in
// the history of each group that had begun by then.
func Split(operations []Operation) map[string][]Operation {
	groups := map[string][]Operation{}
	begun := map[string]int64{}
	for _, o := range operations {
		if o.Group == "" {
			continue
		}
		groups[o.Group] = append(groups[o.Group], o)
		if at, known := begun[o.Group]; !known || o.Call < at {
			begun[o.Group] = o.Call
		}
	}
	for _, o := range operations {
		if o.Group != "" {
			continue
		}
		for group, at := range begun {
			if at < o.Call {
				groups[group] = append(groups[group], o)
			}
		}
	}
	return groups
}
