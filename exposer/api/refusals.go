package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"sluice/store"
)

const (
	defaultRefusals = 100
	mostRefusals    = 1000
)

// apiRefusal is the last refused push of a group in the API.
type apiRefusal struct {
	Labels  map[string]string `json:"labels"`
	Group   string            `json:"group"` // the path behind /metrics
	Time    time.Time         `json:"time"`
	Status  int               `json:"status,omitempty"`
	Reason  string            `json:"reason,omitempty"`
	Message string            `json:"message"`
	Origin  string            `json:"origin,omitempty"`
}

// serveRefusals sends the last refusal of each group, newest first: of all
// groups, or of the one that the parameter group has the path of. The parameter
// limit says of how many, 100 by default and at most 1,000.
func (a *API) serveRefusals(w http.ResponseWriter, r *http.Request) {
	limit := defaultRefusals
	if text := r.URL.Query().Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > mostRefusals {
			badParameter(w, "limit", fmt.Sprintf("%q is no number from 1 to %d", text, mostRefusals))
			return
		}
	}
	all := a.refusals(a.store.View())
	if path := r.URL.Query().Get("group"); path != "" {
		key, err := store.ParseKey(path)
		if err != nil {
			badParameter(w, "group", err.Error())
			return
		}
		all = slices.DeleteFunc(all, func(r store.Refusal) bool { return r.Key.Path() != key.Path() })
	}
	data := make([]apiRefusal, 0, min(limit, len(all)))
	for _, refusal := range all[:min(limit, len(all))] {
		data = append(data, apiRefusal{
			Labels: refusal.Key.Map(), Group: refusal.Key.Path(), Time: time.Unix(0, refusal.Time).UTC(),
			Status: refusal.Status, Reason: refusal.Reason, Message: refusal.Message, Origin: refusal.Origin,
		})
	}
	a.send(w, data)
}

// refusals joins those that the groups have noted with those that this gateway
// remembers, newest first.
func (a *API) refusals(view *store.View) []store.Refusal {
	recent := a.recent()
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

// badParameter answers 400 in the API's form.
func badParameter(w http.ResponseWriter, name, problem string) {
	failed(w, http.StatusBadRequest, "bad_data", fmt.Sprintf("parameter %s: %s", name, problem))
}
