package bus

import (
	"sync"

	"sluice/bus/event"
	"sluice/store"
)

// maxInFlight bounds how many events of our own are known. More are only under way
// while the subscription is far behind; those are decoded as all others are.
const maxInFlight = 4 * maxChunk

// inFlight are events that this gateway has sent to the stream and not seen
// coming back. When they do there is no need to decode them: the codec would
// make the same of them again.
type inFlight struct {
	mu   sync.Mutex
	byID map[string]store.Event
}

func newInFlight() *inFlight { return &inFlight{byID: map[string]store.Event{}} }

// add notes compact events that are about to be sent.
func (o *inFlight) add(ids []string, events []store.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, e := range events {
		if len(o.byID) >= maxInFlight {
			return
		}
		o.byID[ids[i]] = e
	}
}

// take returns an event that has come back, and forgets it.
func (o *inFlight) take(id string) (store.Event, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e, ok := o.byID[id]
	if ok {
		delete(o.byID, id)
	}
	return e, ok
}

// drop forgets events that will not come back.
func (o *inFlight) drop(ids []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		delete(o.byID, id)
	}
}

// clear forgets all events: a new subscription may not deliver them.
func (o *inFlight) clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.byID)
}

func compactAll(events []store.Event) []store.Event {
	compacted := make([]store.Event, len(events))
	for i, e := range events {
		compacted[i] = event.Compact(e)
	}
	return compacted
}
