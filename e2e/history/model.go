package history

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

// rules are the promises that a history must keep. Some are switched off to find out
// which of them is broken.
type rules struct {
	accepted bool // a gateway shows what it has accepted
	started  bool // a gateway shows after its start what was there before
	ended    bool // all show the last change in the end
	forwards bool // a gateway never goes back; without it the others mean nothing
}

// step is an operation of the model: a change, or a condition on the view of a gateway.
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

// world is the state of the model: the states of the group after each change, from the
// oldest that a gateway may still show. It is immutable.
//
// Of states that no gateway shows only the last one is kept, because the next change may
// build upon it. So orders of changes that no read can tell apart are the same, and the
// search does not try them all.
type world struct {
	states []State
	at     [Gateways]int // the oldest state that the gateway may show
	marks  []mark        // by index
}

// mark is the place of a change whose gateway must show it later.
type mark struct{ index, place int }

// model returns the specification of one group. A gateway's view is a place in the order
// of changes. If several places explain a read, the first one is taken, because all that
// is possible from a later place is possible from it, too.
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
		Equal: func(a, b any) bool { return a.(*world).equal(b.(*world)) },
		Hash:  func(state any) uint64 { return state.(*world).hash() },

		DescribeOperation: func(input, _ any) string { return input.(step).describe(operations) },
		DescribeState:     func(state any) string { return state.(*world).describe() },
	}
}

// describe returns a step as a page that draws the history shows it.
func (s step) describe(operations []Operation) string {
	switch s.kind {
	case stepAccepted:
		return fmt.Sprintf("gateway %d has accepted %v", s.gateway, operations[s.index].State)
	case stepLast:
		return fmt.Sprintf("gateway %d has to show the last change", s.gateway)
	}
	return operations[s.index].String()
}

func (w *world) describe() string {
	return fmt.Sprintf("%v, gateways at %v of %d", w.states[len(w.states)-1], w.at, len(w.states))
}

func (w *world) equal(v *world) bool {
	return v == w || v.at == w.at && slices.Equal(v.states, w.states) && slices.Equal(v.marks, w.marks)
}

func (w *world) hash() uint64 {
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
}

// change appends a change.
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

// move moves a gateway's view forwards, and drops states that no gateway may show.
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
