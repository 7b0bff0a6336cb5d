package bus

import (
	"context"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"sluice/bus/embed"
	"sluice/bus/event"
)

// atomicFrom is the number of events from which an atomic batch is faster than a
// chain, where each event of a chain is synced by itself. The server stages a
// batch in a store of its own, which costs a few milliseconds whatever the size.
// BenchmarkAppend, events of 2 KB, 2 shared cores, milliseconds a batch:
//
//	events               1     2     4     8    16    32    64   128
//	always, chain      0.5   1.0   1.9   4.3    13    19    17    35
//	always, atomic     4.8   5.5   5.7   7.4   8.5   8.8    12    18
//	interval, chain    0.1   0.2   0.4   0.5   1.0   2.1   3.3   6.2
//	interval, atomic   8.0   7.0   7.6   7.5   8.5    11    12   8.9
const atomicFrom = 16

// clustered tells whether the stream has, or may get, copies on several servers.
// There a chain must not be used: a replicated stream looks at the id of the
// message before only when all copies write the message, takes a wrong one for a
// failed write, and stops for good (nats-server 2.15.2, server/stream.go and
// server/jetstream_cluster.go; TestConflictsDoNotStopTheStream).
func (s *stream) clustered() bool {
	return s.cfg.Server.Cluster.On() || s.nc.ConnectedClusterName() != ""
}

// wantsAtomic tells whether a chunk is published as an atomic batch: in a cluster
// if it has more than one message, else if that is faster. Only of the embedded
// server is it known how it syncs.
func (a *appender) wantsAtomic(c *chunk) bool {
	if a.clustered() {
		return len(c.messages) > 1 // and chunkLen has made it one that is allowed
	}
	if a.embedded == nil || a.cfg.Server.Sync != embed.SyncAlways || len(c.messages) < atomicFrom {
		return false
	}
	return atomicLen(c.messages) == len(c.messages)
}

// atomicLen returns how many of the messages the server takes as one batch:
// rolling up the stream must come first in it, and rolling up a subject before any
// other message of that subject.
func atomicLen(messages []*nats.Msg) int {
	subjects := make(map[string]struct{}, len(messages))
	for i, m := range messages {
		if rollup := m.Header[event.HeaderRollup]; rollup != nil {
			if _, again := subjects[m.Subject]; again || i > 0 && rollup[0] == event.RollupAll {
				return i
			}
		}
		subjects[m.Subject] = struct{}{}
	}
	return len(messages)
}

// publishAtomic publishes a chunk as one batch that lands as a whole or not at
// all. It returns whether it is settled what becomes of the chunk.
func (a *appender) publishAtomic(ctx context.Context, c *chunk, _ bool) (settled bool, err error) {
	connected, lost := a.link.state()
	if !connected {
		return false, nil
	}
	a.acks.begin(1) // for the last message, which commits
	id := []string{nuid.Next()}
	last := len(c.messages) - 1
	for i, m := range c.messages {
		m.Header[headerBatchID] = id
		m.Header[headerBatchSeq] = []string{strconv.Itoa(i + 1)}
		if i == 0 {
			m.Header[headerExpectedSeq] = []string{strconv.FormatUint(c.after, 10)}
		}
		if i == last {
			m.Header[headerBatchCommit] = []string{"1"}
			m.Reply = a.acks.reply(0)
		}
		if a.nc.PublishMsg(m) != nil {
			break // the answer will be missing
		}
	}
	got := a.acks.wait(ctx, lost)[0]
	switch {
	case !got.known:
		return false, nil
	case got.refuse == nil && got.seq == c.after+uint64(len(c.messages)):
		c.landed = len(c.messages)
		return true, nil
	case got.refuse == nil:
		return false, nil
	}
	if err = refusal(got.refuse); err == nil {
		// Such as too many batches at once: the chain does without.
		a.limited.Warn("the stream refused an atomic batch", "events", len(c.messages), "answer", got.String())
	}
	return err != nil, err
}
