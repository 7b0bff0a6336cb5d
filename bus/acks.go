package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// ackPatience is how long an answer may be later than the one before it until
	// the stream is asked what has become of the events. It is longer than an fsync
	// takes on a busy disk.
	ackPatience = time.Second
	// maxUnanswered bounds the messages whose answers are missing. Each try adds
	// maxChunk at most, and one that is not answered takes ackPatience.
	maxUnanswered = 64 * maxChunk
)

// publisher publishes messages, and gets the stream's answers to them.
type publisher struct{ js jetstream.JetStream }

// newPublisher returns one that forgets messages without an answer after a time.
func newPublisher(nc *nats.Conn, forget time.Duration) (*publisher, error) {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncTimeout(forget), jetstream.WithPublishAsyncMaxPending(maxUnanswered))
	if err != nil {
		return nil, err
	}
	return &publisher{js: js}, nil
}

// once keeps the library from publishing a message again by itself: whether that helps is
// for publishUntilKnown to say.
var once = jetstream.WithRetryAttempts(0)

// publish sends a message, and returns what will have the answer.
func (p *publisher) publish(m *nats.Msg) (jetstream.PubAckFuture, error) {
	return p.js.PublishMsgAsync(m, once)
}

// answer is what the stream says about one message.
type answer struct {
	known  bool // else nobody has answered, or nobody could
	seq    uint64
	refuse *jetstream.APIError // nil if the message is in the stream
}

// await returns the answers to messages that were published one after the other, once
// they are all there, or no more come: the connection is lost, the stream is silent for
// ackPatience, or ctx ends.
func await(ctx context.Context, published []jetstream.PubAckFuture, lost <-chan struct{}) []answer {
	answers := make([]answer, len(published))
	silent := time.NewTimer(ackPatience)
	defer silent.Stop()
	for i, p := range published {
		select {
		case ack := <-p.Ok():
			answers[i] = answer{known: true, seq: ack.Sequence}
			silent.Reset(ackPatience)
			continue
		case err := <-p.Err():
			// Nobody being there to answer, or nonsense, is no knowledge.
			if errors.As(err, &answers[i].refuse) {
				answers[i].known = true
			}
			silent.Reset(ackPatience)
			continue
		case <-silent.C:
		case <-lost:
		case <-ctx.Done():
		}
		break
	}
	return answers
}

// String describes an answer for logs.
func (w answer) String() string {
	switch {
	case !w.known:
		return "no answer"
	case w.refuse != nil:
		return fmt.Sprintf("refused with code %d: %s", w.refuse.ErrorCode, w.refuse.Description)
	}
	return "landed at " + strconv.FormatUint(w.seq, 10)
}
