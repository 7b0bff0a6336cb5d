package api

import (
	"bytes"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"

	"sluice/bus"
	"sluice/store"
)

// maxSeries is of how many series a history tells the values.
const maxSeries = 20

// Values are values of series over pushes.
type Values struct {
	Series    []Series `json:"series"`
	Truncated bool     `json:"truncated"` // there are more series
}

// Series has the values of one series: pairs of a time (RFC 3339) and a number,
// the oldest first.
type Series struct {
	Name   string      `json:"name"`
	Points [][2]string `json:"points"`
}

// chosenSeries are the series whose values are told. Those that have changed are
// chosen first.
type chosenSeries struct {
	series   []Series
	byFamily map[string]map[string]int // place in series, by labels
	more     bool
}

func newChosenSeries() *chosenSeries { return &chosenSeries{byFamily: map[string]map[string]int{}} }

// changed chooses a metric that has another value than before.
func (c *chosenSeries) changed(f store.Family, m store.Metric) {
	if !hasValues(f.Type) {
		return
	}
	of := c.byFamily[f.Name]
	if _, ok := of[string(m.Labels)]; ok {
		return
	}
	if len(c.series) == maxSeries {
		c.more = true
		return
	}
	if of == nil {
		of = map[string]int{}
		c.byFamily[f.Name] = of
	}
	of[string(m.Labels)] = len(c.series)
	c.series = append(c.series, Series{Name: nameOf(f.Name, m), Points: [][2]string{}})
}

// values returns the values that the series have in the pushes among events, which
// are sorted from the newest to the oldest.
func (c *chosenSeries) values(events []bus.HistoryEntry) Values {
	pushes := make([]*store.Event, 0, len(events))
	for i := range slices.Backward(events) {
		if e := &events[i].Event; events[i].Err == nil && kindOf(e) == kindPush {
			pushes = append(pushes, e)
		}
	}
	if len(pushes) > 0 {
		c.fill(pushes[len(pushes)-1].Families)
	}
	for _, e := range pushes {
		at := time.Unix(0, e.PushTime).UTC().Format(time.RFC3339Nano)
		for _, f := range e.Families {
			of := c.byFamily[f.Name]
			if of == nil || !hasValues(f.Type) {
				continue
			}
			for m := range f.Metrics() {
				if i, ok := of[string(m.Labels)]; ok {
					c.series[i].Points = append(c.series[i].Points, [2]string{at, valueOf(m)})
				}
			}
		}
	}
	series := slices.DeleteFunc(c.series, func(s Series) bool { return len(s.Points) == 0 })
	return Values{Series: append([]Series{}, series...), Truncated: c.more}
}

// fill chooses series that have not changed, until there are enough.
func (c *chosenSeries) fill(families []store.Family) {
	for _, f := range families {
		for m := range f.Metrics() {
			if c.changed(f, m); c.more {
				return
			}
		}
	}
}

// valueOf returns the value of a metric that is one number, as its text has it.
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
