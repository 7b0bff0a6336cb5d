package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sluice/bus/event"
)

// The server treats damage in its files in two ways. A message whose checksum is
// wrong vanishes: the consumer steps over it and says nothing. A block of
// messages that cannot be decompressed stops the consumer for good: it tries the
// same block again and again. So a follower that waits for what the stream says
// it has must ask what the matter is.
//
// In a cluster there is a third reason: the consumer reads a copy of the stream
// that is behind. What it does not have yet is not to be passed over. So there
// the leader is asked, too.

const (
	// stuckAfter is how long the server may keep what it has until it is taken
	// to be stuck. It delivers within a millisecond, and being wrong costs
	// nothing but a new consumer.
	stuckAfter = time.Second
	// subscriptionLate is how long the copy of the stream that a subscription reads may be behind
	// the leader. It is behind for milliseconds, unless its server catches up.
	subscriptionLate = 3 * time.Second
	// maxStride bounds the steps of the search for the end of a damaged part, so
	// that it does not leap over what is readable between two of them. A block
	// is 8 MiB, and seldom has fewer messages.
	maxStride = 64
)

// subscriptionState is what is to be expected from a subscription.
type subscriptionState int

const (
	busy      subscriptionState = iota // more is coming, or it is not known
	exhausted                          // nothing more is there to be read
	stuck                              // more is there, but it does not come
	gone                               // the consumer is not there any more
)

// look asks the server what is to be expected from a subscription that has been quiet.
func (f *follower) look(ctx context.Context, from *subscription) subscriptionState {
	ask, cancel := context.WithTimeout(ctx, f.patience())
	defer cancel()
	before := from.came()
	info, err := from.consumer.Info(ask)
	switch {
	case err != nil && from.came() != before:
		// The answer is behind what comes, on a slow link.
	case err != nil && f.quorum.watched && ctx.Err() == nil:
		// Its server has gone, and nothing reports that. The others are there: one of
		// them has just said that there is more.
		return gone
	case err != nil || info.Delivered.Consumer != f.number:
		// Silence or the link will tell, or something is under way.
	case info.NumPending == 0:
		return exhausted
	case f.stuck.IsZero():
		f.stuck = time.Now()
		return busy
	case time.Since(f.stuck) > stuckAfter:
		return stuck
	default:
		return busy
	}
	f.stuck = time.Time{}
	return busy
}

// stepOver gets the store to a sequence of which the stream has said that it is
// there, even if the messages up to it cannot be read. It returns true if another
// subscription is needed for that.
func (f *follower) stepOver(ctx context.Context, last uint64) (another bool) {
	applied := f.store.Sequence()
	if applied >= last {
		return false
	}
	switch f.look(ctx, f.subscription) {
	case gone:
		return true
	case exhausted:
		if f.quorum.watched && !f.nothingTo(ctx, applied, last) {
			return f.overdue()
		}
		f.late = time.Time{}
		if !f.quorum.watched || f.progress.known() <= last {
			f.hole(applied+1, last)
		} // else it has been replaced by what is on its way
		f.store.Skip(last)
		f.tracker.pass(last)
		f.progress.advance(last)
	case stuck:
		next, err := f.around(ctx, f.subscription, applied, last)
		if err != nil {
			f.limited.Warn("cannot go around the damage of the stream", "err", err)
			return false
		}
		f.subscription = next
	}
	return false
}

// nothingTo tells whether the leader of the stream has no event behind the
// sequence applied up to last. If it does not say so, it may have.
func (s *stream) nothingTo(ctx context.Context, applied, last uint64) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*askPatience)
	defer cancel()
	info, err := s.streamInfo(ctx)
	if err != nil || info.State.LastSeq < last {
		return false // or who answers is not the leader any more
	}
	found, err := s.readableAt(ctx, applied+1)
	return err == nil && (found == 0 || found > last)
}

// overdue tells whether the copy of the stream that a subscription reads has been behind
// for so long that another one is to be tried.
func (f *follower) overdue() bool {
	if f.late.IsZero() {
		f.late = time.Now()
	}
	if time.Since(f.late) < subscriptionLate {
		return false
	}
	f.late = time.Time{}
	return true
}

// hole reports sequences that cannot be read.
func (f *follower) hole(from, to uint64) {
	f.counters.holes.Add(1)
	f.limited.Warn("a part of the stream cannot be read", "from", from, "to", to)
}

// around replaces a subscription that is stuck behind the sequence applied by one that
// begins where the stream can be read again.
func (f *follower) around(ctx context.Context, old *subscription, applied, last uint64) (*subscription, error) {
	f.stuck = time.Time{}
	ctx, cancel := context.WithTimeout(ctx, f.cfg.ConnectTimeout)
	defer cancel()
	from, err := f.readableFrom(ctx, applied+1, last)
	if err != nil {
		return nil, err
	}
	next, err := f.openSubscription(ctx, from)
	if err != nil {
		return nil, err
	}
	f.closeSubscription(old)
	f.number = 0
	if from > applied+1 {
		f.hole(applied+1, from-1)
	}
	return next, nil
}

// readableFrom returns the first sequence at or behind from at which the stream
// can be read, last+1 if there is none up to last.
func (s *stream) readableFrom(ctx context.Context, from, last uint64) (uint64, error) {
	bad, step := from-1, uint64(1)
	for seq := from; seq <= last; seq += step {
		found, err := s.readableAt(ctx, seq)
		if err != nil {
			return 0, err
		}
		if found == 0 {
			bad = seq
			step = min(2*step, maxStride)
			continue
		}
		// The first readable one is between bad and seq.
		for good := seq; ; {
			if bad+1 >= good {
				return good, nil
			}
			middle := (bad + good) / 2
			found, err := s.readableAt(ctx, middle)
			switch {
			case err != nil:
				return 0, err
			case found == 0:
				bad = middle
			default:
				good = middle
			}
		}
	}
	return last + 1, nil
}

// readableAt returns the sequence of the next message at or behind seq, 0 if it
// cannot be read or there is none.
func (s *stream) readableAt(ctx context.Context, seq uint64) (uint64, error) {
	m, err := s.message(ctx, map[string]any{"seq": seq, "next_by_subj": event.Subjects(s.cfg.Prefix)})
	if err != nil {
		return 0, fmt.Errorf("cannot look behind the damage: %w", err)
	}
	return m.Seq, nil
}

// storedMessage is where a message stands in the stream, and since when.
type storedMessage struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
}

// message asks the leader of the stream for a message. What it returns is zero if there is
// none.
func (s *stream) message(ctx context.Context, which map[string]any) (found storedMessage, err error) {
	request, err := json.Marshal(which)
	if err != nil {
		return found, err
	}
	m, err := s.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+streamName(s.cfg.Prefix), request)
	if err != nil {
		return found, err
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message storedMessage       `json:"message"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return found, err
	}
	if e := answer.Error; e != nil && e.ErrorCode != jetstream.JSErrCodeMessageNotFound {
		return found, e
	}
	return answer.Message, nil
}
