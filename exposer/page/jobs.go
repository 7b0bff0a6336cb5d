package page

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"sluice/exposer/api"
	"sluice/store/search"
)

// jobsView is the page of the jobs.
type jobsView struct {
	frame
	api.JobList
	list
	Rows []jobRow
}

// jobRow is a job with links to its groups, by state.
type jobRow struct {
	api.Job
	All, Up, Failing, Dead, Never string
	Late                          string // the groups that expire first
}

func (p *Page) serveJobs(w http.ResponseWriter, r *http.Request) error {
	asked := r.URL.Query()
	v := jobsView{frame: p.frame("groups", "Jobs"), list: listOf(asked, firstSort)}
	v.By = byJob
	v.Hidden = v.parameters("search", "")
	offset := offsetOf(asked)
	err := v.ask(r.Context(), p.cfg.API, offset)
	if last := lastOffset(v.Total); err == nil && len(v.Jobs) == 0 && v.Total > 0 && offset > last {
		offset = last // there are fewer jobs than there were
		err = v.ask(r.Context(), p.cfg.API, offset)
	}
	if v.Bad, err = badRequest(err); err != nil {
		return err
	}
	for _, job := range v.Jobs {
		v.Rows = append(v.Rows, v.row(job))
	}
	v.Columns = columnsOf(v.Sort, []column{
		{Key: "job", Text: "Job"}, {Key: "-groups", Text: "Groups"}, {Key: "state", Text: "Up"}, {Key: "-failing", Text: "Failing"},
		{Key: "-dead", Text: "Dead"}, {Key: "-late", Text: "Late"}, {Key: "-series", Text: "Series"}, {Key: "age", Text: "Last push"},
	}, v.link)
	v.Pages = pagesOf(offset, len(v.Jobs), v.Total, v.link)
	return p.send(w, http.StatusOK, "jobs", v)
}

// ask gets the jobs of the view from an offset on.
func (v *jobsView) ask(ctx context.Context, from API, offset int) error {
	filter, err := api.ParseFilter(nil, v.Search)
	if err != nil {
		return err
	}
	v.JobList, err = from.Jobs(ctx, api.JobsRequest{Filter: filter, Sort: v.Sort, Limit: perPage, Offset: offset})
	return err
}

// row links to the groups of a job that the search chooses.
func (v *jobsView) row(job api.Job) jobRow {
	term := search.Term("job", job.Job)
	if !strings.Contains(" "+v.Search+" ", " "+term+" ") {
		term = strings.TrimSpace(v.Search + " " + term)
	} else {
		term = v.Search
	}
	groups := func(name, value string) string {
		query := url.Values{"search": {term}}
		if name != "" {
			query.Set(name, value)
		}
		return link("", query)
	}
	return jobRow{
		Job: job, All: groups("", ""), Up: groups("state", "up"), Failing: groups("state", "failing"),
		Dead: groups("state", "dead"), Never: groups("state", "never"), Late: groups("sort", "expires"),
	}
}

// link is the view with one parameter changed. A change of anything but the offset
// begins at the first page.
func (v jobsView) link(name, value string) string {
	query := url.Values{}
	for key, have := range v.parameters(name, value) {
		query.Set(key, have)
	}
	return link("", query)
}

// parameters are those of the view without defaults, with one changed.
func (v jobsView) parameters(name, value string) map[string]string {
	return changed(map[string]string{"by": byJob, "search": v.Search, "sort": v.Sort}, firstSort, name, value)
}
