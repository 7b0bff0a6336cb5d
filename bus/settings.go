package bus

import (
	"strings"
	"time"

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

// unusableError says what about an existing stream cannot be mended.
type unusableError struct{ text string }

// Error says it.
func (e *unusableError) Error() string { return e.text }

// unusable tells what about an existing stream cannot be mended. The error is an
// *unusableError.
func unusable(have jetstream.StreamConfig) error {
	switch {
	case have.Sealed:
		return &unusableError{"it is sealed"}
	case have.Mirror != nil:
		return &unusableError{"it is a mirror of another stream"}
	case len(have.Sources) > 0:
		return &unusableError{"it takes messages from other streams"}
	case have.Storage != jetstream.FileStorage:
		return &unusableError{"it is stored in memory, so that acknowledged pushes would be lost"}
	case have.Retention == jetstream.WorkQueuePolicy:
		return &unusableError{"it is a work queue, whose events vanish when they are read"}
	case have.DenyPurge:
		return &unusableError{"it denies purges, so that no group could be deleted"}
	case have.AllowMsgCounter:
		return &unusableError{"it is a stream of counters"}
	case have.AllowMsgSchedules:
		return &unusableError{"it schedules messages, which excludes refusing them when it is full"}
	case have.SubjectTransform != nil:
		return &unusableError{"it transforms subjects"}
	}
	return nil
}
