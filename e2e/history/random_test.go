package history

import (
	"math"
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"
)

// source is where a random history comes from.
type source interface{ number(below int) int }

type drawn struct{ t *rapid.T }

func (d drawn) number(below int) int { return rapid.IntRange(0, below-1).Draw(d.t, "n") }

// A simulation is a stream with gateways that keep all promises. Changes are applied one
// after the other, gateways follow at any pace, and clients get their answers in time,
// late, or never.
type simulation struct {
	source
	tick     int64
	value    int64
	versions []State
	at       [Gateways]int
	inFlight []flight
	history  []Operation
}

// flight is an operation that has been called and has not returned.
type flight struct {
	operation Operation
	landed    int // the version that it has made or, of a read, seen; -1 before
}

func (s *simulation) next() int64 { s.tick++; return s.tick }

func (s *simulation) run(steps int) {
	s.versions = []State{{}}
	for range steps {
		switch s.number(8) {
		case 0, 1:
			s.call()
		case 2, 3:
			s.land()
		case 4:
			gateway := s.number(Gateways)
			s.at[gateway] += s.number(len(s.versions) - s.at[gateway])
		case 5:
			gateway := s.number(Gateways)
			s.at[gateway] = len(s.versions) - 1
			s.history = append(s.history, start(gateway, s.next()))
		default:
			s.answer()
		}
	}
	for _, f := range s.inFlight {
		if f.operation.isChange() && f.operation.Outcome != Refused {
			s.history = append(s.history, returned(f.operation, Unknown, s.next()))
		}
	}
	for gateway := range Gateways {
		s.at[gateway] = len(s.versions) - 1
	}
	s.history = append(s.history, end(s.next()))
	for gateway := range Gateways {
		s.history = append(s.history, read(gateway, s.versions[s.at[gateway]], s.next(), s.next()))
	}
}

func returned(o Operation, outcome Outcome, at int64) Operation {
	o.Outcome, o.Return = outcome, at
	if outcome == Unknown {
		o.Gateway = Nobody
	}
	return o
}

func (s *simulation) call() {
	if len(s.inFlight) > 4 {
		return
	}
	o := Operation{Group: "g", Gateway: s.number(Gateways), Call: s.next()}
	switch s.number(6) {
	case 0:
		s.value++
		o.Kind, o.State = Put, State{s.value, s.value}
	case 1, 2:
		s.value++
		o.Kind, o.State = Post, State{s.value}
	case 3:
		o.Kind = Delete
	default:
		o.Kind = Read
	}
	if o.Kind == Put || o.Kind == Post {
		for i := 2; i < Families; i++ {
			o.State[i] = int64(s.number(2)) * s.value
		}
	}
	s.inFlight = append(s.inFlight, flight{o, -1})
}

// land applies a change, or lets a read see its gateway's state.
func (s *simulation) land() {
	if len(s.inFlight) == 0 {
		return
	}
	f := &s.inFlight[s.number(len(s.inFlight))]
	switch {
	case f.landed >= 0:
	case f.operation.Kind == Read:
		f.landed = s.at[f.operation.Gateway]
		f.operation.State = s.versions[f.landed]
	default:
		f.landed = len(s.versions)
		s.versions = append(s.versions, f.operation.apply(s.versions[len(s.versions)-1]))
	}
}

// answer ends an operation for its client. A change that has landed is accepted once its
// gateway shows it. Some operations are given up, before they land or after.
func (s *simulation) answer() {
	if len(s.inFlight) == 0 {
		return
	}
	i := s.number(len(s.inFlight))
	f := s.inFlight[i]
	o := f.operation
	switch {
	case o.Kind == Read && f.landed >= 0:
		s.history = append(s.history, returned(o, "", s.next()))
	case o.Kind == Read:
		return
	case f.landed >= 0 && s.number(4) > 0:
		s.at[o.Gateway] = max(s.at[o.Gateway], f.landed)
		s.history = append(s.history, returned(o, Accepted, s.next()))
	case f.landed >= 0:
		s.history = append(s.history, returned(o, Unknown, s.next()))
	case s.number(8) == 0:
		s.history = append(s.history, returned(o, Refused, s.next()))
	default:
		return // it may be given up at the end
	}
	s.inFlight = slices.Delete(s.inFlight, i, i+1)
}

// A history that keeps the promises is never found broken.
func TestCheckKeepsASimulation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := simulation{source: drawn{t}}
		s.run(60)
		if v := Check(s.history, limit); v.Result != Kept {
			t.Fatalf("%s, %s: %s in %v", v.Result, v.Reason, v.Culprit, s.history)
		}
	})
}

// plain is reduce, but leaves nothing out and gives no operation an earlier end.
func plain(operations []Operation) []porcupine.Operation {
	var steps []porcupine.Operation
	add := func(s step, call, end int64) {
		steps = append(steps, porcupine.Operation{Input: s, Call: call, Return: end})
	}
	for i, o := range operations {
		switch {
		case o.Kind == Read:
			add(step{stepRead, i, o.Gateway}, 4*o.Call, 4*o.Return)
		case o.Kind == Start:
			add(step{stepLast, i, o.Gateway}, 4*o.Return+1, 4*o.Return+1)
		case o.Kind == End:
			for gateway := range Gateways {
				add(step{stepLast, i, gateway}, 4*o.Return+1, 4*o.Return+1)
			}
		case o.Outcome == Unknown:
			add(step{stepChange, i, Nobody}, 4*o.Call, math.MaxInt64)
		case o.Outcome == Accepted:
			add(step{stepChange, i, o.Gateway}, 4*o.Call, 4*o.Return)
			if o.Gateway != Nobody {
				add(step{stepAccepted, i, o.Gateway}, 4*o.Return+1, 4*o.Return+1)
			}
		}
	}
	return steps
}

// What reduce leaves out makes no difference, whether the history is kept or was spoilt.
func TestReduceMakesNoDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := simulation{source: drawn{t}}
		s.run(40)
		for range 1 + s.number(4) {
			s.spoil()
		}
		if reason, _ := impossible(s.history); reason != "" {
			return // found without an order
		}
		want := porcupine.CheckOperations(model(s.history, allRules), plain(s.history))
		have := porcupine.CheckOperations(model(s.history, allRules), reduce(s.history, allRules))
		if have != want {
			t.Fatalf("reduced it is kept: %t, in full: %t: %v", have, want, s.history)
		}
	})
}

// spoil makes a read show what another one has shown, or removes a change, or makes one
// accepted whose outcome was unknown.
func (s *simulation) spoil() {
	i, j := s.number(len(s.history)), s.number(len(s.history))
	switch {
	case s.history[i].Kind == Read && s.history[j].Kind == Read:
		s.history[i].State = s.history[j].State
	case s.history[i].Outcome == Accepted && s.history[i].Kind == Delete:
		s.history = slices.Delete(s.history, i, i+1)
	case s.history[i].Outcome == Unknown:
		s.history[i].Outcome, s.history[i].Gateway = Accepted, s.number(Gateways)
	}
}
