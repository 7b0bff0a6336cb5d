package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
)

const crashJob = "crash"

// crashFamilies are the families that operations push, in any selection.
var crashFamilies = []string{"crash_a", "crash_b", "crash_c", "crash_d"}

// groupState is a plain model of a group: the value of each family. nil is a group that
// does not exist; a group without families exists.
type groupState map[string]int64

// operation is one push or delete of one group.
type operation struct {
	group    int
	method   string
	families []string
	value    int64
}

// body is the pushed text.
func (o operation) body() string {
	var b strings.Builder
	for _, family := range o.families {
		fmt.Fprintf(&b, "# TYPE %s gauge\n%s %d\n", family, family, o.value)
	}
	return b.String()
}

// apply returns the state after the operation.
func (o operation) apply(state groupState) groupState {
	next := groupState{}
	switch o.method {
	case http.MethodDelete:
		return nil
	case http.MethodPost:
		maps.Copy(next, state)
	}
	for _, family := range o.families {
		next[family] = o.value
	}
	return next
}

// A crashWorker is the only one that changes its groups. It does so one operation after
// another, so it knows their state.
type crashWorker struct {
	number  int
	chance  *rand.Rand
	groups  []groupState // as acknowledged
	pending *operation   // sent, and cut off before the verdict
	touched []bool       // since the last restart
	value   int64        // of the last operation

	acknowledged, unanswered int
	history                  []string // for people, if something is lost
}

func newCrashWorker(number int, chance *rand.Rand) *crashWorker {
	return &crashWorker{number: number, chance: chance, groups: make([]groupState, groupsPerHand), touched: make([]bool, groupsPerHand)}
}

func (w *crashWorker) instance(group int) string { return fmt.Sprintf("w%dg%d", w.number, group) }

// work sends operations until one gets no verdict.
func (w *crashWorker) work(via transport) {
	clear(w.touched)
	for w.pending == nil {
		o := w.next()
		w.touched[o.group] = true
		v, err := via.send(o.method, keyOf(crashJob, w.instance(o.group)), o.body())
		w.history = append(w.history, fmt.Sprintf("%s %s %v = %d: %d %s %v", w.instance(o.group), o.method, o.families, o.value, v.Code, v.Error, err))
		switch {
		case err != nil || v.Code/100 != 2: // a refusal while it dies says nothing either
			w.pending = &o
			w.unanswered++
		default:
			w.groups[o.group] = o.apply(w.groups[o.group])
			w.acknowledged++
		}
	}
}

// next returns a random operation: mostly a push of some families, now and then of
// none.
func (w *crashWorker) next() operation {
	w.value++
	o := operation{group: w.chance.IntN(len(w.groups)), value: w.value, method: http.MethodPut}
	switch n := w.chance.IntN(10); {
	case n < 2:
		o.method = http.MethodDelete
		return o
	case n < 6:
		o.method = http.MethodPost
	}
	for _, family := range crashFamilies {
		if w.chance.IntN(2) == 0 {
			o.families = append(o.families, family)
		}
	}
	return o
}

// resolve reports whether a group may look like this, and takes it over as its
// state where the crash had left that open.
func (w *crashWorker) resolve(group int, shown groupState) bool {
	if sameState(shown, w.groups[group]) {
		return true
	}
	if w.pending == nil || w.pending.group != group || !sameState(shown, w.pending.apply(w.groups[group])) {
		return false
	}
	w.groups[group] = shown
	return true
}

func sameState(a, b groupState) bool {
	return (a == nil) == (b == nil) && maps.Equal(a, b)
}
