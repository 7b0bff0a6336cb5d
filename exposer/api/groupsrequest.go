package api

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"sluice/store"
)

const (
	defaultGroups = 100
	maxGroups     = 1000
	// workTime bounds the choosing of groups.
	workTime = 2 * time.Second
)

// GroupsRequest asks for a list of groups. The zero value asks for the first 100
// of all groups.
type GroupsRequest struct {
	Filter Filter
	// State is the state that groups must have, "" for any.
	State State
	// Dead asks for dead groups only if it is true, and for living ones only if it
	// is false; nil is both.
	Dead *bool
	// Sort is path, state, age, series or expires, with "-" before it for the
	// opposite order. "" is path.
	Sort string
	// Limit is how many groups are listed, 1,000 at most; 0 is 100.
	Limit int
	// Offset is how many groups before them are left out.
	Offset int
	// After is the path behind which the list begins, for lists by path without an
	// offset. "" is the beginning.
	After string
}

// What a list may be sorted by, as in the parameter sort.
const (
	sortPath    = "path"
	sortState   = "state"
	sortAge     = "age"
	sortSeries  = "series"
	sortExpires = "expires"
)

// order returns what the list is sorted by, and whether downwards.
func (q *GroupsRequest) order() (by string, descending bool) {
	by, descending = strings.CutPrefix(q.Sort, "-")
	return cmp.Or(by, sortPath), descending
}

// byPath tells whether the list is sorted by path, upwards.
func (q *GroupsRequest) byPath() bool {
	by, descending := q.order()
	return by == sortPath && !descending
}

func (q *GroupsRequest) limit() int {
	return min(cmp.Or(q.Limit, defaultGroups), maxGroups)
}

// check returns why the request cannot be answered.
func (q *GroupsRequest) check() error {
	switch q.State {
	case "", StateFailing, StateDead, StateNever, StateUp:
	default:
		return badParameter("state", fmt.Sprintf("%.40q is none of failing, dead, up, never", string(q.State)))
	}
	switch by, _ := q.order(); by {
	case sortPath, sortState, sortAge, sortSeries, sortExpires:
	default:
		return badParameter("sort", fmt.Sprintf("%.40q is none of path, state, age, series, expires, with - before or without", q.Sort))
	}
	switch {
	case q.After != "" && q.Offset != 0:
		return badParameter("after", "it does not go together with offset")
	case q.After != "" && !q.byPath():
		return badParameter("after", "it goes with sort=path only; use offset")
	}
	return nil
}

// readGroupsRequest reads the parameters of a request.
func readGroupsRequest(query url.Values) (q GroupsRequest, err error) {
	if q.Filter, err = readFilter(query); err != nil {
		return q, err
	}
	if q.Limit, err = readNumber(query, "limit", defaultGroups, 1, maxGroups); err != nil {
		return q, err
	}
	if q.Offset, err = readNumber(query, "offset", 0, 0, math.MaxInt32); err != nil {
		return q, err
	}
	if text := query.Get("dead"); text != "" {
		dead, err := parseBool("dead", text)
		if err != nil {
			return q, err
		}
		q.Dead = &dead
	}
	q.State, q.Sort, q.After = State(query.Get("state")), query.Get("sort"), query.Get("after")
	return q, nil
}

// groupRow is a group that was chosen, with what it is sorted by.
type groupRow struct {
	group *store.Group
	by    int64
	path  int // its place by path among those that were chosen
}

// choose returns the groups of a view that fit, in order, and how many groups the
// filter chooses in each state. Its error is that of ctx.
func (q *GroupsRequest) choose(ctx context.Context, view *store.View, remembered rememberedRefusals) ([]groupRow, Counts, error) {
	var counts Counts
	var rows []groupRow
	by, _ := q.order()
	for g := range view.All() {
		if err := ctx.Err(); err != nil {
			return nil, counts, err
		}
		if !q.Filter.matches(g.Key()) {
			continue
		}
		state := remembered.state(g)
		counts.add(state)
		if q.Dead != nil && *q.Dead != g.Dead() || q.State != "" && q.State != state {
			continue
		}
		rows = append(rows, groupRow{g, sortKey(g, state, by), len(rows)})
	}
	switch by, descending := q.order(); {
	case by == sortPath && descending:
		slices.Reverse(rows)
	case by != sortPath:
		slices.SortFunc(rows, func(a, b groupRow) int { return compareRows(a, b, by, descending) })
	}
	return rows, counts, nil
}

// sortKey returns what a group is sorted by, MaxInt64 for what it does not have.
func sortKey(g *store.Group, state State, by string) int64 {
	switch by {
	case sortState:
		return state.rank()
	case sortAge:
		return -g.PushTime() // never is the oldest
	case sortSeries:
		_, series := g.Size()
		return int64(series)
	case sortExpires:
		if g.Expires() == 0 {
			return math.MaxInt64
		}
		return g.Expires()
	}
	return 0
}

// compareRows puts groups that never expire last in either direction.
func compareRows(a, b groupRow, by string, descending bool) int {
	c := cmp.Compare(a.by, b.by)
	if descending && (by != sortExpires || a.by != math.MaxInt64 && b.by != math.MaxInt64) {
		c = -c
	}
	if c == 0 {
		c = cmp.Compare(a.path, b.path)
	}
	return c
}

// page returns the rows that the request asks for, and whether there are more.
func (q *GroupsRequest) page(rows []groupRow) (page []groupRow, more bool) {
	from := min(q.Offset, len(rows))
	if q.After != "" {
		from, _ = slices.BinarySearchFunc(rows, q.After, func(row groupRow, after string) int {
			if row.group.Key().Path() <= after {
				return -1
			}
			return 1
		})
	}
	to := min(from+q.limit(), len(rows))
	return rows[from:to], to < len(rows)
}

func tookTooLong() *Error {
	return notNow(kindTimeout, fmt.Sprintf("it takes longer than %s to choose the groups: search for something simpler", workTime))
}
