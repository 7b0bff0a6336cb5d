package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/bus/event"
	"sluice/store"
)

const (
	// historyTime bounds History.
	historyTime = 2 * time.Second
	// historyBytes bounds what it reads: as many of the newest events as fit, and
	// one in any case.
	historyBytes = 32 << 20
	// historyLook is how many events of a group are looked at one by one. Of a
	// group that has more a part of the stream is looked at.
	historyLook = 4096
	// historyFetch is how many are asked for at once.
	historyFetch = 1000
)

// historyReader reads what the stream has kept of a group.
type historyReader struct{ *stream }

// HistoryEntry is an event that the stream has kept.
type HistoryEntry struct {
	Sequence uint64
	// Time is when it came into the stream.
	Time  time.Time
	Event store.Event
	// Err says why the event cannot be read; then Event has nothing.
	Err error
}

// History returns the newest events that the stream has of a group, n of them at
// most and 32 MiB, the newest first, and how many it has in all. It asks the
// stream, and waits two seconds at most, or until ctx ends. Within that time it asks
// again if nobody answers, as in a cluster that has just formed.
func (b *Bus) History(ctx context.Context, key store.Key, n int) (events []HistoryEntry, kept uint64, err error) {
	ctx, cancel := b.bounded(ctx, historyTime)
	defer cancel()
	connected := func() bool { up, _ := b.link.state(); return up }
	err = askUntilAnswered(ctx, connected, func() (err error) {
		events, kept, err = b.history.read(ctx, key, n)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("cannot read the history of a group: %w", streamError(err))
	}
	return events, kept, nil
}

// askUntilAnswered asks again while nobody answers, as in a cluster that has just
// formed: until ctx ends or the server is away. It returns the last error.
func askUntilAnswered(ctx context.Context, connected func() bool, ask func() error) error {
	for {
		err := ask()
		if err == nil || !connected() || !unanswered(err) || !pause(ctx, askAgain) {
			return err
		}
	}
}

// read tries once what History does.
func (h *historyReader) read(ctx context.Context, key store.Key, n int) (events []HistoryEntry, kept uint64, err error) {
	ask, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	s, err := h.js.Stream(ask, streamName(h.cfg.Prefix))
	if err != nil {
		return nil, 0, err
	}
	places, kept, err := h.newest(ctx, s.CachedInfo().State, event.Subject(h.cfg.Prefix, key), n)
	if err != nil {
		return nil, 0, err
	}
	bytes := 0
	for _, at := range places {
		if bytes += at.bytes; bytes > historyBytes && len(events) > 0 {
			break
		}
		raw, err := h.messageAt(ctx, s, at.seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // replaced meanwhile
		}
		if err != nil {
			return nil, 0, fmt.Errorf("event %d: %w", at.seq, err)
		}
		events = append(events, h.entry(key, raw))
	}
	return events, kept, nil
}

// messageAt reads a message. In a cluster any copy of the stream may answer, and
// one that is behind does not have it yet.
func (h *historyReader) messageAt(ctx context.Context, s jetstream.Stream, seq uint64) (*jetstream.RawStreamMsg, error) {
	for tries := 1; ; tries++ {
		raw, err := s.GetMsg(ctx, seq)
		if !errors.Is(err, jetstream.ErrMsgNotFound) || !h.quorum.watched || tries == 3 || !pause(ctx, askAgain) {
			return raw, err
		}
	}
}

// entry decodes an event. It does so with a codec of its own: that of the follower
// keeps in mind what it has read.
func (h *historyReader) entry(key store.Key, raw *jetstream.RawStreamMsg) HistoryEntry {
	p := HistoryEntry{Sequence: raw.Sequence, Time: raw.Time}
	c := event.NewCodec(h.cfg.Prefix)
	c.Know(key)
	e, ok, err := c.Decode(&nats.Msg{Subject: raw.Subject, Header: raw.Header, Data: raw.Data})
	switch {
	case err != nil:
		p.Err = err
	case !ok:
		p.Err = fmt.Errorf("%w: it says nothing of the group", event.ErrDamaged)
	default:
		p.Event = e
	}
	return p
}

// place is where an event stands.
type place struct {
	seq   uint64
	bytes int
}

// newest returns the places of the last n events of a subject, the newest first,
// and how many it has. The stream counts what is behind a sequence without
// reading it, so of many events only those at the end are looked at.
func (h *historyReader) newest(ctx context.Context, stream jetstream.StreamState, subject string, n int) ([]place, uint64, error) {
	kept, places, err := h.placesFrom(ctx, 0, subject, n)
	if err != nil || kept <= historyLook {
		return places, kept, err
	}
	// As if they were spread evenly; if not, a longer step is tried, or one between
	// one that was too long and one that was too short.
	short, long := uint64(0), uint64(0)
	for step := (stream.LastSeq-stream.FirstSeq)/kept*2*uint64(n) + uint64(n); ; {
		from := stream.LastSeq - min(step, stream.LastSeq-1)
		found, places, err := h.placesFrom(ctx, from, subject, n)
		switch {
		case err != nil:
			return nil, 0, err
		case found > historyLook:
			long = step
		case found >= uint64(n) || from == 1:
			return places, kept, nil
		default:
			short = step
		}
		if step = 4 * short; long > 0 {
			step = (short + long) / 2
		}
		if step == short {
			return places, kept, nil // events have gone meanwhile
		}
	}
}

// placesFrom returns how many events of a subject stand at a sequence or behind
// it, 0 for all, and if they are not too many the places of the last n.
func (h *historyReader) placesFrom(ctx context.Context, from uint64, subject string, n int) (found uint64, places []place, err error) {
	cfg := jetstream.ConsumerConfig{
		FilterSubject: subject, DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: true,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: 2 * historyTime,
	}
	if from > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, from
	}
	c, err := h.js.CreateConsumer(ctx, streamName(h.cfg.Prefix), cfg)
	if err != nil {
		return 0, nil, err
	}
	defer func() { // the server forgets it anyway
		_ = h.js.DeleteConsumer(ctx, streamName(h.cfg.Prefix), c.CachedInfo().Name)
	}()
	found = c.CachedInfo().NumPending
	if found > historyLook {
		return found, nil, nil
	}
	all, err := readPlaces(ctx, c, int(found))
	if err != nil {
		return 0, nil, err
	}
	places = make([]place, 0, n)
	for i := len(all) - 1; i >= 0 && len(places) < n; i-- {
		places = append(places, all[i])
	}
	return found, places, nil
}

// readPlaces returns the places of the events that a consumer delivers, as many
// as there were.
func readPlaces(ctx context.Context, c jetstream.Consumer, found int) ([]place, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all := make([]place, 0, found)
	for len(all) < found {
		want := min(found-len(all), historyFetch)
		batch, err := c.Fetch(want, jetstream.FetchContext(ctx))
		if err != nil {
			return nil, err
		}
		for m := range batch.Messages() {
			at, err := m.Metadata()
			if err != nil {
				return nil, err
			}
			size, _ := strconv.Atoi(m.Headers().Get("Nats-Msg-Size")) // none of an event without a payload
			all = append(all, place{at.Sequence.Stream, size})
			if at.NumPending == 0 {
				return all, nil // also if what was to follow has been replaced
			}
			want--
		}
		if err := batch.Error(); err != nil {
			return nil, err
		}
		if want > 0 {
			return nil, errors.New("the stream does not deliver what it has")
		}
	}
	return all, nil
}
