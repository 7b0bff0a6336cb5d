package page

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The tabs of a group's page.
const (
	tabMetrics = "metrics"
	tabHistory = "history"
	tabPush    = "push"
)

// labelEscapes are those of values in the text format.
var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// groupView is the page of one group.
type groupView struct {
	frame
	group
	Fams      []family
	Truncated bool // Fams has not all metrics
	Tab       string
	Tabs      []tab
	Lines     lines
	History   *history
	NoData    string // why there is no history
	More      string // shows more metrics, "" if all are there
	Returned  int    // metrics on the page
}

type tab struct {
	Key, Text, Link string
	Current         bool
}

// defaultMetrics and mostMetrics bound the metrics of a group on one page.
const (
	defaultMetrics = 1000
	mostMetrics    = 10_000
)

func (p *Page) serveGroup(w http.ResponseWriter, r *http.Request, path string) error {
	asked := r.URL.Query()
	limit, err := strconv.Atoi(asked.Get("limit"))
	if err != nil || limit < 1 {
		limit = defaultMetrics
	}
	limit = min(limit, mostMetrics)
	if asked.Get("tab") == tabPush || asked.Get("tab") == tabHistory {
		limit = 1 // metrics are not shown there
	}
	one, err := ask[oneGroup](r.Context(), p.cfg.API, "/group", url.Values{"group": {path}, "limit": {strconv.Itoa(limit)}})
	if err != nil {
		if no := (*refused)(nil); asRefused(err, &no) && no.code == http.StatusNotFound {
			return &refused{http.StatusNotFound, fmt.Sprintf("There is no group %s: it was deleted or forgotten, or never pushed.", path)}
		}
		return err
	}
	status, err := ask[status](r.Context(), p.cfg.API, "/status", nil)
	if err != nil {
		return err
	}
	one.group.Families = len(one.Families)
	v := groupView{frame: p.frame(r, "groups", one.Group), group: one.group, Fams: one.Families, Truncated: one.Truncated, Tab: asked.Get("tab")}
	v.Admin = status.admin()
	v.Pushers = byTime(v.Pushers)
	v.Lines = p.lines(r, status, one.Group)
	switch v.Tab {
	case tabHistory:
		h, err := ask[history](r.Context(), p.cfg.API, "/history", url.Values{"group": {path}, "limit": {"20"}})
		switch no := (*refused)(nil); {
		case err == nil:
			v.History = &h
		case asRefused(err, &no):
			v.NoData = no.text
		default:
			return err
		}
	case tabPush:
	default:
		v.Tab = tabMetrics
		for _, f := range v.Fams {
			v.Returned += len(f.Metrics)
		}
		if v.Truncated && limit < mostMetrics {
			v.More = link("", url.Values{"group": {path}, "limit": {strconv.Itoa(mostMetrics)}})
		}
	}
	for _, t := range []tab{{Key: tabMetrics, Text: "Metrics"}, {Key: tabHistory, Text: "History"}, {Key: tabPush, Text: "Push and delete"}} {
		query := url.Values{"group": {path}}
		if t.Key != tabMetrics {
			query.Set("tab", t.Key)
		}
		t.Link, t.Current = link("", query), t.Key == v.Tab
		v.Tabs = append(v.Tabs, t)
	}
	return p.send(w, http.StatusOK, "group", v)
}

// Failing tells whether the last push was refused.
func (v groupView) Failing() bool {
	return v.State == "failing" || v.State == "never"
}

// Own are the labels of a metric without those of the group.
func (v groupView) Own(m metric) map[string]string {
	own := map[string]string{}
	for name, value := range m.Labels {
		if of, ok := v.Labels[name]; (!ok || of != value) && value != "" {
			own[name] = value
		}
	}
	return own
}

// Brief is the text of a series without the labels of the group.
func (v groupView) Brief(series string) string {
	name, rest, ok := strings.Cut(series, "{")
	if !ok {
		return series
	}
	var own []string
	for rest != "}" {
		label, after, ok := strings.Cut(rest, "=")
		value, err := strconv.QuotedPrefix(after)
		if !ok || err != nil {
			return series
		}
		rest = strings.TrimPrefix(after[len(value):], ",")
		if of, ok := v.Labels[label]; value != `""` && (!ok || value != `"`+labelEscapes.Replace(of)+`"`) {
			own = append(own, label+"="+value)
		}
	}
	if len(own) == 0 {
		return name
	}
	return name + "{" + strings.Join(own, ",") + "}"
}

// Histogram draws a metric, nil if it is no histogram.
func (v groupView) Histogram(m metric) *histogramPlot {
	h := histogramOf(m)
	if h != nil {
		h.Labels = v.Own(m)
	}
	return h
}

// Older tells whether a family has been pushed before the group's last push.
func (v groupView) Older(f family) bool {
	return v.PushTime != nil && !f.PushTime.IsZero() && v.PushTime.Sub(f.PushTime) >= time.Second
}

// One is the group alone, for the template.
func (v groupView) One() group { return v.group }

func asRefused(err error, target **refused) bool { return errors.As(err, target) }
