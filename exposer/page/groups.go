package page

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sluice/exposer/api"
	"sluice/store/search"
)

// perPage is how many groups a page has.
const perPage = 50

// firstSort is the default order of groups: those that fail come first, then the
// dead ones.
const firstSort = "state"

// groupsView is the page of the groups.
type groupsView struct {
	frame
	api.GroupList
	Search, State, Sort string
	Bad                 string // why the search cannot be read
	Filters             []filter
	Columns             map[string]column
	First, Last         int // of the groups shown, from 1
	Previous, Next      string
	Deletable           bool   // all that the search shows can be deleted by it
	Lines               lines  // of a first push
	Back                string // a link to this view
}

// filter is a link that shows the groups of a state only.
type filter struct {
	State, Text, Link string
	Count             int
	Current           bool
}

// column is the head of a column that can be sorted by.
type column struct {
	Key, Text, Link string
	Aria            string // as in aria-sort
}

func (p *Page) serveGroups(w http.ResponseWriter, r *http.Request) error {
	asked := r.URL.Query()
	v := groupsView{
		frame:  p.frame("groups", "Groups"),
		Search: strings.TrimSpace(asked.Get("search")), State: asked.Get("state"), Sort: cmp.Or(asked.Get("sort"), firstSort),
		Lines: p.lines(r, p.cfg.API.Status().Flags, "/job/demo/instance/laptop"), Back: link("", asked),
	}
	offset, _ := strconv.Atoi(asked.Get("offset"))
	offset = max(0, offset)
	var no *api.Error
	switch err := v.ask(r.Context(), p.cfg.API, offset); {
	case errors.As(err, &no) && no.Status == http.StatusBadRequest:
		v.Bad = no.Message // not an error page: people are still typing
	case err != nil:
		return err
	}
	if len(v.Groups) > 0 {
		v.First, v.Last = offset+1, offset+len(v.Groups)
	}
	v.Filters = v.filters()
	v.Columns = v.columns()
	if offset > 0 {
		v.Previous = v.link("offset", strconv.Itoa(max(0, offset-perPage)))
	}
	if v.Last > 0 && v.Last < v.Shown() {
		v.Next = v.link("offset", strconv.Itoa(v.Last))
	}
	if v.State == "" && v.Bad == "" {
		found, err := search.Parse(v.Search)
		v.Deletable = err == nil && found.Narrows()
	}
	return p.send(w, http.StatusOK, "groups", v)
}

// ask gets the groups of the view from an offset on.
func (v *groupsView) ask(ctx context.Context, from API, offset int) error {
	filter, err := api.ParseFilter(nil, v.Search)
	if err != nil {
		return err
	}
	v.GroupList, err = from.Groups(ctx, api.GroupsRequest{
		Filter: filter, State: api.State(v.State), Sort: v.Sort, Limit: perPage, Offset: offset,
	})
	return err
}

// Shown counts the groups on all pages of the view.
func (v groupsView) Shown() int {
	switch api.State(v.State) {
	case api.StateFailing:
		return v.Counts.Failing
	case api.StateDead:
		return v.Counts.Dead
	case api.StateNever:
		return v.Counts.Never
	case api.StateUp:
		return v.Counts.Up
	}
	return v.Counts.All
}

// link is the view with one parameter changed. Defaults are left out. A change of
// anything but the offset begins at the first page.
func (v groupsView) link(name, value string) string {
	query := url.Values{}
	for key, have := range map[string]string{"search": v.Search, "state": v.State, "sort": v.Sort} {
		if key == name {
			have = value
		}
		if have != "" && (key != "sort" || have != firstSort) {
			query.Set(key, have)
		}
	}
	if name == "offset" && value != "0" {
		query.Set(name, value)
	}
	return link("", query)
}

func (v groupsView) filters() []filter {
	all := []filter{
		{State: "", Text: "All", Count: v.Counts.All},
		{State: "failing", Text: "Failing", Count: v.Counts.Failing},
		{State: "dead", Text: "Dead", Count: v.Counts.Dead},
		{State: "never", Text: "Never accepted", Count: v.Counts.Never},
		{State: "up", Text: "Up", Count: v.Counts.Up},
	}
	for i := range all {
		all[i].Link, all[i].Current = v.link("state", all[i].State), all[i].State == v.State
	}
	return all
}

func (v groupsView) columns() map[string]column {
	heads := map[string]column{}
	for _, c := range []column{
		{Key: "state", Text: "State"}, {Key: "path", Text: "Group"}, {Key: "age", Text: "Last push"},
		{Key: "expires", Text: "Expires"}, {Key: "-series", Text: "Series"},
	} {
		turned := strings.TrimPrefix("-"+c.Key, "--")
		next := c.Key
		switch v.Sort {
		case c.Key:
			next = turned
			fallthrough
		case turned:
			c.Aria = "ascending"
			if strings.HasPrefix(v.Sort, "-") {
				c.Aria = "descending"
			}
		}
		c.Link = v.link("sort", next)
		heads[strings.TrimPrefix(c.Key, "-")] = c
	}
	return heads
}

// labelLink is the view of all groups that have a label.
func labelLink(name, value string) string {
	return link("", url.Values{"search": {search.Term(name, value)}})
}

// groupLink is the page of a group.
func groupLink(path string) string { return link("", url.Values{"group": {path}}) }

// newestFirst sorts pushers.
func newestFirst(all []api.Pusher) []api.Pusher {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b api.Pusher) int { return b.Time.Compare(a.Time) })
	return all
}

// lastOrigin is the last known origin that has pushed a group. The origin of an
// event that made a group dead is no pusher.
func lastOrigin(g api.GroupSummary) string {
	switch {
	case len(g.Pushers) > 0:
		return newestFirst(g.Pushers)[0].Origin
	case g.State == api.StateDead:
		return ""
	}
	return g.Origin
}
