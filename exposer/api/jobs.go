package api

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sluice/store"
)

// JobsRequest asks for a list of jobs. The zero value asks for the first 100 of all
// jobs.
type JobsRequest struct {
	// Filter chooses the groups that are counted. Jobs without such groups are not
	// listed.
	Filter Filter
	// Sort is job, state (jobs with failing groups first, then never accepted, dead and
	// late ones), age, groups, failing, dead, late or series, with "-" before it for
	// the opposite order. "" is job.
	Sort string
	// Limit is how many jobs are listed, 1,000 at most; 0 is 100.
	Limit int
	// Offset is how many jobs before them are left out.
	Offset int
}

// JobList is the answer of /api/v1/jobs.
type JobList struct {
	// Ready tells whether these are all jobs, or the gateway is still replaying the
	// stream.
	Ready bool `json:"ready"`
	// Jobs are those that were asked for.
	Jobs []Job `json:"jobs"`
	// Total is how many jobs the filter chooses, on all pages.
	Total  int `json:"total"`
	Offset int `json:"offset"`
	// Counts are of the groups that the filter chooses.
	Counts Counts `json:"counts"`
}

// Job is all groups with the same label job.
type Job struct {
	Job    string `json:"job"`
	Groups Counts `json:"groups"`
	// Late is how many living groups have used up two thirds of their time to live
	// since the last push that was accepted. They are among the failing or up, too.
	Late int `json:"late"`
	// Series counts lines of text.
	Series int `json:"series"`
	// PushTime is that of the last push that was accepted, nil for never.
	PushTime *time.Time `json:"push_time,omitempty"`

	pushed int64 // the same in nanoseconds since 1970
}

// What only the list of jobs may be sorted by.
const (
	sortJob     = "job"
	sortGroups  = "groups"
	sortFailing = "failing"
	sortDead    = "dead"
	sortLate    = "late"
)

// Jobs counts the groups of each job. It looks at each group once, whatever is
// asked for. It ends with ctx, and after two seconds in any case. The error is an
// *Error.
func (a *API) Jobs(ctx context.Context, q JobsRequest) (JobList, error) {
	by, descending := strings.CutPrefix(cmp.Or(q.Sort, sortJob), "-")
	key, ok := jobOrders()[by]
	if !ok {
		return JobList{}, badParameter("sort", fmt.Sprintf("%.40q is none of job, state, age, groups, failing, dead, late, series, with - before or without", q.Sort))
	}
	ctx, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	list := JobList{Ready: a.cfg.Ready(), Jobs: []Job{}, Offset: q.Offset}
	jobs, err := a.countJobs(ctx, q.Filter, &list.Counts)
	if err != nil {
		return JobList{}, tookTooLong()
	}
	slices.SortFunc(jobs, func(a, b *Job) int {
		c := cmp.Compare(key(a), key(b))
		if c == 0 {
			c = cmp.Compare(a.Job, b.Job)
			if by != sortJob {
				return c
			}
		}
		if descending {
			return -c
		}
		return c
	})
	list.Total = len(jobs)
	from := min(max(0, q.Offset), len(jobs))
	for _, job := range jobs[from:min(from+min(cmp.Or(q.Limit, defaultGroups), maxGroups), len(jobs))] {
		job.PushTime = timeOf(job.pushed)
		list.Jobs = append(list.Jobs, *job)
	}
	return list, nil
}

// countJobs counts the groups that a filter chooses, each in its job and in counts.
func (a *API) countJobs(ctx context.Context, filter Filter, counts *Counts) ([]*Job, error) {
	remembered := a.rememberedRefusals()
	now := a.now().UnixNano()
	byName := map[string]*Job{}
	var jobs []*Job
	for g := range a.store.View().All() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !filter.matches(g.Key()) {
			continue
		}
		name, _ := g.Key().Get(store.JobLabel)
		job := byName[name]
		if job == nil {
			job = &Job{Job: name}
			byName[name] = job
			jobs = append(jobs, job)
		}
		state := remembered.state(g)
		counts.add(state)
		job.Groups.add(state)
		if isLate(g, now) {
			job.Late++
		}
		_, series := g.Size()
		job.Series += series
		job.pushed = max(job.pushed, g.PushTime())
	}
	return jobs, nil
}

// isLate tells whether a living group has used up two thirds of its time to live: a
// pusher that pushes three times in it has missed two pushes.
func isLate(g *store.Group, now int64) bool {
	ttl := g.Expires() - g.PushTime()
	return !g.Dead() && g.Expires() != 0 && g.PushTime() != 0 && now-g.PushTime() > ttl/3*2
}

// jobOrders returns by what jobs may be sorted, with the number by which. Jobs that
// have the same are sorted by name.
func jobOrders() map[string]func(*Job) int64 {
	return map[string]func(*Job) int64{
		sortJob:     func(*Job) int64 { return 0 },
		sortState:   (*Job).rank,
		sortAge:     func(j *Job) int64 { return -j.pushed }, // never is the oldest
		sortGroups:  func(j *Job) int64 { return int64(j.Groups.All) },
		sortFailing: func(j *Job) int64 { return int64(j.Groups.Failing) },
		sortDead:    func(j *Job) int64 { return int64(j.Groups.Dead) },
		sortLate:    func(j *Job) int64 { return int64(j.Late) },
		sortSeries:  func(j *Job) int64 { return int64(j.Series) },
	}
}

// rank is the place of a job in a list: what people have to look at comes first.
func (j *Job) rank() int64 {
	switch {
	case j.Groups.Failing > 0:
		return 0
	case j.Groups.Never > 0:
		return 1
	case j.Groups.Dead > 0:
		return 2
	case j.Late > 0:
		return 3
	}
	return 4
}

func (a *API) serveJobs(w http.ResponseWriter, r *http.Request) {
	q, err := readJobsRequest(r.URL.Query())
	if err != nil {
		a.fail(w, err)
		return
	}
	list, err := a.Jobs(r.Context(), q)
	a.answer(w, list, err)
}

// readJobsRequest reads the parameters of a request.
func readJobsRequest(query url.Values) (q JobsRequest, err error) {
	if q.Filter, err = readFilter(query); err != nil {
		return q, err
	}
	if q.Limit, err = readNumber(query, "limit", defaultGroups, 1, maxGroups); err != nil {
		return q, err
	}
	q.Offset, err = readNumber(query, "offset", 0, 0, math.MaxInt32)
	q.Sort = query.Get("sort")
	return q, err
}
