package exposer

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"sluice/store"
)

const (
	defaultGroups = 100
	mostGroups    = 1000
)

// apiGroup is a group in the list of the API, without its metrics. Times that
// have never been are left out.
type apiGroup struct {
	Group       string            `json:"group"` // the path behind /metrics
	Labels      map[string]string `json:"labels"`
	Up          bool              `json:"up"`
	PushTime    *time.Time        `json:"push_time,omitempty"`
	FailureTime *time.Time        `json:"push_failure_time,omitempty"`
	LastRefusal string            `json:"last_refusal,omitempty"`
	Expires     *time.Time        `json:"expires,omitempty"`
	Forgotten   *time.Time        `json:"forgotten,omitempty"` // when a dead group will be
	Families    int               `json:"families"`
	Series      int               `json:"series"` // lines of text
	Origin      string            `json:"origin,omitempty"`
	Sequence    uint64            `json:"sequence"`
}

// serveGroups lists groups by the path of their keys: those that match[] chooses,
// living and dead unless dead=true or dead=false asks for some only. There are
// limit of them, 100 by default and at most 1,000, behind the group after; next
// is what to ask for next, if there are more.
func (a *API) serveGroups(w http.ResponseWriter, r *http.Request) {
	chosen, ok := matchers(w, r)
	if !ok {
		return
	}
	query := r.URL.Query()
	limit := defaultGroups
	if text := query.Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > mostGroups {
			badParameter(w, "limit", fmt.Sprintf("%.40q is no number from 1 to %d", text, mostGroups))
			return
		}
	}
	wantLiving, wantDead := true, true
	if text := query.Get("dead"); text != "" {
		dead, err := strconv.ParseBool(text)
		if err != nil {
			badParameter(w, "dead", fmt.Sprintf("%.40q is neither true nor false", text))
			return
		}
		wantLiving, wantDead = !dead, dead
	}
	after := query.Get("after")
	answer := struct {
		Groups []apiGroup `json:"groups"`
		Total  int        `json:"total"`
		Next   string     `json:"next,omitempty"`
	}{Groups: []apiGroup{}}
	for g := range a.store.View().All() {
		if g.Dead() && !wantDead || !g.Dead() && !wantLiving || !chosen.Matches(g.Key()) {
			continue
		}
		answer.Total++
		switch path := g.Key().Path(); {
		case path <= after:
		case len(answer.Groups) < limit:
			answer.Groups = append(answer.Groups, listed(g))
		case answer.Next == "":
			answer.Next = answer.Groups[limit-1].Group
		}
	}
	a.send(w, answer)
}

func listed(g *store.Group) apiGroup {
	one := apiGroup{
		Group: g.Key().Path(), Labels: g.Key().Map(), Up: g.Up(),
		PushTime: timeOf(g.PushTime()), FailureTime: timeOf(g.FailTime()), LastRefusal: g.Refusal(),
		Expires: timeOf(g.Expires()), Forgotten: timeOf(g.Forget()), Origin: g.Origin(), Sequence: g.Sequence(),
	}
	for f := range g.Families() {
		if store.IsOwnName(f.Name) {
			continue
		}
		one.Families++
		one.Series += bytes.Count(f.Samples(), []byte{'\n'})
	}
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
