package api

import (
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"sluice/store"
)

const (
	// maxWatchers is how many clients may watch events at the same time.
	maxWatchers = 100
	// eventRing is how many of the last events are kept for watchers. A watcher
	// that takes longer loses events: what makes them never waits.
	eventRing = 4096
)

// Broadcaster hands events of the stream on to clients that watch them. While
// nobody watches, an event costs one atomic load. Its methods may be called
// concurrently, and never wait for a client.
type Broadcaster struct {
	watchers atomic.Int32

	mu      sync.Mutex
	ring    [eventRing]*broadcast
	next    uint64        // events so far; modulo eventRing it is the place of the next one
	counts  EventCounts   // of all events so far
	changed chan struct{} // closed by the next event; nil while nobody waits
	done    bool
	closed  chan struct{}
}

// EventCounts is the data of an event "rate": how many events of all groups there
// were in the last second.
type EventCounts struct {
	Pushes   uint64 `json:"pushes"`
	Deletes  uint64 `json:"deletes"`
	Refusals uint64 `json:"refusals"`
	Expiries uint64 `json:"expiries"`
}

func (c EventCounts) since(before EventCounts) EventCounts {
	return EventCounts{c.Pushes - before.Pushes, c.Deletes - before.Deletes, c.Refusals - before.Refusals, c.Expiries - before.Expiries}
}

// broadcast is an event on its way to watchers. It is encoded once for all of them.
type broadcast struct {
	kind string
	key  store.Key // zero for all groups
	data Event
	text func() []byte // as it is sent
}

// Event is the data of an event of /api/v1/events, whose kind is push, delete,
// refusal, expire, forget, wipe or import.
// Event is the data of an event of /api/v1/events. Its kind is push, delete, refusal,
// expire, forget, wipe or import.
type Event struct {
	Sequence uint64            `json:"sequence,omitempty"` // 0 if it is not in the stream
	Time     time.Time         `json:"time"`
	Group    string            `json:"group,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Origin   string            `json:"origin,omitempty"`
	Families int               `json:"families"`
	Series   int               `json:"series"`
	Replaced bool              `json:"replaced"`
	Message  string            `json:"message,omitempty"`
}

// NewBroadcaster returns a broadcaster that nobody watches yet.
func NewBroadcaster() *Broadcaster { return &Broadcaster{closed: make(chan struct{})} }

// Close ends all watching, and allows no more. It does not wait for the requests
// that watch. It may be called more than once.
func (b *Broadcaster) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.done {
		b.done = true
		close(b.closed)
	}
}

// ended tells whether the broadcaster is closed.
func (b *Broadcaster) ended() bool {
	select {
	case <-b.closed:
		return true
	default:
		return false
	}
}

// Event takes an event that the store has applied. It keeps the event's strings,
// not its families.
func (b *Broadcaster) Event(seq uint64, e *store.Event) {
	if b.watchers.Load() == 0 {
		return
	}
	ev := &broadcast{kind: kindOf(e), key: e.Key}
	ev.data = Event{Sequence: seq, Origin: e.Origin}
	at := int64(0)
	switch ev.kind {
	case kindPush:
		at = e.PushTime
		ev.data.Replaced = e.Op == store.OpPut
		ev.data.Families, ev.data.Series = len(e.Families), countSeries(e.Families)
	case kindRefusal:
		at = e.FailTime
		ev.data.Message = e.Refusal
	case kindExpire:
		at = e.Expires
	case kindImport:
		ev.data.Message = "begun"
		if e.Op == store.OpImported {
			ev.data.Message = "complete"
		}
	}
	b.add(ev, at)
}

// Refusal takes a refusal that no event of the stream records.
func (b *Broadcaster) Refusal(r store.Refusal) {
	if b.watchers.Load() == 0 {
		return
	}
	b.add(&broadcast{kind: kindRefusal, key: r.Key, data: Event{Origin: r.Origin, Message: r.Message}}, r.Time)
}

// The kinds of events.
const (
	kindPush    = "push"
	kindDelete  = "delete"
	kindRefusal = "refusal"
	kindExpire  = "expire"
	kindForget  = "forget"
	kindWipe    = "wipe"
	kindImport  = "import"
)

// kindOf returns the kind of an event.
func kindOf(e *store.Event) string {
	switch e.Op {
	case store.OpPut, store.OpPost:
		return kindPush
	case store.OpFail:
		return kindRefusal
	case store.OpExpire:
		if e.Forget != 0 && !e.ByExpiry() {
			return kindRefusal // of a push to a dead group, which stays so
		}
		return kindExpire
	case store.OpDelete:
		if e.ByExpiry() {
			return kindForget
		}
		return kindDelete
	case store.OpWipe:
		return kindWipe
	}
	return kindImport
}

// add hands an event on that has happened at a time in nanoseconds since 1970; 0 is
// now.
func (b *Broadcaster) add(ev *broadcast, at int64) {
	ev.data.Time = time.Now().UTC()
	if at != 0 {
		ev.data.Time = time.Unix(0, at).UTC()
	}
	ev.text = sync.OnceValue(ev.write)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ring[b.next%eventRing] = ev
	b.next++
	switch ev.kind {
	case kindPush:
		b.counts.Pushes++
	case kindDelete:
		b.counts.Deletes++
	case kindRefusal:
		b.counts.Refusals++
	case kindExpire:
		b.counts.Expiries++
	}
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// write encodes the event as a server-sent one.
func (ev *broadcast) write() []byte {
	if !ev.key.IsZero() {
		ev.data.Group, ev.data.Labels = ev.key.Path(), ev.key.Map()
	}
	return appendEvent(nil, ev.kind, ev.data.Sequence, ev.data)
}

var (
	errWatchers = errors.New("as many as there may be read events already")
	errClosed   = errors.New("the gateway is stopping")
)

// watcher is a client that watches. It is used by one goroutine.
type watcher struct {
	from   *Broadcaster
	next   uint64 // the event that it has not seen yet
	counts EventCounts
}

// watch returns a watcher that sees the events from now on. It must be stopped.
func (b *Broadcaster) watch() (*watcher, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.done:
		return nil, errClosed
	case b.watchers.Load() == maxWatchers:
		return nil, errWatchers
	}
	b.watchers.Add(1)
	return &watcher{from: b, next: b.next, counts: b.counts}, nil
}

// stop ends a watcher. The last one to stop frees the memory.
func (w *watcher) stop() {
	w.from.mu.Lock()
	defer w.from.mu.Unlock()
	if w.from.watchers.Add(-1) == 0 {
		clear(w.from.ring[:])
	}
}

// news returns a channel that is closed once there is something to take.
func (w *watcher) news() <-chan struct{} {
	w.from.mu.Lock()
	defer w.from.mu.Unlock()
	if w.from.next != w.next {
		ready := make(chan struct{})
		close(ready)
		return ready
	}
	if w.from.changed == nil {
		w.from.changed = make(chan struct{})
	}
	return w.from.changed
}

// take appends the events that have come, and returns how many the watcher has
// lost.
func (w *watcher) take(events []*broadcast) (_ []*broadcast, lost uint64) {
	w.from.mu.Lock()
	defer w.from.mu.Unlock()
	if have := w.from.next - w.next; have > eventRing {
		lost = have - eventRing
		w.next += lost
	}
	for ; w.next != w.from.next; w.next++ {
		events = append(events, w.from.ring[w.next%eventRing])
	}
	return events, lost
}

// rate returns how many events there were since it was called last.
func (w *watcher) rate() EventCounts {
	w.from.mu.Lock()
	defer w.from.mu.Unlock()
	now := w.from.counts
	rate := now.since(w.counts)
	w.counts = now
	return rate
}

// appendEvent writes a server-sent event, with a sequence of 0 without an id.
func appendEvent(dst []byte, kind string, seq uint64, data any) []byte {
	text, err := json.Marshal(data)
	if err != nil {
		return dst // not possible: there is nothing in it that JSON does not have
	}
	if seq != 0 {
		dst = append(dst, "id: "...)
		dst = strconv.AppendUint(dst, seq, 10)
		dst = append(dst, '\n')
	}
	dst = append(dst, "event: "...)
	dst = append(dst, kind...)
	dst = append(dst, "\ndata: "...)
	dst = append(dst, text...) // JSON has no line feeds
	return append(dst, "\n\n"...)
}
