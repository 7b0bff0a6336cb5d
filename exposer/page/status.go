package page

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sluice/exposer/api"
	"sluice/store/words"
)

// statusView is the page of the status.
type statusView struct {
	frame
	api.Status
	Builds      []pair
	Limits      []limit
	Flags       []flagValue
	Scrape      string // a configuration for Prometheus
	Sure        bool
	MetricsLink string // the path of scrapes, relative
}

type pair struct{ Name, Value string }

type limit struct {
	flagValue
	Text string
}

// flagValue is the value of a flag. If it is not the default, Set is true.
type flagValue struct {
	Name    string
	Value   string // as it was given
	Size    string // bytes in the unit that fits, "" for anything else
	Set     bool
	Default string
}

// flagOf is the value of a flag by name.
func flagOf(s *api.Status, name string) flagValue {
	f := flagValue{Name: name, Value: s.Flags[name]}
	f.Default, f.Set = s.Defaults[name]
	if n, err := strconv.ParseUint(f.Value, 10, 63); err == nil && strings.HasSuffix(name, "bytes") && n >= 1024 {
		f.Value, f.Size = words.Thousands(n), words.Size(n)
	}
	return f
}

// limits are the flags that are limits, with what they limit.
var limits = [...]pair{
	{"push.max-bytes", "largest push, on the wire and decompressed"},
	{"push.max-series", "most series of a push"},
	{"push.max-groups", "most groups"},
	{"push.max-labels", "most labels of a series"},
	{"push.max-label-bytes", "longest name and value of a label, in bytes"},
	{"push.max-waiting", "pushes that may wait for the stream"},
	{"push.max-waiting-bytes", "bytes of all pushes that wait"},
	{"push.wait", "how long a push may wait"},
	{"bus.max-bytes", "largest stream; 0: no limit but the disk"},
	{"bus.history", "events kept of each group"},
	{"group.ttl", "time to live of groups that have none of their own"},
	{"group.forget-after", "how long a dead group is remembered"},
	{"web.max-connections", "most connections at once"},
	{"web.max-header-bytes", "most bytes of headers"},
	{"web.read-timeout", "time for the body of a request"},
}

func (p *Page) serveStatus(w http.ResponseWriter, r *http.Request) error {
	s := p.cfg.API.Status()
	v := statusView{frame: p.frame("status", "Status"), Status: s}
	for _, name := range []string{"version", "revision", "branch", "buildUser", "buildDate", "goVersion"} {
		if value := s.Build[name]; value != "" {
			v.Builds = append(v.Builds, pair{name, value})
		}
	}
	for _, l := range limits {
		if _, ok := s.Flags[l.Name]; ok {
			v.Limits = append(v.Limits, limit{flagOf(&s, l.Name), l.Value})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Flags)) {
		v.Flags = append(v.Flags, flagOf(&s, name))
	}
	base, sure := p.baseURL(r)
	v.Sure = sure
	v.MetricsLink = strings.TrimPrefix(p.cfg.Metrics, "/")
	v.Scrape = scrapeConfig(base, p.cfg.Metrics)
	return p.send(w, http.StatusOK, "status", v)
}

// scrapeConfig is the configuration with which Prometheus scrapes the gateway, without
// defaults. YAML has all escapes of strconv.Quote.
func scrapeConfig(base, metrics string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	var b strings.Builder
	b.WriteString("scrape_configs:\n  - job_name: sluice\n    honor_labels: true   # job and instance are those of the push\n")
	if u.Scheme == "https" {
		b.WriteString("    scheme: https\n")
	}
	if path := u.Path + cmp.Or(metrics, "/metrics"); path != "/metrics" {
		fmt.Fprintf(&b, "    metrics_path: %s\n", strconv.Quote(path))
	}
	fmt.Fprintf(&b, "    static_configs:\n      - targets: [%s]\n", strconv.Quote(hostPort(u)))
	return b.String()
}

// hostPort is the address of a URL in the form of a Prometheus target.
func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	if u.Scheme == "https" {
		return u.Host + ":443"
	}
	return u.Host + ":80"
}
