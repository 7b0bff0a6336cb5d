package history

import (
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
type world struct {
	versions []version
	at       [Gateways]int // the oldest version that the gateway may show
}

type version struct {
	index int // of the change that made it, -1 for the beginning
	state State
}

// model returns the specification of one group. A gateway's view is a place in
// the order of changes; of several places that explain a read the first one is
// taken, since all that is possible from a later place is possible from it.
func model(operations []Operation, r rules) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return &world{versions: []version{{index: -1}}} },
		Step: func(state, input, _ any) (bool, any) {
			w, s := state.(*world), input.(step)
			o := operations[s.index]
			switch s.kind {
			case stepChange:
				return true, w.change(s.index, o)
			case stepAccepted:
				return true, w.accepted(s.gateway, s.index)
			case stepLast:
				return true, w.move(s.gateway, len(w.versions)-1)
			}
			from := 0
			if r.forwards {
				from = w.at[s.gateway]
			}
			for place, v := range w.versions[from:] {
				if v.state != o.State {
					continue
				}
				if !r.forwards {
					return true, w
				}
				return true, w.move(s.gateway, from+place)
			}
			return false, w
		},
		Equal: func(a, b any) bool {
			v, w := a.(*world), b.(*world)
			return v == w || v.at == w.at && slices.Equal(v.versions, w.versions)
		},
		Hash: func(state any) uint64 {
			w := state.(*world)
			hash := uint64(len(w.versions))
			for _, at := range w.at {
				hash = hash*31 + uint64(at)
			}
			for _, v := range w.versions {
				hash = hash*31 + uint64(v.index)
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
			return fmt.Sprintf("%v, gateways at %v of %d", w.versions[len(w.versions)-1].state, w.at, len(w.versions))
		},
	}
}

func (w *world) change(index int, o Operation) *world {
	next := &world{at: w.at, versions: make([]version, len(w.versions), len(w.versions)+1)}
	copy(next.versions, w.versions)
	next.versions = append(next.versions, version{index, o.apply(w.versions[len(w.versions)-1].state)})
	return next
}

// accepted moves a gateway's view to a change. One that is not there any more is
// behind all views already.
func (w *world) accepted(gateway, index int) *world {
	place := slices.IndexFunc(w.versions, func(v version) bool { return v.index == index })
	return w.move(gateway, place)
}

// move moves a gateway's view forwards, and forgets what no gateway may show.
func (w *world) move(gateway, place int) *world {
	if place <= w.at[gateway] {
		return w
	}
	next := &world{at: w.at}
	next.at[gateway] = place
	oldest := slices.Min(next.at[:])
	for i := range next.at {
		next.at[i] -= oldest
	}
	next.versions = w.versions[oldest:]
	return next
}
