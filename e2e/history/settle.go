package history

import (
	"cmp"
	"math"
	"slices"

	"github.com/anishathalye/porcupine"
)

// settle makes of the history of a group what the model is asked. It leaves out
// what cannot make a difference, and bounds what is known to have happened, since
// each operation without an end doubles what has to be tried:
//
//   - A push of unknown outcome that was read has ended before the first read of
//     it did. One that was never read is left out: wherever it stands, nobody has
//     looked between it and the change that hid it, or its values would have been
//     seen. Deletes of unknown outcome have no value to be seen by, and stay.
//   - A read that repeats one of the same gateway is left out if nothing was
//     promised of the gateway in between: see thin.
func settle(operations []Operation, r rules) []porcupine.Operation {
	// Four moments a tick, so that what follows from a return is behind it and
	// before all else.
	const moments = 4
	var steps []porcupine.Operation
	add := func(s step, call, end int64) {
		steps = append(steps, porcupine.Operation{Input: s, Call: call, Return: end, ClientId: len(steps)})
	}
	seen := firstReads(operations)
	kept := thin(operations)
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
			add(step{stepChange, i, o.Gateway}, moments*o.Call, moments*o.Return)
			if r.accepted && o.Gateway != Nobody {
				add(step{stepAccepted, i, o.Gateway}, moments*o.Return+1, moments*o.Return+1)
			}
		case o.Outcome == Unknown && o.Kind == Delete:
			add(step{stepChange, i, Nobody}, moments*o.Call, math.MaxInt64)
		case o.Outcome == Unknown:
			if end, wasSeen := seen[o.State[0]]; wasSeen {
				add(step{stepChange, i, Nobody}, moments*o.Call, moments*end)
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

// thin returns which reads matter, by index. One does not if an earlier one that
// does has shown the same of the same gateway and had ended, and from the call of
// that one to its own the gateway has accepted nothing, was not started, and was
// not asked by anybody who got another answer: then the gateway's view may be
// where it was.
func thin(operations []Operation) []bool {
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
		var latest latestReturns
		for _, i := range reads {
			o := operations[i]
			if last >= 0 {
				l := operations[last]
				promise, _ := slices.BinarySearch(promises, l.Call)
				repeats := l.State == o.State && l.Return < o.Call && latest.not(o.State) < l.Call &&
					(promise == len(promises) || promises[promise] > o.Call)
				kept[i] = !repeats
			} else {
				kept[i] = true
			}
			if kept[i] {
				last = i
			}
			latest.add(o.State, o.Return)
		}
	}
	return kept
}

// latestReturns has the latest return of reads that showed some state, and the
// latest of those that showed any other.
type latestReturns struct {
	state         State
	first, second int64
}

func (l *latestReturns) add(state State, end int64) {
	switch {
	case state == l.state:
		l.first = max(l.first, end)
	case end > l.first:
		l.state, l.first, l.second = state, end, l.first
	default:
		l.second = max(l.second, end)
	}
}

// not returns the latest return of reads that showed something else.
func (l *latestReturns) not(state State) int64 {
	if state == l.state {
		return l.second
	}
	return l.first
}
