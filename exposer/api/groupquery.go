package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/store"
	"sluice/store/search"
	"sluice/store/selector"
)

const (
	defaultGroups = 100
	mostGroups    = 1000
	// workTime bounds the choosing of groups: a search may have expressions that
	// take their time with each group.
	workTime = 2 * time.Second
)

// groupFilter chooses groups by their labels.
type groupFilter struct {
	chosen selector.Selectors
	search search.Search
}

func (f *groupFilter) matches(key store.Key) bool {
	return f.chosen.Matches(key) && f.search.Matches(key)
}

// readFilter reads the parameters match[] and search. It answers the request if
// it returns false.
func readFilter(w http.ResponseWriter, r *http.Request) (groupFilter, bool) {
	chosen, ok := matchers(w, r)
	if !ok {
		return groupFilter{}, false
	}
	s, err := search.Parse(r.URL.Query().Get("search"))
	if err != nil {
		badParameter(w, "search", err.Error())
		return groupFilter{}, false
	}
	return groupFilter{chosen, s}, true
}

// groupOrder is what groups are sorted by.
type groupOrder int

const (
	byPath groupOrder = iota
	byState
	byAge
	bySeries
	byExpires
)

// groupOrders are the values of the parameter sort.
func groupOrders(name string) (groupOrder, bool) {
	switch name {
	case "", "path":
		return byPath, true
	case "state":
		return byState, true
	case "age":
		return byAge, true
	case "series":
		return bySeries, true
	case "expires":
		return byExpires, true
	}
	return 0, false
}

// groupQuery is what a list of groups is to have.
type groupQuery struct {
	groupFilter
	state         groupState // "" for any
	living, dead  bool
	order         groupOrder
	descending    bool
	limit, offset int
	after         string
}

// readGroupQuery reads the parameters. It answers the request if it returns false.
func readGroupQuery(w http.ResponseWriter, r *http.Request) (groupQuery, bool) {
	q := groupQuery{living: true, dead: true}
	var ok bool
	if q.groupFilter, ok = readFilter(w, r); !ok {
		return q, false
	}
	query := r.URL.Query()
	if q.limit, ok = countParameter(w, query, "limit", defaultGroups, 1, mostGroups); !ok {
		return q, false
	}
	if q.offset, ok = countParameter(w, query, "offset", 0, 0, math.MaxInt32); !ok {
		return q, false
	}
	if text := query.Get("dead"); text != "" {
		dead, err := strconv.ParseBool(text)
		if err != nil {
			badParameter(w, "dead", fmt.Sprintf("%.40q is neither true nor false", text))
			return q, false
		}
		q.living, q.dead = !dead, dead
	}
	switch q.state = groupState(query.Get("state")); q.state {
	case "", stateFailing, stateDead, stateNever, stateUp:
	default:
		badParameter(w, "state", fmt.Sprintf("%.40q is none of failing, dead, up, never", string(q.state)))
		return q, false
	}
	order, descending := strings.CutPrefix(query.Get("sort"), "-")
	if q.order, ok = groupOrders(order); !ok {
		badParameter(w, "sort", fmt.Sprintf("%.40q is none of path, state, age, series, expires, with - before or without", query.Get("sort")))
		return q, false
	}
	q.descending = descending
	q.after = query.Get("after")
	switch {
	case q.after != "" && q.offset != 0:
		badParameter(w, "after", "it does not go together with offset")
		return q, false
	case q.after != "" && (q.order != byPath || q.descending):
		badParameter(w, "after", "it goes with sort=path only; use offset")
		return q, false
	}
	return q, true
}

// countParameter reads a number. It answers the request if it returns false.
func countParameter(w http.ResponseWriter, query url.Values, name string, absent, least, most int) (int, bool) {
	text := query.Get(name)
	if text == "" {
		return absent, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		badParameter(w, name, fmt.Sprintf("%.40q is no number from %d to %d", text, least, most))
		return 0, false
	}
	return n, true
}

// groupRow is a group that was chosen, with what it is sorted by.
type groupRow struct {
	group *store.Group
	by    int64
	path  int // its place by path among those that were chosen
}

// choose returns the groups of a view that fit, in order, and how many there are
// in each state, whichever is asked for. Its error is that of ctx.
func (q *groupQuery) choose(ctx context.Context, view *store.View, noted notedRefusals) ([]groupRow, apiCounts, error) {
	var counts apiCounts
	var rows []groupRow
	for g := range view.All() {
		if err := ctx.Err(); err != nil {
			return nil, counts, err
		}
		if !q.matches(g.Key()) {
			continue
		}
		state := noted.state(g)
		counts.add(state)
		if g.Dead() && !q.dead || !g.Dead() && !q.living || q.state != "" && q.state != state {
			continue
		}
		rows = append(rows, groupRow{g, q.sortedBy(g, state), len(rows)})
	}
	switch {
	case q.order == byPath && q.descending:
		slices.Reverse(rows)
	case q.order != byPath:
		slices.SortFunc(rows, q.compare)
	}
	return rows, counts, nil
}

// sortedBy returns what a group is sorted by, MaxInt64 for what it does not have.
func (q *groupQuery) sortedBy(g *store.Group, state groupState) int64 {
	switch q.order {
	case byState:
		return state.rank()
	case byAge:
		return -g.PushTime() // never is the oldest
	case bySeries:
		_, series := g.Size()
		return int64(series)
	case byExpires:
		if g.Expires() == 0 {
			return math.MaxInt64
		}
		return g.Expires()
	}
	return 0
}

func (q *groupQuery) compare(a, b groupRow) int {
	c := cmp.Compare(a.by, b.by)
	if q.descending && (q.order != byExpires || a.by != math.MaxInt64 && b.by != math.MaxInt64) {
		c = -c
	}
	if c == 0 {
		c = cmp.Compare(a.path, b.path)
	}
	return c
}

// page returns the rows that are asked for, and whether there are more.
func (q *groupQuery) page(rows []groupRow) (page []groupRow, more bool) {
	from := min(q.offset, len(rows))
	if q.after != "" {
		from, _ = slices.BinarySearchFunc(rows, q.after, func(row groupRow, after string) int {
			if row.group.Key().Path() <= after {
				return -1
			}
			return 1
		})
	}
	to := min(from+q.limit, len(rows))
	return rows[from:to], to < len(rows)
}

// limitWork bounds what a request may cost.
func limitWork(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), workTime)
}

// tookTooLong answers what limitWork has ended.
func tookTooLong(w http.ResponseWriter) {
	notNow(w, "timeout", fmt.Sprintf("it takes longer than %s to choose the groups: search for something simpler", workTime))
}

// notNow answers 503 in the API's form.
func notNow(w http.ResponseWriter, kind, reason string) {
	w.Header().Set("Retry-After", "1")
	failed(w, http.StatusServiceUnavailable, kind, reason)
}

// failed answers with an error in the API's form.
func failed(w http.ResponseWriter, status int, kind, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"status": "error", "errorType": kind, "error": reason}) // a client that has gone gets nothing
}
