package ingest

import (
	"errors"
	"testing"

	"sluice/store"
)

// On a full stream pushes are refused, and the deletes between them are judged again,
// by themselves.
func TestOnlyPushesAreRefusedByAFullStream(t *testing.T) {
	f := func(removalsGoOn bool, landed int, want string, ops ...store.Op) {
		t.Helper()
		c := NewCommitter(nil, nil, CommitterConfig{MaxWaiting: len(ops)}, nil, NewMetrics(nil))
		full := refuse(CodeFull, "the stream is full")
		got := make([]byte, len(ops))
		var a attempt
		index := map[*pending]int{}
		for i, op := range ops {
			p := &pending{Change: Change{Op: op}, done: func(err error) {
				got[i] = '+'
				if errors.Is(err, full) {
					got[i] = '-'
				}
			}}
			c.slots <- struct{}{}
			index[p] = i
			a.owners, a.events = append(a.owners, p), append(a.events, store.Event{Op: op})
		}
		r := result{landed: landed, offender: -1, refusal: full, removalsGoOn: hasBoth(a.events[landed:])}
		if r.removalsGoOn != removalsGoOn {
			t.Errorf("%v: removals go on: %v", ops, r.removalsGoOn)
		}
		for _, p := range c.conclude(a, r) {
			got[index[p]] = '?'
		}
		if string(got) != want {
			t.Errorf("%v: %s, want %s", ops, got, want)
		}
	}
	f(true, 0, "-?-??", store.OpPut, store.OpDelete, store.OpPost, store.OpExpire, store.OpWipe)
	f(true, 1, "+-?", store.OpPut, store.OpFail, store.OpDelete)
	f(false, 1, "+-", store.OpDelete, store.OpPut)
	f(false, 0, "--", store.OpDelete, store.OpDelete) // not even they
	f(false, 0, "--", store.OpPut, store.OpPost)
}
