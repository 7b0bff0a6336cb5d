package api

import (
	"context"
	"net/http"
	"time"

	"sluice/store"
)

// GroupList is the answer of /api/v1/groups.
type GroupList struct {
	// Ready tells whether these are all groups, or the gateway is still replaying
	// the stream.
	Ready bool `json:"ready"`
	// Groups are those that were asked for.
	Groups []GroupSummary `json:"groups"`
	// Total is how many groups fit, on all pages.
	Total int `json:"total"`
	// Next is what to ask for as GroupsRequest.After to get the next page, "" if
	// there is none or the list is not sorted by path.
	Next   string `json:"next,omitempty"`
	Offset int    `json:"offset"`
	// Counts are of the groups that the filter chooses, whatever their state.
	Counts Counts `json:"counts"`
}

// GroupSummary is a group without its metrics. Times that have never been are
// nil.
type GroupSummary struct {
	Group       string            `json:"group"` // the path behind /metrics
	Labels      map[string]string `json:"labels"`
	State       State             `json:"state"`
	Up          bool              `json:"up"`
	PushTime    *time.Time        `json:"push_time,omitempty"` // of the last push that was accepted
	FailureTime *time.Time        `json:"push_failure_time,omitempty"`
	LastRefusal string            `json:"last_refusal,omitempty"`
	RefusalTime *time.Time        `json:"last_refusal_time,omitempty"`
	TTL         float64           `json:"ttl_seconds,omitempty"` // 0: it never expires
	Expires     *time.Time        `json:"expires,omitempty"`
	Forgotten   *time.Time        `json:"forgotten,omitempty"` // when a dead group will be
	Families    int               `json:"families"`
	Series      int               `json:"series"` // lines of text
	Origin      string            `json:"origin,omitempty"`
	Pushers     []Pusher          `json:"pushers"`
	Contended   bool              `json:"contended,omitempty"` // pushers replace each other's groups
	Sequence    uint64            `json:"sequence"`            // of the event in the stream
}

// Pusher is an origin from which a group was pushed.
type Pusher struct {
	Origin string    `json:"origin"`
	Time   time.Time `json:"time"`
	Pushes int       `json:"pushes"`
}

// Counts are how many groups are in which state.
type Counts struct {
	All     int `json:"all"`
	Failing int `json:"failing"`
	Dead    int `json:"dead"`
	Never   int `json:"never"`
	Up      int `json:"up"`
}

func (c *Counts) add(s State) {
	c.All++
	switch s {
	case StateFailing:
		c.Failing++
	case StateDead:
		c.Dead++
	case StateNever:
		c.Never++
	default:
		c.Up++
	}
}

// Groups lists the groups that a request asks for. It ends with ctx, and after
// two seconds in any case: a search may have expressions that take their time
// with each group. The error is an *Error.
func (a *API) Groups(ctx context.Context, q GroupsRequest) (GroupList, error) {
	if err := q.check(); err != nil {
		return GroupList{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	remembered := a.rememberedRefusals()
	rows, counts, err := q.choose(ctx, a.store.View(), remembered)
	if err != nil {
		return GroupList{}, tookTooLong()
	}
	list := GroupList{Ready: a.cfg.Ready(), Groups: []GroupSummary{}, Total: len(rows), Offset: q.Offset, Counts: counts}
	page, more := q.page(rows)
	for _, row := range page {
		list.Groups = append(list.Groups, remembered.summary(row.group))
	}
	if more && q.byPath() {
		list.Next = page[len(page)-1].group.Key().Path()
	}
	return list, nil
}

func (a *API) serveGroups(w http.ResponseWriter, r *http.Request) {
	q, err := readGroupsRequest(r.URL.Query())
	if err != nil {
		a.fail(w, err)
		return
	}
	list, err := a.Groups(r.Context(), q)
	a.answer(w, list, err)
}

// summary returns a group as the list has it.
func (n rememberedRefusals) summary(g *store.Group) GroupSummary {
	one := GroupSummary{
		Group: g.Key().Path(), Labels: g.Key().Map(), State: n.state(g), Up: g.Up(),
		PushTime: timeOf(g.PushTime()), FailureTime: timeOf(g.FailTime()), LastRefusal: g.Refusal(),
		Expires: timeOf(g.Expires()), Forgotten: timeOf(g.Forget()), Origin: g.Origin(), Sequence: g.Sequence(),
		Contended: g.Contended(), Pushers: []Pusher{},
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
		one.Pushers = append(one.Pushers, Pusher{Origin: p.Origin, Time: time.Unix(0, p.Time).UTC(), Pushes: p.Pushes})
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
