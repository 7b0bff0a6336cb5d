package history

import (
	"sync"
	"sync/atomic"
)

// A Recorder takes the operations of many clients. It may be used from any
// goroutine.
type Recorder struct {
	ticks atomic.Int64

	mu         sync.Mutex
	operations []Operation
}

// Tick returns a moment later than all before. A call has to be taken before the
// request is sent, and a return after its answer has come.
func (r *Recorder) Tick() int64 { return r.ticks.Add(1) }

// Add takes operations that have ended.
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

// Split returns the history of each group. What is of all groups is in each that
// has begun by then.
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
