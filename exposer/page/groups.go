package page

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sluice/exposer/api"
	"sluice/store/search"
)

// firstSort is the default order of groups: those that fail come first, then the
// dead ones.
const firstSort = "state"

// byJob is the parameter by of the view by job.
const byJob = "job"

// groupsView is the page of the groups.
type groupsView struct {
	frame
	api.GroupList
	list
	State     string
	Filters   []filter
	Deletable bool  // all that the search shows can be deleted by it
	Lines     lines // of a first push
}

// list is what the views of groups and of jobs have in common.
type list struct {
	By      string // byJob, or "" for groups
	Search  string
	Sort    string
	Bad     string // why the search cannot be read
	Columns map[string]column
	Pages   pages
	// ByGroup and ByJob link to both views of the same search.
	ByGroup, ByJob string
	// Hidden are the parameters of the view but for the search.
	Hidden map[string]string
}

// filter is a link that shows the groups of a state only.
type filter struct {
	State, Text, Link string
	Count             int
	Current           bool
}

func (p *Page) serveGroups(w http.ResponseWriter, r *http.Request) error {
	asked := r.URL.Query()
	v := groupsView{
		frame: p.frame("groups", "Groups"), list: listOf(asked, firstSort), State: asked.Get("state"),
		Lines: p.lines(r, p.cfg.API.Status().Flags, "/job/demo/instance/laptop", ""),
	}
	v.Hidden = v.parameters("search", "")
	offset := offsetOf(asked)
	err := v.ask(r.Context(), p.cfg.API, offset)
	if last := lastOffset(v.Shown()); err == nil && len(v.Groups) == 0 && v.Shown() > 0 && offset > last {
		offset = last // there are fewer groups than there were
		err = v.ask(r.Context(), p.cfg.API, offset)
	}
	if v.Bad, err = badRequest(err); err != nil {
		return err
	}
	v.Filters = v.filters()
	v.Columns = columnsOf(v.Sort, []column{
		{Key: "state", Text: "State"}, {Key: "path", Text: "Group"}, {Key: "age", Text: "Last push"},
		{Key: "expires", Text: "Expires"}, {Key: "-series", Text: "Series"},
	}, v.link)
	v.Pages = pagesOf(offset, len(v.Groups), v.Shown(), v.link)
	if v.State == "" && v.Bad == "" {
		found, err := search.Parse(v.Search)
		v.Deletable = err == nil && found.Narrows()
	}
	return p.send(w, http.StatusOK, "groups", v)
}

// listOf reads what a request asks for.
func listOf(asked url.Values, firstSort string) list {
	l := list{Search: strings.TrimSpace(asked.Get("search")), Sort: cmp.Or(asked.Get("sort"), firstSort)}
	query := url.Values{}
	if l.Search != "" {
		query.Set("search", l.Search)
	}
	l.ByGroup = link("", query)
	query.Set("by", byJob)
	l.ByJob = link("", query)
	return l
}

// badRequest returns the message of an error that the request has caused. It is no
// error page: people are still typing.
func badRequest(err error) (bad string, other error) {
	var no *api.Error
	if errors.As(err, &no) && no.Status == http.StatusBadRequest {
		return no.Message, nil
	}
	return "", err
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

// link is the view with one parameter changed. A change of anything but the offset
// begins at the first page.
func (v groupsView) link(name, value string) string {
	query := url.Values{}
	for key, have := range v.parameters(name, value) {
		query.Set(key, have)
	}
	return link("", query)
}

// parameters are those of the view without defaults, with one changed.
func (v groupsView) parameters(name, value string) map[string]string {
	all := map[string]string{"search": v.Search, "state": v.State, "sort": v.Sort}
	return changed(all, firstSort, name, value)
}

// changed returns the parameters that are no defaults, with one changed.
func changed(all map[string]string, firstSort, name, value string) map[string]string {
	all[name] = value
	for key, have := range all {
		if have == "" || key == "sort" && have == firstSort || key == "offset" && have == "0" {
			delete(all, key)
		}
	}
	return all
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
