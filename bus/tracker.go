package bus

import (
	"time"

	"github.com/cespare/xxhash/v2"

	"sluice/bus/event"
	"sluice/store"
)

// tombstoneSure is for how long a delete is certainly in the stream: half the time,
// since clocks differ.
const tombstoneSure = event.TombstoneTTL / 2

// position is where a message stands in the stream, and when it came there by the clock of
// the stream, in nanoseconds since 1970.
type position struct {
	seq  uint64
	time int64
}

// after tells whether a message came into the stream later than another one. Sequences
// alone do not say so, since a stream that was made again may have begun anew with them.
func (p position) after(q position) bool {
	return p.time > q.time || p.time == q.time && p.seq > q.seq
}

// tracker notes, of the messages that have made a store what it is, what tells whether the
// stream still has them. It belongs to the goroutine of the follower.
type tracker struct {
	last  position
	upTo  uint64   // the sequence up to which all that can come has come
	whole position // of the last event that removed all groups
	// tombstones are the subjects, hashed, whose last event made no group, and when
	// that came.
	tombstones map[uint64]int64
	// subjects has the last position of each subject, hashed. It is nil unless the stream
	// is being compared with what it had.
	subjects map[uint64]position
}

func newTracker() *tracker { return &tracker{tombstones: map[uint64]int64{}} }

func hashSubject(subject string) uint64 { return xxhash.Sum64String(subject) }

// note takes a message that has come.
func (t *tracker) note(it *item) {
	at := position{it.seq, it.time}
	t.last, t.upTo = at, max(t.upTo, it.seq)
	subject := hashSubject(it.subject)
	if t.subjects != nil {
		t.subjects[subject] = at
	}
	if !it.apply || it.err != nil {
		delete(t.tombstones, subject) // nobody knows how long it stays
		return
	}
	switch it.event.Op {
	case store.OpWipe, store.OpImport:
		t.whole = at
		clear(t.tombstones)
		t.tombstones[subject] = it.time
	case store.OpDelete, store.OpImported:
		t.tombstones[subject] = it.time
		if it.marker {
			delete(t.tombstones, subject) // it stays for a shorter time
		}
	default:
		delete(t.tombstones, subject)
	}
}

// pass notes that nothing comes any more up to a sequence.
func (t *tracker) pass(seq uint64) { t.upTo = max(t.upTo, seq) }

// tombstonesAt returns how many subjects without a group the stream certainly has at a
// time, and forgets the others.
func (t *tracker) tombstonesAt(now time.Time) int {
	oldest := now.Add(-tombstoneSure).UnixNano()
	for subject, came := range t.tombstones {
		if came < oldest {
			delete(t.tombstones, subject)
		}
	}
	return len(t.tombstones)
}
