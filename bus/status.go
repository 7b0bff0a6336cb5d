package bus

import (
	"sync/atomic"

	"sluice/bus/embed"
)

// Status is how the bus is doing.
type Status struct {
	// Connected tells whether the NATS server is connected and, if there are
	// several, whether the stream has answered within the last seconds.
	Connected bool
	// Waiting says what a gateway waits for that is not Ready, "" for nothing but
	// the replay.
	Waiting string
	// Ready tells whether the store has had, once, all that the stream had. It
	// stays true: while the server is away the store shows what it had.
	Ready bool
	// Replaying tells whether a replay is going on, of which ReplayDone out of
	// ReplayTotal events have been applied. The total is an estimate until
	// Ready: it counts unreadable events, too.
	Replaying               bool
	ReplayDone, ReplayTotal uint64
	// Last is the last sequence of the stream that is known, and Applied the one
	// that the store has.
	Last, Applied uint64
	// Damaged counts events that could not be read, Holes parts of the stream
	// that could not be read, and Missing events that
	// replays did not bring.
	Damaged, Holes, Missing uint64
	// Restoring says what somebody else has done to the stream that is being restored, ""
	// for nothing. Until then nothing is appended.
	Restoring string
	// Interferences counts how often the stream was changed from outside, Restored
	// the events that were written again then, and Unrestored the groups that could
	// not be.
	Interferences, Restored, Unrestored uint64
	// Lost counts the records that the embedded server's files have lost to damage, now
	// or before an earlier start. Damaged has them, too.
	Lost uint64
	// Disk is the room for the embedded server's files. It is zero, which is not
	// short, with an external server.
	Disk embed.Disk
	// Batches counts calls of Append, Conflicts those that lost against another
	// gateway.
	Batches, Conflicts uint64
}

// counters are numbers of Status.
type counters struct {
	damaged, holes, missing, batches, conflicts, interferences, restored, unrestored atomic.Uint64
}

// replaying is the progress of a replay.
type replaying struct {
	on          atomic.Bool
	done, total atomic.Uint64
}

// Status returns how the bus is doing. It does not block.
func (b *Bus) Status() Status {
	connected, _ := b.link.state()
	reached, waiting := b.quorum.state()
	s := Status{
		Connected: connected && reached, Waiting: waiting,
		Replaying:  b.replaying.on.Load(),
		ReplayDone: b.replaying.done.Load(), ReplayTotal: b.replaying.total.Load(),
		Damaged: b.counters.damaged.Load(), Holes: b.counters.holes.Load(), Missing: b.counters.missing.Load(),
		Batches: b.counters.batches.Load(), Conflicts: b.counters.conflicts.Load(),
	}
	s.Interferences, s.Restored, s.Unrestored = b.counters.interferences.Load(), b.counters.restored.Load(), b.counters.unrestored.Load()
	s.Restoring, _, _ = b.gate.state()
	if b.embedded != nil {
		s.Lost = uint64(b.embedded.LostRecords())
		s.Damaged += s.Lost
		s.Disk, _ = b.embedded.Disk() // without an answer there is no limit
	}
	b.progress.mu.Lock()
	defer b.progress.mu.Unlock()
	s.Ready, s.Last, s.Applied = b.progress.ready, b.progress.last, b.progress.applied
	return s
}
