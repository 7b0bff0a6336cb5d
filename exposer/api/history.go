package api

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"

	"sluice/bus"
	"sluice/store"
)

const (
	defaultPast = 20
	mostPast    = 100
	// mostHistories is how many requests may read the stream at a time.
	mostHistories = 4
	// mostPlots is of how many series the values are told.
	mostPlots = 20
)

// History asks the stream for the last n events of a group, the newest first, and
// how many it has. It takes 2 s at most.
type History func(ctx context.Context, key store.Key, n int) ([]bus.HistoryEntry, uint64, error)

// apiHistory is what the stream has kept of a group.
type apiHistory struct {
	Group   string      `json:"group"`
	Kept    int         `json:"kept"`  // --bus.history
	Total   uint64      `json:"total"` // events of the group in the stream
	Entries []apiPast   `json:"entries"`
	Values  apiPastPlot `json:"values"`
}

// apiPast is one event of a group, the newest first.
type apiPast struct {
	Sequence uint64     `json:"sequence"`
	Time     time.Time  `json:"time"`
	Op       string     `json:"op"`
	Replaced bool       `json:"replaced"`
	Origin   string     `json:"origin,omitempty"`
	PushTime *time.Time `json:"push_time,omitempty"`
	Families int        `json:"families"`
	Series   int        `json:"series"`
	difference
	Refusal string `json:"refusal,omitempty"`
	// Truncated tells that what was before is not kept, or not read, so that the
	// difference is not known.
	Truncated bool `json:"truncated"`
}

// apiPastPlot are values over pushes.
type apiPastPlot struct {
	Series    []apiPlot `json:"series"`
	Truncated bool      `json:"truncated"` // there are more series
}

// apiPlot are the values of one series: times and numbers, the oldest first.
type apiPlot struct {
	Name   string      `json:"name"`
	Points [][2]string `json:"points"`
}

// serveHistory tells of the last pushes of a group that the stream has kept:
// limit of them, 20 by default and at most 100.
func (a *API) serveHistory(w http.ResponseWriter, r *http.Request) {
	key, ok := groupParameter(w, r)
	if !ok {
		return
	}
	limit, ok := countParameter(w, r.URL.Query(), "limit", defaultPast, 1, mostPast)
	if !ok {
		return
	}
	select {
	case a.histories <- struct{}{}:
		defer func() { <-a.histories }()
	default:
		notNow(w, "unavailable", "too many read histories at the same time")
		return
	}
	events, total, err := a.history(r.Context(), key, limit+1) // what was before the last one, too
	if err != nil {
		notNow(w, "unavailable", err.Error())
		return
	}
	answer := apiHistory{Group: key.Path(), Kept: a.stream.Known().History, Total: total, Entries: []apiPast{}}
	plots := newPlotted()
	for i := range events[:min(limit, len(events))] {
		var before *bus.HistoryEntry
		if i+1 < len(events) {
			before = &events[i+1]
		}
		answer.Entries = append(answer.Entries, pastOf(&events[i], before, plots))
	}
	answer.Values = plots.values(events[:len(answer.Entries)])
	a.send(w, answer)
}

// pastOf compares an event with the one before it, nil if that is not known.
func pastOf(p, before *bus.HistoryEntry, plots *plotted) apiPast {
	one := apiPast{Sequence: p.Sequence, Time: p.Time.UTC(), difference: difference{Added: []string{}, Removed: []string{}}}
	if p.Err != nil {
		one.Op, one.Refusal, one.Truncated = "damaged", p.Err.Error(), true
		return one
	}
	e := &p.Event
	one.Op, one.Replaced = kindOf(e), e.Op == store.OpPut
	one.Origin, one.PushTime = e.Origin, timeOf(e.PushTime)
	one.Families = len(e.Families)
	for _, f := range e.Families {
		one.Series += bytes.Count(f.Samples(), []byte{'\n'})
	}
	if one.Op == kindRefusal {
		one.Refusal = e.Refusal
	}
	if before == nil || before.Err != nil {
		one.Truncated = true
		return one
	}
	one.difference = differ(before.Event.Families, e.Families, plots.changed)
	return one
}

// plotted chooses the series whose values are told: those that have changed
// first.
type plotted struct {
	plots    []apiPlot
	byFamily map[string]map[string]int // place in plots, by labels
	more     bool
}

func newPlotted() *plotted { return &plotted{byFamily: map[string]map[string]int{}} }

// changed notes a metric that has another value than before.
func (p *plotted) changed(f store.Family, m store.Metric) {
	if !hasValues(f.Type) {
		return
	}
	of := p.byFamily[f.Name]
	if _, ok := of[string(m.Labels)]; ok {
		return
	}
	if len(p.plots) == mostPlots {
		p.more = true
		return
	}
	if of == nil {
		of = map[string]int{}
		p.byFamily[f.Name] = of
	}
	of[string(m.Labels)] = len(p.plots)
	p.plots = append(p.plots, apiPlot{Name: nameOf(f.Name, m), Points: [][2]string{}})
}

// values returns the values of the series in the pushes among events, of which
// the newest comes first.
func (p *plotted) values(events []bus.HistoryEntry) apiPastPlot {
	pushes := make([]*store.Event, 0, len(events))
	for i := range slices.Backward(events) {
		if e := &events[i].Event; events[i].Err == nil && kindOf(e) == kindPush {
			pushes = append(pushes, e)
		}
	}
	if len(pushes) > 0 {
		p.fill(pushes[len(pushes)-1].Families)
	}
	for _, e := range pushes {
		at := time.Unix(0, e.PushTime).UTC().Format(time.RFC3339Nano)
		for _, f := range e.Families {
			of := p.byFamily[f.Name]
			if of == nil || !hasValues(f.Type) {
				continue
			}
			for m := range f.Metrics() {
				if i, ok := of[string(m.Labels)]; ok {
					p.plots[i].Points = append(p.plots[i].Points, [2]string{at, valueOf(m)})
				}
			}
		}
	}
	plots := slices.DeleteFunc(p.plots, func(plot apiPlot) bool { return len(plot.Points) == 0 })
	return apiPastPlot{Series: append([]apiPlot{}, plots...), Truncated: p.more}
}

// fill takes series that have not changed, too, while there is room.
func (p *plotted) fill(families []store.Family) {
	for _, f := range families {
		for m := range f.Metrics() {
			if p.changed(f, m); p.more {
				return
			}
		}
	}
}

// valueOf returns the value of a metric that is one number, as it is written.
func valueOf(m store.Metric) string {
	line := bytes.TrimSuffix(m.Lines, []byte{'\n'})
	return string(line[bytes.LastIndexByte(line, ' ')+1:])
}

// hasValues tells whether each metric of a type is one number.
func hasValues(typ dto.MetricType) bool {
	switch typ {
	case dto.MetricType_GAUGE, dto.MetricType_COUNTER, dto.MetricType_UNTYPED:
		return true
	}
	return false
}
