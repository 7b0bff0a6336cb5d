package page

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice/exposer/api"
)

// The tabs of a group's page.
const (
	tabMetrics = "metrics"
	tabHistory = "history"
	tabPush    = "push"
)

// groupView is the page of one group.
type groupView struct {
	frame
	api.GroupDetail
	Tab      string
	Tabs     []tab
	Lines    lines
	History  *api.History // nil on other tabs, and if it cannot be read
	NoData   string       // why there is no history
	More     string       // shows more metrics, "" if all are there
	Returned int          // metrics on the page
}

type tab struct {
	Key, Text, Link string
	Current         bool
}

const (
	// defaultMetrics and maxMetrics bound the metrics of a group on one page.
	defaultMetrics = 1000
	maxMetrics     = 10_000
	// historyEntries is how many events the history shows.
	historyEntries = 20
)

// serveGroup shows the group with a path, on one of its tabs.
func (p *Page) serveGroup(w http.ResponseWriter, r *http.Request, path string) error {
	v := groupView{Tab: r.URL.Query().Get("tab")}
	limit := 1 // the other tabs show no metrics
	if v.Tab != tabHistory && v.Tab != tabPush {
		v.Tab, limit = tabMetrics, metricsLimit(r.URL.Query())
	}
	var err error
	var no *api.Error
	v.GroupDetail, err = p.cfg.API.Group(path, limit)
	switch {
	case errors.As(err, &no) && no.Status == http.StatusNotFound:
		return &api.Error{Status: no.Status, Kind: no.Kind, Message: fmt.Sprintf("There is no group %s: it was deleted or forgotten, or never pushed.", path)}
	case err != nil:
		return err
	}
	v.frame = p.frame("groups", v.Group)
	v.Pushers = newestFirst(v.Pushers)
	v.Tabs = tabsOf(path, v.Tab)
	switch v.Tab {
	case tabMetrics:
		v.addMetrics(path, limit)
	case tabHistory:
		if err := v.addHistory(r.Context(), p.cfg.API, path); err != nil {
			return err
		}
	case tabPush:
		v.Lines = p.lines(r, p.cfg.API.Status().Flags, v.Group, ttlText(v.GroupSummary, p.cfg.API.Status().Flags))
	}
	return p.send(w, http.StatusOK, "group", v)
}

// metricsLimit is how many metrics a request asks for.
func metricsLimit(query url.Values) int {
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 {
		limit = defaultMetrics
	}
	return min(limit, maxMetrics)
}

func tabsOf(path, current string) []tab {
	tabs := []tab{{Key: tabMetrics, Text: "Metrics"}, {Key: tabHistory, Text: "History"}, {Key: tabPush, Text: "Push and delete"}}
	for i := range tabs {
		t := &tabs[i]
		query := url.Values{"group": {path}}
		if t.Key != tabMetrics {
			query.Set("tab", t.Key)
		}
		t.Link, t.Current = link("", query), t.Key == current
	}
	return tabs
}

// addMetrics counts the metrics that are shown, and links to more.
func (v *groupView) addMetrics(path string, limit int) {
	for _, f := range v.Families {
		v.Returned += len(f.Metrics)
	}
	if v.Truncated && limit < maxMetrics {
		v.More = link("", url.Values{"group": {path}, "limit": {strconv.Itoa(maxMetrics)}})
	}
}

// addHistory reads the history. The page says why there is none.
func (v *groupView) addHistory(ctx context.Context, from API, path string) error {
	h, err := from.History(ctx, path, historyEntries)
	var no *api.Error
	switch {
	case errors.As(err, &no):
		v.NoData = no.Message
	case err != nil:
		return err
	default:
		v.History = &h
	}
	return nil
}

// Refused is when a push to the group was last refused, nil if never.
func (v groupView) Refused() *time.Time { return refusedAt(v.GroupSummary) }

// Reason is why the last push was refused, nil if it was not.
func (v groupView) Reason() *reason { return reasonOf(v.GroupSummary) }

// LabelsOf are the labels of a metric without those of the group.
func (v groupView) LabelsOf(m api.Metric) map[string]string {
	labels := map[string]string{}
	for name, value := range m.Labels {
		if of, ok := v.Labels[name]; (!ok || of != value) && value != "" {
			labels[name] = value
		}
	}
	return labels
}

// Brief is the text of a series without the labels of the group.
func (v groupView) Brief(series string) string {
	name, rest, ok := strings.Cut(series, "{")
	if !ok {
		return series
	}
	var kept []string
	for rest != "}" {
		label, after, ok := strings.Cut(rest, "=")
		quoted, err := strconv.QuotedPrefix(after) // has the escapes of the text format, and more
		if !ok || err != nil {
			return series
		}
		rest = strings.TrimPrefix(after[len(quoted):], ",")
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return series
		}
		if of, ok := v.Labels[label]; value != "" && (!ok || value != of) {
			kept = append(kept, label+"="+quoted)
		}
	}
	if len(kept) == 0 {
		return name
	}
	return name + "{" + strings.Join(kept, ",") + "}"
}

// Histogram draws a metric, nil if it is no histogram.
func (v groupView) Histogram(m api.Metric) *histogramPlot {
	h := histogramOf(m)
	if h != nil {
		h.Labels = v.LabelsOf(m)
	}
	return h
}

// Older tells whether a family has been pushed before the group's last push.
func (v groupView) Older(f api.Family) bool {
	return v.PushTime != nil && f.PushTime != nil && v.PushTime.Sub(*f.PushTime) >= time.Second
}
