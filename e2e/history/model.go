package history

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

// rules are the promises that are held against a history. Some are switched off
// to find out which of them is broken.
type rules struct {
	accepted bool // a gateway shows what it has accepted
	started  bool // a gateway shows after its start what was there before
	ended    bool // all show the last change in the end
	forwards bool // a gateway never goes back; without it the others mean nothing
}

// step is what the model is asked about: a change, or that a gateway's view has
// to be somewhere.
type step struct {
	kind    stepKind
	index   int // of the operation: of the change, or of the change that was accepted
	gateway int
}

type stepKind int

const (
	stepChange stepKind = iota
	stepRead
	stepAccepted // from now on the gateway shows the change
	stepLast     // from now on the gateway shows what is the last change now
)

// world is a group as the stream has it: what it was behind each change since the
// oldest that a gateway may still show. It does not change.
//
// Of states that no gateway shows only the last one is kept, since the next change
// may build upon it. So orders of changes that nobody can tell from each other are
// one, and the search does not try them all.
type world struct {
	states []State
	at     [Gateways]int // the oldest state that the gateway may show
	marks  []mark        // by index
}

// mark is where a change is of which it will be said that a gateway shows it.
type mark struct{ index, place int }

// model returns the specification of one group. A gateway's view is a place in
// the order of changes; of several places that explain a read the first one is
// taken, since all that is possible from a later place is possible from it.
func model(operations []Operation, r rules) porcupine.Model {
	shown := map[State]bool{}
	for _, o := range operations {
		if o.Kind == Read {
			shown[o.State] = true
		}
	}
	return porcupine.Model{
		Init: func() any { return &world{states: []State{{}}} },
		Step: func(state, input, _ any) (bool, any) {
			w, s := state.(*world), input.(step)
			o := operations[s.index]
			switch s.kind {
			case stepChange:
				return true, w.change(o, shown, s.index, r.accepted && o.Outcome == Accepted && o.Gateway != Nobody)
			case stepAccepted:
				return true, w.accepted(s.gateway, s.index)
			case stepLast:
				return true, w.move(s.gateway, len(w.states)-1)
			}
			from := 0
			if r.forwards {
				from = w.at[s.gateway]
			}
			place := slices.Index(w.states[from:], o.State)
			if place < 0 || !r.forwards {
				return place >= 0, w
			}
			return true, w.move(s.gateway, from+place)
		},
		Equal: func(a, b any) bool {
			v, w := a.(*world), b.(*world)
			return v == w || v.at == w.at && slices.Equal(v.states, w.states) && slices.Equal(v.marks, w.marks)
		},
		Hash: func(state any) uint64 {
			w := state.(*world)
			hash := uint64(len(w.states))
			for _, at := range w.at {
				hash = hash*31 + uint64(at)
			}
			for _, state := range w.states {
				for _, value := range state {
					hash = hash*31 + uint64(value)
				}
			}
			return hash
		},
		DescribeOperation: func(input, _ any) string {
			s := input.(step)
			switch s.kind {
			case stepAccepted:
				return fmt.Sprintf("gateway %d has accepted %v", s.gateway, operations[s.index].State)
			case stepLast:
				return fmt.Sprintf("gateway %d has to show the last change", s.gateway)
			}
			return operations[s.index].String()
		},
		DescribeState: func(state any) string {
			w := state.(*world)
			return fmt.Sprintf("%v, gateways at %v of %d", w.states[len(w.states)-1], w.at, len(w.states))
		},
	}
}

// change puts a change behind all others.
func (w *world) change(o Operation, shown map[State]bool, index int, marked bool) *world {
	last := len(w.states) - 1
	state := o.apply(w.states[last])
	next := &world{states: w.states, at: w.at, marks: w.marks}
	switch {
	case state == w.states[last]:
	case shown[w.states[last]]:
		next.states = append(slices.Clone(w.states), state)
	default:
		next.states = slices.Clone(w.states)
		next.states[last] = state
	}
	if marked {
		i, _ := slices.BinarySearchFunc(w.marks, index, func(m mark, index int) int { return cmp.Compare(m.index, index) })
		next.marks = slices.Insert(slices.Clone(w.marks), i, mark{index, len(next.states) - 1})
	}
	return next
}

// accepted moves a gateway's view to a change that is marked.
func (w *world) accepted(gateway, index int) *world {
	i := slices.IndexFunc(w.marks, func(m mark) bool { return m.index == index })
	next := *w
	next.marks = slices.Delete(slices.Clone(w.marks), i, i+1)
	return next.move(gateway, w.marks[i].place)
}

// move moves a gateway's view forwards, and forgets what no gateway may show.
func (w *world) move(gateway, place int) *world {
	if place <= w.at[gateway] {
		return w
	}
	next := &world{at: w.at, marks: w.marks}
	next.at[gateway] = place
	oldest := slices.Min(next.at[:])
	for i := range next.at {
		next.at[i] -= oldest
	}
	next.states = w.states[oldest:]
	if oldest > 0 && len(w.marks) > 0 {
		next.marks = slices.Clone(w.marks)
		for i := range next.marks {
			next.marks[i].place = max(0, next.marks[i].place-oldest)
		}
	}
	return next
}
