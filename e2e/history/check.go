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
	Kept      Result = "kept"      // some order of the changes explains the history
	Broken    Result = "broken"    // no order of the changes explains the history
	Undecided Result = "undecided" // neither was found within the time limit
)

// A Verdict is the result of Check on the history of a group.
type Verdict struct {
	Result Result
	Reason string // why it is broken
	// Culprit is the operation at whose return the history became impossible, or too
	// hard to decide.
	Culprit Operation
	// Prefix is the history up to that return. The outcome of operations that had not
	// returned is unknown in it.
	Prefix []Operation
}

var allRules = rules{accepted: true, started: true, ended: true, forwards: true}

// Check decides whether the history of one group is as promised. It searches for an
// order of the changes a few times, each time within the limit. A broken history takes
// more searches than one that is kept: they find out what is broken.
func Check(operations []Operation, limit time.Duration) Verdict {
	if reason, culprit := impossible(operations); reason != "" {
		return Verdict{Broken, reason, culprit, until(operations, culprit.Return)}
	}
	if decide(operations, allRules, limit) == porcupine.Ok {
		return Verdict{Result: Kept}
	}
	// A history that is broken is so from some moment on. Its beginning up to there is
	// the easiest to decide.
	culprit, prefix := shortest(operations, limit)
	if decide(prefix, allRules, limit) != porcupine.Illegal {
		return Verdict{Undecided, fmt.Sprintf("not decided within %s", limit), culprit, prefix}
	}
	return Verdict{Broken, reason(prefix, limit), culprit, prefix}
}

// decide searches for an order of the changes that keeps the rules.
func decide(operations []Operation, r rules, limit time.Duration) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(model(operations, r), reduce(operations, r), limit)
}

// impossible finds a read of a value that was not pushed, or refused, or pushed later.
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
			// A refusal holds from the beginning, whenever the client got to know it.
			if o.Outcome == Accepted {
				o.Outcome = Unknown
			}
		}
		known = append(known, o)
	}
	return known
}

// shortest returns the operation at whose return a history breaks, or becomes too hard to
// decide, and the history up to that return.
func shortest(operations []Operation, limit time.Duration) (Operation, []Operation) {
	byReturn := slices.Clone(operations)
	slices.SortFunc(byReturn, func(a, b Operation) int { return cmp.Compare(a.Return, b.Return) })
	first, _ := slices.BinarySearchFunc(byReturn, 0, func(o Operation, _ int) int {
		if decide(until(operations, o.Return), allRules, limit) != porcupine.Ok {
			return 1
		}
		return -1
	})
	culprit := byReturn[min(first, len(byReturn)-1)]
	return culprit, until(operations, culprit.Return)
}

// reason says which promise is broken: the first without which the history is possible.
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
		if decide(operations, weaker.rules, limit) == porcupine.Ok {
			return weaker.reason
		}
	}
	return "there is no order of the changes with which this could be shown"
}

// Draw writes a page that shows a history, and how far an order of it was found.
func Draw(w io.Writer, operations []Operation, limit time.Duration) error {
	m := model(operations, allRules)
	_, info := porcupine.CheckOperationsVerbose(m, reduce(operations, allRules), limit)
	if err := porcupine.Visualize(m, info, w); err != nil {
		return fmt.Errorf("draw the history: %w", err)
	}
	return nil
}
