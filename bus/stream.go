package bus

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/bus/event"
)

const (
	// historyMarkerTTL replaces event.TombstoneTTL for expiry markers if the stream keeps more
	// than one event of a group: there the server makes the markers' time to
	// live the least that any message has, groups included.
	historyMarkerTTL = time.Minute
	// duplicateWindow is how long the server remembers message ids. Appending
	// does not rely on it, since a link of the chain fits behind its predecessor
	// only, and the ids are memory: 130 MB at 10,000 pushes a second and the
	// default of two minutes, 1 MB with this.
	duplicateWindow = time.Second
)

// streamName is the stream of a prefix.
func streamName(prefix string) string { return strings.ToUpper(prefix) }

// markerTTL is how long the server's expiry markers stay.
func (c Config) markerTTL() time.Duration {
	if c.History > 1 {
		return historyMarkerTTL
	}
	return event.TombstoneTTL
}

// applyTo puts our settings into those of a stream. It leaves alone what is
// none of our business, such as description, placement and republishing.
func (c Config) applyTo(s *jetstream.StreamConfig) {
	s.Name = streamName(c.Prefix)
	s.Subjects = []string{event.Subjects(c.Prefix)}
	s.Retention = jetstream.LimitsPolicy
	s.Storage = jetstream.FileStorage
	s.Compression = jetstream.NoCompression // damage by a crash is smaller: docs/events.md
	if c.Replicas > 0 {
		s.Replicas = c.Replicas
	}
	s.MaxMsgsPerSubject = int64(c.History)
	s.MaxMsgs, s.MaxAge, s.MaxMsgSize = -1, 0, -1
	s.MaxBytes = -1
	if c.MaxBytes > 0 {
		s.MaxBytes = c.MaxBytes
	}
	s.Discard = jetstream.DiscardNew // a full stream refuses pushes and eats no group
	s.DiscardNewPerSubject = false
	s.Duplicates = duplicateWindow
	s.AllowRollup = true        // deletes and wipes
	s.DenyPurge = false         // rollups need it off
	s.DenyDelete = true         // does not stand in the way of rollups and expiry
	s.AllowMsgTTL = true        // tombstones
	s.AllowAtomicPublish = true // large batches
	s.AllowDirect = true        // reads by tools
	s.SubjectDeleteMarkerTTL = c.markerTTL()
	s.NoAck = false
}

// ensureStream creates the stream, or checks the one that exists and brings
// its settings up to date, and returns its state.
func (b *Bus) ensureStream(ctx context.Context) (*jetstream.StreamInfo, error) {
	name := streamName(b.cfg.Prefix)
	unbound := ctx // founding a stream may take longer than looking at one
	ctx, cancel := context.WithTimeout(ctx, b.cfg.ConnectTimeout)
	defer cancel()
	ask, cancelAsk := context.WithTimeout(ctx, b.patience())
	defer cancelAsk()
	s, err := b.js.Stream(ask, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return b.bootstrap(unbound)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look for stream %s: %w", name, streamError(err))
	}
	info := s.CachedInfo()
	if leaderless(info) {
		return nil, fmt.Errorf("cannot use stream %s: %w", name, errNoLeader)
	}
	if err := b.migrating(ctx, info); err != nil {
		return nil, err
	}
	if err := b.checkMigrated(info); err != nil {
		return nil, err
	}
	if err := unusable(info.Config); err != nil {
		return nil, fmt.Errorf("cannot use stream %s: %w", name, err)
	}
	want := info.Config
	b.cfg.applyTo(&want)
	if reflect.DeepEqual(want, info.Config) {
		return b.moreCopies(ctx, info), nil
	}
	if s, err = b.js.UpdateStream(ctx, want); err != nil {
		return nil, fmt.Errorf("cannot change the settings of stream %s: %w", name, streamError(err))
	}
	b.logger.Info("changed the settings of the stream", "stream", name)
	return b.moreCopies(ctx, s.CachedInfo()), nil
}

// unusable tells what about an existing stream cannot be mended.
func unusable(have jetstream.StreamConfig) error {
	switch {
	case have.Sealed:
		return errors.New("it is sealed")
	case have.Mirror != nil:
		return errors.New("it is a mirror of another stream")
	case len(have.Sources) > 0:
		return errors.New("it takes messages from other streams")
	case have.Storage != jetstream.FileStorage:
		return errors.New("it is stored in memory, so that acknowledged pushes would be lost")
	case have.Retention == jetstream.WorkQueuePolicy:
		return errors.New("it is a work queue, whose events vanish when they are read")
	case have.DenyPurge:
		return errors.New("it denies purges, so that no group could be deleted")
	case have.AllowMsgCounter:
		return errors.New("it is a stream of counters")
	case have.AllowMsgSchedules:
		return errors.New("it schedules messages, which excludes refusing them when it is full")
	case have.SubjectTransform != nil:
		return errors.New("it transforms subjects")
	}
	return nil
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

// streamInfo asks for the stream's state now. It waits for askPatience at most:
// while the stream has no leader, nobody hears the question.
func (b *Bus) streamInfo(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	s, err := b.js.Stream(ctx, streamName(b.cfg.Prefix))
	if err != nil {
		return nil, err
	}
	info := s.CachedInfo()
	if leaderless(info) {
		return nil, errNoLeader
	}
	b.know(info)
	return info, nil
}

// errNoLeader says that what a server tells of the stream may be out of date.
var errNoLeader = errors.New("it has no leader")

// leaderless tells whether the answer is that of a server which used to lead the
// stream and is cut off from the others: what it has proves nothing.
func leaderless(info *jetstream.StreamInfo) bool {
	return info.Cluster != nil && info.Cluster.Leader == ""
}
