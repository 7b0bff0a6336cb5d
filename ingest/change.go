// Package ingest accepts changes over HTTP and NATS, judges them, and answers when
// they are in the stream and in the store.
package ingest

import (
	"context"
	"time"

	"sluice/ingest/decode"
	"sluice/store"
)

// Change is what a client asks for.
type Change struct {
	// Op is store.OpPut, OpPost, OpDelete or OpWipe, or OpExpire to do what is due
	// for a group, if anything.
	Op store.Op
	// Key is the group; the zero Key for OpWipe.
	Key store.Key
	// Families are the pushed families, canonical and sorted by name.
	Families []store.Family
	// Refusal is why a push cannot be accepted, whatever is stored. Then the change
	// only records the failure.
	Refusal error
	// Format is how the body was read. Only texts of refusals depend on it.
	Format decode.Format
	// Time is when the change was received: the push time of the group.
	Time time.Time
	// Expires is when the group expires if the push is accepted, in nanoseconds
	// since 1970; 0 for never.
	Expires int64
	// Origin says for people where the change comes from: "http 192.0.2.1".
	Origin string
}

// size estimates the memory of the change in bytes.
func (c *Change) size() int {
	n := 512
	for i := range c.Families {
		n += len(c.Families[i].Text) + len(c.Families[i].Proto)
	}
	return n
}

// pending is a change on its way to its verdict.
type pending struct {
	Change
	ctx      context.Context // of the client: it ends when the client hangs up
	deadline time.Time       // for the verdict
	done     func(error)     // called once with the verdict; must not block
	bytes    int64           // reserved in the committer's budget
	err      error           // the verdict if the change has no event, or one that records a failure
}
