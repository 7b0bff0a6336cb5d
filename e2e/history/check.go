package history

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// Result is what Check has found.
type Result string

// The results of a check.
const (
	Kept      Result = "kept"      // all is as promised
	Broken    Result = "broken"    // no order of the changes explains the history
	Undecided Result = "undecided" // not in the given time
)

// A Verdict is what Check says of the history of a group.
type Verdict struct {
	Result Result
	Reason string // why it is broken
	// Culprit is the operation with whose return the history became impossible, or
	// too hard to decide.
	Culprit Operation
	// Prefix is the history up to there. What had not returned is of unknown outcome.
	Prefix []Operation
}

var allRules = rules{accepted: true, started: true, ended: true, forwards: true}

// Check decides whether the history of one group is as promised. Each of the few
// questions that it asks has the time limit; a broken history takes some more of
// them, to say what is broken.
func Check(operations []Operation, limit time.Duration) Verdict {
	if reason, culprit := impossible(operations); reason != "" {
		return Verdict{Broken, reason, culprit, until(operations, culprit.Return)}
	}
	if ask(operations, allRules, limit) == porcupine.Ok {
		return Verdict{Result: Kept}
	}
	// What is broken is so from some moment on, and is decided soonest there.
	culprit, prefix := shortest(operations, limit)
	if ask(prefix, allRules, limit) != porcupine.Illegal {
		return Verdict{Undecided, fmt.Sprintf("not decided within %s", limit), culprit, prefix}
	}
	return Verdict{Broken, reason(prefix, limit), culprit, prefix}
}

func ask(operations []Operation, r rules, limit time.Duration) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(model(operations, r), settle(operations, r), limit)
}

// impossible finds a read of what was not pushed, not accepted, or not pushed yet.
func impossible(operations []Operation) (reason string, culprit Operation) {
	pushed := map[int64]Operation{}
	for _, o := range operations {
		if o.isChange() && o.State[0] != 0 {
			pushed[o.State[0]] = o
		}
	}
	for _, o := range operations {
		if o.Kind != Read {
			continue
		}
		for family, value := range o.State {
			if value == 0 {
				continue
			}
			push, known := pushed[value]
			switch {
			case !known || push.State[family] != value:
				return fmt.Sprintf("nobody has pushed the value %d of family %d", value, family), o
			case push.Outcome == Refused:
				return fmt.Sprintf("the push of value %d was refused", value), o
			case push.Call > o.Return:
				return fmt.Sprintf("the value %d is pushed later", value), o
			}
		}
	}
	return "", Operation{}
}

// until returns the history as it was known at a tick.
func until(operations []Operation, tick int64) []Operation {
	var known []Operation
	for _, o := range operations {
		switch {
		case o.Call > tick, o.Return > tick && !o.isChange():
			continue
		case o.Return > tick:
			// If it was refused in the end that is so, whenever it is known.
			if o.Outcome == Accepted {
				o.Outcome = Unknown
			}
		}
		known = append(known, o)
	}
	return known
}

// shortest returns the operation with whose return a history breaks, or becomes too
// hard, and the history up to there.
func shortest(operations []Operation, limit time.Duration) (Operation, []Operation) {
	byReturn := slices.Clone(operations)
	slices.SortFunc(byReturn, func(a, b Operation) int { return cmp.Compare(a.Return, b.Return) })
	first, _ := slices.BinarySearchFunc(byReturn, 0, func(o Operation, _ int) int {
		if ask(until(operations, o.Return), allRules, limit) != porcupine.Ok {
			return 1
		}
		return -1
	})
	culprit := byReturn[min(first, len(byReturn)-1)]
	return culprit, until(operations, culprit.Return)
}

// reason says which promise is broken: the one without which the history is
// possible.
func reason(operations []Operation, limit time.Duration) string {
	for _, weaker := range []struct {
		rules  rules
		reason string
	}{
		{rules{accepted: true, ended: true, forwards: true}, "a gateway shows less after its start than there was before it"},
		{rules{started: true, ended: true, forwards: true}, "a gateway does not show a change that it has accepted"},
		{rules{forwards: true}, "an accepted change is not there"},
		{rules{}, "a gateway has gone back"},
	} {
		if ask(operations, weaker.rules, limit) == porcupine.Ok {
			return weaker.reason
		}
	}
	return "there is no order of the changes with which this could be shown"
}

// Draw writes a page that shows a history, and how far an order of it was found.
func Draw(w io.Writer, operations []Operation, limit time.Duration) error {
	m := model(operations, allRules)
	_, info := porcupine.CheckOperationsVerbose(m, settle(operations, allRules), limit)
	if err := porcupine.Visualize(m, info, w); err != nil {
		return fmt.Errorf("draw the history: %w", err)
	}
	return nil
}
