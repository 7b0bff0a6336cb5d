package page

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sluice/store/search"
)

// perPage is how many groups a page has.
const perPage = 50

// firstSort is what the groups are sorted by unless the URL says otherwise: those
// that fail are first, then the dead.
const firstSort = "state"

// groupsView is the page of the groups.
type groupsView struct {
	frame
	groupList
	Search, State, Sort string
	Bad                 string // why the search cannot be understood
	Filters             []filter
	Columns             map[string]column
	First, Last         int // of the groups shown, from 1
	Previous, Next      string
	Deletable           bool   // whether all that the search shows can be deleted by it
	Lines               lines  // of a first push
	Back                string // this view, to come back to
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
		frame:  p.frame(r, "groups", "Groups"),
		Search: strings.TrimSpace(asked.Get("search")), State: asked.Get("state"), Sort: cmp.Or(asked.Get("sort"), firstSort),
	}
	offset, _ := strconv.Atoi(asked.Get("offset"))
	offset = max(0, offset)
	query := url.Values{"limit": {strconv.Itoa(perPage)}, "sort": {v.Sort}}
	if v.Search != "" {
		query.Set("search", v.Search)
	}
	if v.State != "" {
		query.Set("state", v.State)
	}
	if offset > 0 {
		query.Set("offset", strconv.Itoa(offset))
	}
	var err error
	v.groupList, err = ask[groupList](r.Context(), p.cfg.API, "/groups", query)
	switch no := (*refused)(nil); {
	case asRefused(err, &no) && no.code == http.StatusBadRequest:
		v.Bad = no.text // the page is as good as any: people are still typing
	case err != nil:
		return err
	}
	status, err := ask[status](r.Context(), p.cfg.API, "/status", nil)
	if err != nil {
		return err
	}
	v.Admin = status.admin()
	v.Lines = p.lines(r, status, "/job/demo/instance/laptop")
	v.Back = link("", asked)
	if len(v.Groups) > 0 {
		v.First, v.Last = offset+1, offset+len(v.Groups)
	}
	v.Filters = v.filters()
	v.Columns = v.columns()
	if offset > 0 {
		v.Previous = v.link("offset", strconv.Itoa(max(0, offset-perPage)))
	}
	if v.Last > 0 && v.Last < v.shown() {
		v.Next = v.link("offset", strconv.Itoa(v.Last))
	}
	if v.State == "" && v.Bad == "" {
		found, err := search.Parse(v.Search)
		v.Deletable = err == nil && found.Narrows()
	}
	return p.send(w, http.StatusOK, "groups", v)
}

// shown counts the groups on all pages of the view.
func (v groupsView) shown() int {
	switch v.State {
	case "failing":
		return v.Counts.Failing
	case "dead":
		return v.Counts.Dead
	case "never":
		return v.Counts.Never
	case "up":
		return v.Counts.Up
	}
	return v.Counts.All
}

// Shown is for the template.
func (v groupsView) Shown() int { return v.shown() }

// link is the view with one parameter changed. What is as it always is is left
// out, and a change of anything but the offset begins at the first page.
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

// byTime sorts pushers, the newest first.
func byTime(all []pusher) []pusher {
	slices.SortStableFunc(all, func(a, b pusher) int { return b.Time.Compare(a.Time) })
	return all
}
