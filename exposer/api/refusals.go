package api

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"sluice/store"
)

const (
	defaultRefusals = 100
	maxRefusals     = 1000
)

// Refusal is an element of the answer of /api/v1/refusals: the last refused push
// of a group. What only another gateway has seen has no status, reason and
// origin.
type Refusal struct {
	Labels  map[string]string `json:"labels"`
	Group   string            `json:"group"` // the path behind /metrics
	Time    time.Time         `json:"time"`
	Status  int               `json:"status,omitempty"` // of HTTP
	Reason  string            `json:"reason,omitempty"` // a word for programs
	Message string            `json:"message"`
	Origin  string            `json:"origin,omitempty"`
}

// Refusals returns the last refusal of each group, the newest first: of all
// groups, or of the one with a path, unless that is "". There are limit of them at
// most; 0 is 100. The error is an *Error.
func (a *API) Refusals(path string, limit int) ([]Refusal, error) {
	all := a.refusals(a.store.View())
	if path != "" {
		key, err := store.ParseKey(path)
		if err != nil {
			return nil, badParameter("group", err.Error())
		}
		all = slices.DeleteFunc(all, func(r store.Refusal) bool { return r.Key.Path() != key.Path() })
	}
	all = all[:min(cmp.Or(limit, defaultRefusals), len(all))]
	refusals := make([]Refusal, 0, len(all))
	for _, r := range all {
		refusals = append(refusals, Refusal{
			Labels: r.Key.Map(), Group: r.Key.Path(), Time: time.Unix(0, r.Time).UTC(),
			Status: r.Status, Reason: r.Reason, Message: r.Message, Origin: r.Origin,
		})
	}
	return refusals, nil
}

func (a *API) serveRefusals(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	limit, err := readNumber(query, "limit", defaultRefusals, 1, maxRefusals)
	if err != nil {
		a.fail(w, err)
		return
	}
	refusals, err := a.Refusals(query.Get("group"), limit)
	a.answer(w, refusals, err)
}

// refusals joins those that the groups have noted with those that this gateway
// remembers, newest first.
func (a *API) refusals(view *store.View) []store.Refusal {
	recent := a.cfg.Refusals()
	known := make(map[string]int64, len(recent))
	all := make([]store.Refusal, 0, len(recent))
	noted := map[string]store.Refusal{}
	for _, r := range recent {
		known[r.Key.Path()] = r.Time
	}
	for g := range view.Groups() {
		if g.Refusal() == "" {
			continue
		}
		// What this gateway remembers says more, and may be newer.
		if at, ok := known[g.Key().Path()]; ok && at >= g.FailTime() {
			continue
		}
		r := store.Refusal{Key: g.Key(), Time: g.FailTime(), Message: g.Refusal()}
		noted[g.Key().Path()] = r
		all = append(all, r)
	}
	for _, r := range recent {
		if _, newer := noted[r.Key.Path()]; !newer {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b store.Refusal) int { return cmp.Compare(b.Time, a.Time) })
	return all
}
