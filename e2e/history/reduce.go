package history

import (
	"cmp"
	"math"
	"slices"

	"github.com/anishathalye/porcupine"
)

// reduce turns the history of a group into the steps of the model. Each operation
// without an end doubles what has to be tried. So reduce leaves out what cannot make a
// difference, and gives an end to operations that are known to have happened:
//
//   - A push of unknown outcome that was read has ended before the first read of it
//     did. One that was never read is left out: no read came between it and the change
//     that replaced it, or its value would have been read. Deletes of unknown outcome
//     have no value, so they stay.
//   - A push that was read comes after what its gateway showed before: see notBefore.
//   - A read that repeats one of the same gateway is left out if the gateway promised
//     nothing in between: see distinctReads.
func reduce(operations []Operation, r rules) []porcupine.Operation {
	// A tick has four moments, so that what follows from a return comes after it and
	// before all else.
	const moments = 4
	var steps []porcupine.Operation
	add := func(s step, call, end int64) {
		steps = append(steps, porcupine.Operation{Input: s, Call: call, Return: end, ClientId: len(steps)})
	}
	seen := firstReads(operations)
	kept := distinctReads(operations)
	var later map[int64]int64
	if r.forwards {
		later = notBefore(operations)
	}
	for i, o := range operations {
		switch {
		case o.Kind == Read:
			if kept[i] {
				add(step{stepRead, i, o.Gateway}, moments*o.Call, moments*o.Return)
			}
		case o.Kind == Start:
			if r.started {
				add(step{stepLast, i, o.Gateway}, moments*o.Return+1, moments*o.Return+1)
			}
		case o.Kind == End:
			for gateway := range Gateways {
				if r.ended {
					add(step{stepLast, i, gateway}, moments*o.Return+1, moments*o.Return+1)
				}
			}
		case o.Outcome == Accepted:
			add(step{stepChange, i, o.Gateway}, moments*min(o.Return, max(o.Call, later[o.State[0]])), moments*o.Return)
			if r.accepted && o.Gateway != Nobody {
				add(step{stepAccepted, i, o.Gateway}, moments*o.Return+1, moments*o.Return+1)
			}
		case o.Outcome == Unknown && o.Kind == Delete:
			add(step{stepChange, i, Nobody}, moments*o.Call, math.MaxInt64)
		case o.Outcome == Unknown:
			if end, wasSeen := seen[o.State[0]]; wasSeen {
				add(step{stepChange, i, Nobody}, moments*min(end, max(o.Call, later[o.State[0]])), moments*end)
			}
		}
	}
	return steps
}

// firstReads returns for each value the first return of a read that shows it.
func firstReads(operations []Operation) map[int64]int64 {
	seen := map[int64]int64{}
	for _, o := range operations {
		if o.Kind != Read {
			continue
		}
		for _, value := range o.State {
			if at, known := seen[value]; value != 0 && (!known || o.Return < at) {
				seen[value] = o.Return
			}
		}
	}
	return seen
}

// notBefore returns, for values that were read, a tick after which their pushes come,
// where that is later than their calls. If a gateway has shown a put and then shows
// another one, the other one comes after the call of the first, and so do posts after
// it. Without this, many pushes that have waited at one gateway for a long time would be
// tried at each moment of that time.
func notBefore(operations []Operation) map[int64]int64 {
	calls := map[int64]int64{} // of puts, by value
	for _, o := range operations {
		if o.Kind == Put {
			calls[o.State[1]] = o.Call
		}
	}
	later := map[int64]int64{}
	var reads []Operation
	for gateway := range Gateways {
		began := len(reads)
		for _, o := range operations {
			if o.Kind == Read && o.Gateway == gateway {
				reads = append(reads, o)
			}
		}
		called := reads[began:]
		ended := slices.Clone(called)
		slices.SortFunc(called, func(a, b Operation) int { return cmp.Compare(a.Call, b.Call) })
		slices.SortFunc(ended, func(a, b Operation) int { return cmp.Compare(a.Return, b.Return) })
		var past latest[int64]
		for _, o := range called {
			for len(ended) > 0 && ended[0].Return < o.Call {
				if put := ended[0].State[1]; put != 0 {
					past.add(put, calls[put])
				}
				ended = ended[1:]
			}
			for _, value := range o.State {
				if value != 0 {
					later[value] = max(later[value], past.not(o.State[1]))
				}
			}
		}
	}
	for _, o := range reads {
		for _, value := range o.State {
			if put := o.State[1]; put != 0 && value != 0 {
				later[value] = max(later[value], later[put], calls[put])
			}
		}
	}
	return later
}

// distinctReads returns which reads matter, by index. A read does not matter if an
// earlier one that does has shown the same state of the same gateway and had ended, and
// if from the call of that one to its own the gateway accepted nothing, was not started,
// and gave no other answer to anybody. Then the gateway's view may be where it was.
func distinctReads(operations []Operation) []bool {
	kept := make([]bool, len(operations))
	for gateway := range Gateways {
		var reads []int
		var promises []int64
		for i, o := range operations {
			switch {
			case o.Kind == Read && o.Gateway == gateway:
				reads = append(reads, i)
			case o.Kind == End, o.Kind == Start && o.Gateway == gateway, o.isChange() && o.Outcome == Accepted && o.Gateway == gateway:
				promises = append(promises, o.Return)
			}
		}
		slices.SortFunc(reads, func(a, b int) int { return cmp.Compare(operations[a].Call, operations[b].Call) })
		slices.Sort(promises)
		last := -1 // the last one kept
		var returns latest[State]
		for _, i := range reads {
			o := operations[i]
			if last >= 0 {
				l := operations[last]
				promise, _ := slices.BinarySearch(promises, l.Call)
				repeats := l.State == o.State && l.Return < o.Call && returns.not(o.State) < l.Call &&
					(promise == len(promises) || promises[promise] > o.Call)
				kept[i] = !repeats
			} else {
				kept[i] = true
			}
			if kept[i] {
				last = i
			}
			returns.add(o.State, o.Return)
		}
	}
	return kept
}

// latest holds the latest tick of all, with its key, and the latest tick of any other
// key.
type latest[K comparable] struct {
	key           K
	first, second int64
}

func (l *latest[K]) add(key K, tick int64) {
	switch {
	case key == l.key:
		l.first = max(l.first, tick)
	case tick > l.first:
		l.key, l.first, l.second = key, tick, l.first
	default:
		l.second = max(l.second, tick)
	}
}

// not returns the latest tick of all other keys.
func (l *latest[K]) not(key K) int64 {
	if key == l.key {
		return l.second
	}
	return l.first
}
