package api

import (
	"net/http"
	"time"

	"sluice/store"
)

// apiGroup is a group in the list of the API, without its metrics. Times that
// have never been are left out.
type apiGroup struct {
	Group       string            `json:"group"` // the path behind /metrics
	Labels      map[string]string `json:"labels"`
	State       groupState        `json:"state"`
	Up          bool              `json:"up"`
	PushTime    *time.Time        `json:"push_time,omitempty"`
	FailureTime *time.Time        `json:"push_failure_time,omitempty"`
	LastRefusal string            `json:"last_refusal,omitempty"`
	RefusalTime *time.Time        `json:"last_refusal_time,omitempty"`
	TTL         float64           `json:"ttl_seconds,omitempty"`
	Expires     *time.Time        `json:"expires,omitempty"`
	Forgotten   *time.Time        `json:"forgotten,omitempty"` // when a dead group will be
	Families    int               `json:"families"`
	Series      int               `json:"series"` // lines of text
	Origin      string            `json:"origin,omitempty"`
	Pushers     []apiPusher       `json:"pushers"`
	Contended   bool              `json:"contended,omitempty"`
	Sequence    uint64            `json:"sequence"`
}

// apiPusher is an origin from which a group was pushed.
type apiPusher struct {
	Origin string    `json:"origin"`
	Time   time.Time `json:"time"`
	Pushes int       `json:"pushes"`
}

// apiCounts are how many groups are in which state.
type apiCounts struct {
	All     int `json:"all"`
	Failing int `json:"failing"`
	Dead    int `json:"dead"`
	Never   int `json:"never"`
	Up      int `json:"up"`
}

func (c *apiCounts) add(s groupState) {
	c.All++
	switch s {
	case stateFailing:
		c.Failing++
	case stateDead:
		c.Dead++
	case stateNever:
		c.Never++
	default:
		c.Up++
	}
}

// serveGroups lists groups: those that match[] and search choose, living and dead
// unless dead or state asks for some only, in the order of sort. There are limit
// of them, 100 by default and at most 1,000, from offset on, or behind the group
// after; next is what to ask for next, if there are more by path.
func (a *API) serveGroups(w http.ResponseWriter, r *http.Request) {
	q, ok := readGroupQuery(w, r)
	if !ok {
		return
	}
	ctx, cancel := limitWork(r)
	defer cancel()
	noted := a.notedRefusals()
	rows, counts, err := q.choose(ctx, a.store.View(), noted)
	if err != nil {
		tookTooLong(w)
		return
	}
	answer := struct {
		Ready  bool       `json:"ready"`
		Groups []apiGroup `json:"groups"`
		Total  int        `json:"total"`
		Next   string     `json:"next,omitempty"`
		Offset int        `json:"offset"`
		Counts apiCounts  `json:"counts"`
	}{Ready: a.ready(), Groups: []apiGroup{}, Total: len(rows), Offset: q.offset, Counts: counts}
	page, more := q.page(rows)
	for _, row := range page {
		answer.Groups = append(answer.Groups, noted.listed(row.group))
	}
	if more && q.order == byPath && !q.descending {
		answer.Next = page[len(page)-1].group.Key().Path()
	}
	a.send(w, answer)
}

// listed returns a group as the list has it.
func (n notedRefusals) listed(g *store.Group) apiGroup {
	one := apiGroup{
		Group: g.Key().Path(), Labels: g.Key().Map(), State: n.state(g), Up: g.Up(),
		PushTime: timeOf(g.PushTime()), FailureTime: timeOf(g.FailTime()), LastRefusal: g.Refusal(),
		Expires: timeOf(g.Expires()), Forgotten: timeOf(g.Forget()), Origin: g.Origin(), Sequence: g.Sequence(),
		Contended: g.Contended(), Pushers: []apiPusher{},
	}
	if one.LastRefusal != "" {
		one.RefusalTime = one.FailureTime
	}
	if r, ok := n[g.Key().Path()]; ok && r.Time >= g.FailTime() {
		one.LastRefusal, one.RefusalTime = r.Message, timeOf(r.Time)
	}
	if g.Expires() != 0 && g.PushTime() != 0 {
		one.TTL = time.Duration(g.Expires() - g.PushTime()).Seconds()
	}
	for _, p := range g.Pushers() {
		one.Pushers = append(one.Pushers, apiPusher{Origin: p.Origin, Time: time.Unix(0, p.Time).UTC(), Pushes: p.Pushes})
	}
	one.Families, one.Series = g.Size()
	return one
}

// timeOf returns a time in nanoseconds since 1970, nil for never.
func timeOf(nanos int64) *time.Time {
	if nanos == 0 {
		return nil
	}
	t := time.Unix(0, nanos).UTC()
	return &t
}
