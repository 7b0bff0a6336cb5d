package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"sluice/store"
)

const (
	// maxReaders is how many may read events at a time.
	maxReaders = 100
	// liveRing is how many of the last events are kept for those who read. A
	// reader that has not come for them by then has lost them: what makes the
	// events never waits.
	liveRing = 4096
)

// Live hands events of the stream on to those who watch. While nobody does, an
// event costs one look at a number.
type Live struct {
	readers atomic.Int32

	mu      sync.Mutex
	ring    [liveRing]*liveEvent
	next    uint64        // events so far: the next one's place is the rest by liveRing
	counts  liveCounts    // of all events so far
	changed chan struct{} // closed by the next event; nil while nobody waits
	done    bool
	closed  chan struct{}
}

// liveCounts are how many events there were of the kinds that are counted.
type liveCounts struct {
	Pushes   uint64 `json:"pushes"`
	Deletes  uint64 `json:"deletes"`
	Refusals uint64 `json:"refusals"`
	Expiries uint64 `json:"expiries"`
}

func (c liveCounts) since(before liveCounts) liveCounts {
	return liveCounts{c.Pushes - before.Pushes, c.Deletes - before.Deletes, c.Refusals - before.Refusals, c.Expiries - before.Expiries}
}

// liveEvent is an event for those who watch. It is written once for all of them.
type liveEvent struct {
	kind string
	key  store.Key // zero for all groups
	data liveData
	text func() []byte // as it is sent
}

type liveData struct {
	Sequence uint64            `json:"sequence,omitempty"` // 0 for what is not in the stream
	Time     time.Time         `json:"time"`
	Group    string            `json:"group,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Origin   string            `json:"origin,omitempty"`
	Families int               `json:"families"`
	Series   int               `json:"series"`
	Replaced bool              `json:"replaced"`
	Message  string            `json:"message,omitempty"`
}

// NewLive returns what nobody watches yet.
func NewLive() *Live { return &Live{closed: make(chan struct{})} }

// Close ends all that watch, and lets nobody watch any more. It may be called
// more than once.
func (l *Live) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.done {
		l.done = true
		close(l.closed)
	}
}

// ended tells whether nobody may watch any more.
func (l *Live) ended() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

// Event takes an event that the store has applied. It keeps nothing of it but
// texts for people.
func (l *Live) Event(seq uint64, e *store.Event) {
	if l.readers.Load() == 0 {
		return
	}
	ev := &liveEvent{kind: kindOf(e), key: e.Key}
	ev.data = liveData{Sequence: seq, Origin: e.Origin}
	at := int64(0)
	switch ev.kind {
	case kindPush:
		at = e.PushTime
		ev.data.Replaced = e.Op == store.OpPut
		ev.data.Families = len(e.Families)
		for _, f := range e.Families {
			ev.data.Series += bytes.Count(f.Samples(), []byte{'\n'})
		}
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
	l.add(ev, at)
}

// Refusal takes a refusal that is not in the stream.
func (l *Live) Refusal(r store.Refusal) {
	if l.readers.Load() == 0 {
		return
	}
	l.add(&liveEvent{kind: kindRefusal, key: r.Key, data: liveData{Origin: r.Origin, Message: r.Message}}, r.Time)
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

// kindOf is the word for what has happened.
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

// add hands an event on, which has happened at a time in nanoseconds since 1970,
// 0 for now.
func (l *Live) add(ev *liveEvent, at int64) {
	ev.data.Time = time.Now().UTC()
	if at != 0 {
		ev.data.Time = time.Unix(0, at).UTC()
	}
	ev.text = sync.OnceValue(ev.write)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring[l.next%liveRing] = ev
	l.next++
	switch ev.kind {
	case kindPush:
		l.counts.Pushes++
	case kindDelete:
		l.counts.Deletes++
	case kindRefusal:
		l.counts.Refusals++
	case kindExpire:
		l.counts.Expiries++
	}
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// write returns the event as a server-sent one.
func (ev *liveEvent) write() []byte {
	if !ev.key.IsZero() {
		ev.data.Group, ev.data.Labels = ev.key.Path(), ev.key.Map()
	}
	return appendEvent(nil, ev.kind, ev.data.Sequence, ev.data)
}

var (
	errReaders = errors.New("as many as there may be read events already")
	errClosed  = errors.New("the gateway is stopping")
)

// liveReader is one who watches.
type liveReader struct {
	live   *Live
	next   uint64 // the event that it has not seen yet
	counts liveCounts
}

// join returns a reader that sees what comes from now on. It must leave.
func (l *Live) join() (*liveReader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.done:
		return nil, errClosed
	case l.readers.Load() == maxReaders:
		return nil, errReaders
	}
	l.readers.Add(1)
	return &liveReader{live: l, next: l.next, counts: l.counts}, nil
}

// leave ends a reader. The last one to leave frees the memory.
func (r *liveReader) leave() {
	r.live.mu.Lock()
	defer r.live.mu.Unlock()
	if r.live.readers.Add(-1) == 0 {
		clear(r.live.ring[:])
	}
}

// news returns a channel that is closed once there is something to take.
func (r *liveReader) news() <-chan struct{} {
	r.live.mu.Lock()
	defer r.live.mu.Unlock()
	if r.live.next != r.next {
		ready := make(chan struct{})
		close(ready)
		return ready
	}
	if r.live.changed == nil {
		r.live.changed = make(chan struct{})
	}
	return r.live.changed
}

// take appends the events that have come, and returns how many it was too late
// for.
func (r *liveReader) take(events []*liveEvent) (_ []*liveEvent, lost uint64) {
	r.live.mu.Lock()
	defer r.live.mu.Unlock()
	if have := r.live.next - r.next; have > liveRing {
		lost = have - liveRing
		r.next += lost
	}
	for ; r.next != r.live.next; r.next++ {
		events = append(events, r.live.ring[r.next%liveRing])
	}
	return events, lost
}

// rate returns how many events there were since it was called last.
func (r *liveReader) rate() liveCounts {
	r.live.mu.Lock()
	defer r.live.mu.Unlock()
	now := r.live.counts
	rate := now.since(r.counts)
	r.counts = now
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
