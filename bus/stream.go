package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/bus/embed"
	"sluice/bus/limitlog"
)

// stream is what all parts of the bus share: the connection to the stream, and what is
// known of it. Its methods ask, and change nothing.
type stream struct {
	cfg     Config
	logger  *slog.Logger
	limited *limitlog.Logger // for what others may cause
	metrics *metrics

	embedded *embed.Server // nil with an external server
	nc       *nats.Conn
	ncClosed chan struct{} // closed once the connection is gone for good
	js       jetstream.JetStream

	link     *link
	quorum   *quorum
	progress *progress
	nudges   chan uint64 // from CatchUp: sequences that may be holes
	looks    chan look   // from watchStream, for the follower
	gate     gate        // of what is appended
	counters counters
	size     size

	life context.Context // ends with Close
}

func newStream(cfg Config, logger *slog.Logger) *stream {
	return &stream{
		cfg: cfg, logger: logger, limited: limitlog.New(logger), ncClosed: make(chan struct{}),
		link: newLink(), quorum: newQuorum(cfg), progress: &progress{}, nudges: make(chan uint64, 1), looks: make(chan look, 1),
	}
}

// askAgain is the wait until a stream that does not answer, or does so in an
// unknown way, is tried again.
const askAgain = 50 * time.Millisecond

// askPatience is how long one question to the stream may take. A new leader
// does not hear what was asked before it was elected.
const askPatience = time.Second

// patience is how long one request may take that is made again if it fails.
func (s *stream) patience() time.Duration {
	if s.quorum.watched {
		return askPatience
	}
	return s.cfg.ConnectTimeout
}

// know notes what the stream says of itself.
func (s *stream) know(info *jetstream.StreamInfo) {
	s.progress.know(info.State.LastSeq)
	s.size.know(info)
	s.metrics.bytes.Set(float64(info.State.Bytes))
	s.metrics.copies.Set(float64(info.Config.Replicas))
	s.metrics.copiesCurrent.Set(float64(currentCopies(info)))
	s.quorum.answered(info.State.LastSeq)
}

// streamInfo asks for the stream's state now. It waits for askPatience at most:
// while the stream has no leader, nobody hears the question.
func (s *stream) streamInfo(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	found, err := s.js.Stream(ctx, streamName(s.cfg.Prefix))
	if err != nil {
		return nil, err
	}
	info := found.CachedInfo()
	if leaderless(info) {
		return nil, errNoLeader
	}
	s.know(info)
	return info, nil
}

// askLast asks for the last sequence of the stream until it is told.
func (s *stream) askLast(ctx context.Context) (uint64, error) {
	for {
		info, err := s.streamInfo(ctx)
		if err == nil {
			return info.State.LastSeq, nil
		}
		if !unanswered(err) && ctx.Err() == nil {
			s.limited.Warn("cannot ask for the last sequence of the stream", "err", err)
		}
		if !pause(ctx, askAgain) {
			return 0, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// errNoLeader says that what a server tells of the stream may be out of date.
var errNoLeader = errors.New("it has no leader")

// leaderless tells whether the answer is that of a server which used to lead the
// stream and is cut off from the others: what it has proves nothing.
func leaderless(info *jetstream.StreamInfo) bool {
	return info.Cluster != nil && info.Cluster.Leader == ""
}

// streamError says in plain words what the server or the client says about a
// stream that cannot be reached.
func streamError(err error) error {
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("the NATS server has no JetStream for this account: %w", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("no JetStream answers there: %w", err)
	}
	return err
}

// unanswered tells whether a question to the stream has failed since nobody was there
// to answer it, or nobody did in time.
func unanswered(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded)
}

// bounded returns a context that also ends after a time, and with Close.
func (s *stream) bounded(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	ctx, cancelCause := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.life, func() { cancelCause(ErrClosed) })
	return ctx, func() {
		stop()
		cancelCause(nil)
		cancel()
	}
}

// pause waits, and returns false if ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
