package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"

	"sluice/bus/embed"
	"sluice/bus/event"
	"sluice/store"
)

const (
	// maxChunk and maxChunkBytes bound what is published at once: an atomic
	// batch takes 1,000 messages, and a stream that has more than 10,000
	// messages or 128 MiB waiting drops what comes.
	maxChunk      = 1000
	maxChunkBytes = 32 << 20
)

// appender appends events to the stream.
type appender struct {
	*stream
	setup      *setup
	acks       *acks
	codec      *event.Codec
	inFlight   *inFlight
	localApply *localApply
	fairness   *fairness
	instance   string

	mu       sync.Mutex // one append at a time
	messages uint64     // ids used; guarded by mu
}

// Append puts events into the stream right behind the sequence after, one behind
// the other. It blocks until the stream has said what became of them, ctx ends,
// or Config.PublishTimeout is over; calls exclude one another.
//
// A nil error means that all have landed. With an error, seqs are those of the
// first events, which have landed; the others have not. They never will if the
// error is ErrConflict, ErrStreamFull or ErrTooLarge, and may still if it is
// ErrUnavailable. No event lands twice. After a lost acknowledgement it is Follow that
// sees what has landed, so without it the result is ErrUnavailable.
func (b *Bus) Append(ctx context.Context, after uint64, events []store.Event) (seqs []uint64, err error) {
	return b.appender.append(ctx, after, events)
}

func (a *appender) append(ctx context.Context, after uint64, events []store.Event) (seqs []uint64, err error) {
	ctx, cancel := a.bounded(ctx, a.cfg.PublishTimeout)
	defer cancel()
	ctx, done, err := a.throughGate(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.life.Err() != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ErrClosed)
	}
	if ctx.Err() != nil { // nothing has been sent
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
	messages, err := a.encodeAll(events)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(messages))
	for i, m := range messages {
		ids[i] = m.Header[headerMsgID][0]
	}
	events = compactAll(events)
	a.inFlight.add(ids, events)
	defer func() { a.inFlight.drop(ids[len(seqs):]) }()
	a.counters.batches.Add(1)
	a.metrics.batchEvents.Observe(float64(len(events)))
	seqs = make([]uint64, 0, len(events))
	for len(messages) > 0 && err == nil {
		n := chunkLen(messages)
		if a.clustered() {
			n = atomicLen(messages[:n])
		}
		c := &chunk{after: after, messages: messages[:n]}
		if err = a.checkDisk(c.messages); err == nil {
			err = a.appendChunk(ctx, c)
		}
		for range c.landed {
			after++
			seqs = append(seqs, after)
		}
		a.progress.know(after)
		messages = messages[c.landed:]
	}
	lost := errors.Is(err, ErrConflict)
	if lost {
		a.counters.conflicts.Add(1)
	}
	a.took(lost)
	if n := len(seqs); n > 0 && a.localApply.apply(seqs[0]-1, events[:n]) {
		a.progress.advance(seqs[n-1])
	}
	return seqs, err
}

// throughGate waits until the stream is not being restored any more. What it returns ends
// when the stream has to be restored again. It fails if it has waited, since the events
// were judged against what was there before.
func (a *appender) throughGate(ctx context.Context) (context.Context, func(), error) {
	period, waited, err := a.gate.pass(ctx)
	switch {
	case err != nil:
		why, _, _ := a.gate.state()
		return nil, nil, fmt.Errorf("%w: it was changed from outside and is being restored: %s: %w", ErrUnavailable, why, err)
	case waited:
		return nil, nil, fmt.Errorf("%w: it has been restored", ErrConflict)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(period, func() { cancel(errRestoring) })
	return ctx, func() { stop(); cancel(nil) }, nil
}

// appendChunk appends one chunk, and makes room in a full stream for what
// removes more than it brings: deletes, wipes and expiries.
func (a *appender) appendChunk(ctx context.Context, c *chunk) error {
	err := a.publishUntilKnown(ctx, c)
	if errors.Is(err, ErrStreamFull) && a.cfg.MaxBytes > 0 && c.messages[c.landed].Header[event.HeaderRollup] != nil {
		return a.withRoom(ctx, func() error {
			rest := &chunk{after: c.next(), messages: c.messages[c.landed : c.landed+1]}
			err := a.publishUntilKnown(ctx, rest)
			c.landed += rest.landed
			return err
		})
	}
	return err
}

// chunk is a part of a batch.
type chunk struct {
	after    uint64
	messages []*nats.Msg
	landed   int // of the first messages is known that they have landed
}

// next is the sequence right behind which the next message belongs.
func (c *chunk) next() uint64 { return c.after + uint64(c.landed) }

// chunkLen returns how many of the messages are published at once.
func chunkLen(messages []*nats.Msg) int {
	bytes := 0
	for i, m := range messages[:min(len(messages), maxChunk)] {
		if bytes += len(m.Data); i > 0 && bytes > maxChunkBytes {
			return i
		}
	}
	return min(len(messages), maxChunk)
}

// encodeAll makes the messages, each with an id of its own.
func (a *appender) encodeAll(events []store.Event) ([]*nats.Msg, error) {
	messages := make([]*nats.Msg, len(events))
	for i, e := range events {
		m, err := a.encode(i, e)
		if err != nil {
			return nil, err
		}
		a.messages++
		m.Header[headerMsgID] = []string{a.instance + "." + strconv.FormatUint(a.messages, 10)}
		messages[i] = m
	}
	return messages, nil
}

// encode makes the message of the event at an index of what is to be appended. If the
// stream does not take it, the error is a *TooLargeError.
func (a *appender) encode(index int, e store.Event) (*nats.Msg, error) {
	m, err := a.codec.Encode(e)
	if err != nil {
		return nil, err
	}
	limit := min(int(a.nc.MaxPayload()), embed.MaxPayloadLimit)
	total, headers := event.Size(m)
	if total+roomForAppend > limit {
		return nil, &TooLargeError{Index: index, Size: total + roomForAppend, Limit: limit, Setting: a.payloadSetting(limit)}
	}
	if headers+roomForAppend > maxHeaderBytes {
		return nil, &TooLargeError{Index: index, Size: headers + roomForAppend, Limit: maxHeaderBytes}
	}
	return m, nil
}

// payloadSetting names what sets the limit on events: the server's configuration, or the
// flag from which the embedded server's limit is computed.
func (a *appender) payloadSetting(limit int) string {
	switch {
	case limit >= embed.MaxPayloadLimit:
		return ""
	case a.embedded == nil:
		return "max_payload of the NATS server"
	case a.embedded.Config().MaxPayload != limit:
		return "max_payload in --bus.config"
	default:
		return "--push.max-bytes"
	}
}

// Fits tells whether the stream takes an event of this size, for those who need
// to know it before they append the first of many. Its error is a
// *TooLargeError, or says why the event cannot be encoded.
func (b *Bus) Fits(e store.Event) error {
	_, err := b.appender.encode(0, e)
	return err
}

// publishUntilKnown publishes a chunk until it is known what has become of it.
func (a *appender) publishUntilKnown(ctx context.Context, c *chunk) error {
	ids := make([]string, len(c.messages))
	for i, m := range c.messages {
		ids[i] = m.Header[headerMsgID][0]
	}
	a.progress.watch(c.after, ids, c.messages[0].Subject)
	publish := a.publishChain
	if a.wantsAtomic(c) {
		publish = a.publishAtomic
	}
	for first := true; ; first = false {
		settled, err := publish(ctx, c, first)
		// In a cluster a refusal may be that of a server which leads the stream no
		// more and does not know, while the leader has accepted the same message.
		if settled && !(errors.Is(err, ErrConflict) && a.clustered()) {
			return err
		}
		if settled, err = a.resolve(ctx, c); settled {
			return err
		}
		if !a.clustered() {
			publish = a.publishChain
		}
		pause(ctx, askAgain)
	}
}

// publishChain publishes what has not landed yet as a chain: the first message
// says behind which sequence it belongs, each further one behind which message.
// So whatever gets in between breaks it, and all that follows is refused. It
// returns whether it is settled what becomes of the chunk.
//
// In a second try a refusal does not settle it: the message may be there from
// the first.
func (a *appender) publishChain(ctx context.Context, c *chunk, first bool) (settled bool, err error) {
	rest := c.messages[c.landed:]
	connected, lost := a.link.state()
	if !connected {
		return false, nil
	}
	a.acks.begin(len(rest))
	for i, m := range rest {
		delete(m.Header, headerBatchID)
		delete(m.Header, headerBatchSeq)
		delete(m.Header, headerBatchCommit)
		delete(m.Header, headerExpectedSeq)
		delete(m.Header, headerExpectedID)
		if i == 0 {
			m.Header[headerExpectedSeq] = []string{strconv.FormatUint(c.next(), 10)}
		} else {
			m.Header[headerExpectedID] = rest[i-1].Header[headerMsgID]
		}
		m.Reply = a.acks.reply(i)
		if err := a.nc.PublishMsg(m); err != nil {
			if errors.Is(err, nats.ErrMaxPayload) {
				return true, fmt.Errorf("%w: %w", ErrUnavailable, err) // the server has changed its mind
			}
			break // the answers will be missing
		}
	}
	answers := a.acks.wait(ctx, lost)
	before := c.landed
	// What landed last takes all before it with it, answered or not.
	for i, got := range slices.Backward(answers) {
		if got.known && got.refuse == nil && got.seq == c.after+uint64(before+i)+1 {
			c.landed = before + i + 1
			break
		}
	}
	if c.landed == len(c.messages) {
		return true, nil
	}
	got := answers[c.landed-before]
	if !got.known || got.refuse == nil {
		return false, nil
	}
	err = refusal(got.refuse)
	if err == nil {
		a.limited.Warn("the stream refused an event", "sequence", c.next()+1, "answer", got.String())
	}
	return err != nil && (first || !errors.Is(err, ErrConflict)), err
}
