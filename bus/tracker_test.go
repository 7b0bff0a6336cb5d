package bus

import (
	"testing"
	"time"

	"sluice/store"
)

func TestTrackerCountsTombstones(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	tr := newTracker()
	f := func(op store.Op, subject string, age time.Duration, want int) {
		t.Helper()
		tr.note(&item{seq: tr.upTo + 1, time: now.Add(-age).UnixNano(), subject: subject, apply: true, event: store.Event{Op: op}})
		if got := tr.tombstonesAt(now); got != want {
			t.Errorf("%s of %s, %s ago: got %d, want %d", op, subject, age, got, want)
		}
	}
	f(store.OpPut, "a", time.Minute, 0)
	f(store.OpDelete, "a", time.Minute, 1)
	f(store.OpDelete, "a", 0, 1)
	f(store.OpDelete, "b", 0, 2)
	f(store.OpPut, "a", 0, 1)
	f(store.OpExpire, "c", 0, 1)
	f(store.OpDelete, "old", tombstoneSure+time.Second, 1)
	f(store.OpWipe, "~wipe", 0, 1)
	f(store.OpImport, "~import", 0, 1)
	f(store.OpImported, "~import", 0, 1)
	tr.note(&item{seq: 100, time: now.UnixNano(), subject: "m", apply: true, marker: true, event: store.Event{Op: store.OpDelete}})
	tr.note(&item{seq: 101, time: now.UnixNano(), subject: "~import"}) // what cannot be read
	if got := tr.tombstonesAt(now); got != 0 {
		t.Errorf("markers and what cannot be read: got %d, want 0", got)
	}
}

func TestPositions(t *testing.T) {
	f := func(p, q position, want bool) {
		t.Helper()
		if got := p.after(q); got != want {
			t.Errorf("%v after %v: got %v, want %v", p, q, got, want)
		}
	}
	f(position{1, 20}, position{9, 10}, true) // a stream that began anew
	f(position{9, 10}, position{1, 20}, false)
	f(position{2, 10}, position{1, 10}, true)
	f(position{1, 10}, position{1, 10}, false)
}
