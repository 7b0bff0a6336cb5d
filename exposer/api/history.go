package api

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"sluice/bus"
	"sluice/store"
)

const (
	defaultEntries = 20
	maxEntries     = 100
	// maxHistories is how many requests may read the stream at the same time.
	maxHistories = 4
)

// HistorySource asks the stream for the last n events of a group, the newest
// first, and how many it has. It takes 2 s at most.
type HistorySource func(ctx context.Context, key store.Key, n int) ([]bus.HistoryEntry, uint64, error)

// History is the answer of /api/v1/history: what the stream has kept of a group.
type History struct {
	Group   string         `json:"group"` // the path behind /metrics
	Kept    int            `json:"kept"`  // --bus.history
	Total   uint64         `json:"total"` // events of the group in the stream
	Entries []HistoryEntry `json:"entries"`
	Values  Values         `json:"values"`
}

// HistoryEntry is one event of a group. The newest is the first in a History.
type HistoryEntry struct {
	Sequence uint64     `json:"sequence"`
	Time     time.Time  `json:"time"`     // when it came into the stream
	Op       string     `json:"op"`       // push, delete, refusal, expire, forget, wipe, import or damaged
	Replaced bool       `json:"replaced"` // by a PUT
	Origin   string     `json:"origin,omitempty"`
	PushTime *time.Time `json:"push_time,omitempty"`
	Families int        `json:"families"`
	Series   int        `json:"series"` // lines of text
	Difference
	Refusal string `json:"refusal,omitempty"`
	// First tells that the stream never had an event of the group before this push, or
	// had removed all of them: all that it has is added.
	First bool `json:"first,omitempty"`
	// Truncated tells that the event before is not kept, or was not read, so that
	// the difference is not known.
	Truncated bool `json:"truncated"`
}

// History returns the last events that the stream has kept of the group with a
// path (as behind /metrics): limit of them at most, where 0 is 20 and more than 100
// is 100. It asks the stream and blocks for two seconds at most, or until ctx
// ends. The error is an *Error, with status 503 if the stream does not answer or
// too many ask.
func (a *API) History(ctx context.Context, path string, limit int) (History, error) {
	key, err := parseGroup(path)
	if err != nil {
		return History{}, err
	}
	if limit == 0 {
		limit = defaultEntries
	}
	return a.readHistory(ctx, key, min(limit, maxEntries))
}

func (a *API) serveHistory(w http.ResponseWriter, r *http.Request) {
	key, err := parseGroup(r.URL.Query().Get("group"))
	if err != nil {
		a.fail(w, err)
		return
	}
	limit, err := readNumber(r.URL.Query(), "limit", defaultEntries, 1, maxEntries)
	if err != nil {
		a.fail(w, err)
		return
	}
	history, err := a.readHistory(r.Context(), key, limit)
	a.answer(w, history, err)
}

func (a *API) readHistory(ctx context.Context, key store.Key, limit int) (History, error) {
	select {
	case a.histories <- struct{}{}:
		defer func() { <-a.histories }()
	default:
		return History{}, notNow(kindUnavailable, "too many read histories at the same time")
	}
	events, total, err := a.cfg.History(ctx, key, limit+1) // and the one before the last, to compare
	if err != nil {
		return History{}, notNow(kindUnavailable, err.Error())
	}
	h := History{Group: key.Path(), Kept: a.cfg.Stream.Known().History, Total: total, Entries: []HistoryEntry{}}
	chosen := newChosenSeries()
	for i := range events[:min(limit, len(events))] {
		var before *bus.HistoryEntry
		if i+1 < len(events) {
			before = &events[i+1]
		}
		entry := entryOf(&events[i], before, chosen)
		if i == len(events)-1 && uint64(len(events)) == total && len(events) < h.Kept {
			entry.begin(&events[i])
		}
		h.Entries = append(h.Entries, entry)
	}
	h.Values = chosen.values(events[:len(h.Entries)])
	return h, nil
}

// entryOf compares an event with the one before it, nil if that is not known.
func entryOf(p, before *bus.HistoryEntry, chosen *chosenSeries) HistoryEntry {
	one := HistoryEntry{Sequence: p.Sequence, Time: p.Time.UTC(), Difference: Difference{Added: []string{}, Removed: []string{}}}
	if p.Err != nil {
		one.Op, one.Refusal, one.Truncated = "damaged", p.Err.Error(), true
		return one
	}
	e := &p.Event
	one.Op, one.Replaced = kindOf(e), e.Op == store.OpPut
	one.Origin, one.PushTime = e.Origin, timeOf(e.PushTime)
	one.Families, one.Series = len(e.Families), countSeries(e.Families)
	if one.Op == kindRefusal {
		one.Refusal = e.Refusal
	}
	if before == nil || before.Err != nil {
		one.Truncated = true
		return one
	}
	one.Difference = compare(before.Event.Families, e.Families, chosen.changed)
	return one
}

// begin makes an entry that of the first event of its group, if that is a push.
func (one *HistoryEntry) begin(p *bus.HistoryEntry) {
	if one.Op != kindPush {
		return
	}
	one.First, one.Truncated = true, false
	one.Difference = compare(nil, p.Event.Families, nil)
}

// countSeries counts the lines of text of families.
func countSeries(families []store.Family) int {
	n := 0
	for _, f := range families {
		n += bytes.Count(f.Samples(), []byte{'\n'})
	}
	return n
}
