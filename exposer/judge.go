package exposer

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"sluice/store"
)

// maxVerdict bounds the text of an inconsistency in bytes: it names each metric.
const maxVerdict = 4 << 10

// sampleValues matches what differs from push to push in texts of the same cause.
var sampleValues = regexp.MustCompile(`(value|sample_sum|sample_count):[^" }]+`)

// Judge tells whether a view is consistent. If pushes are checked that costs nothing.
// If they are not (--push.disable-consistency-check) and one of them looked wrong, it
// gathers everything, as Pushgateway does in each scrape. Its methods may be called
// concurrently, and wait for each other while it gathers.
type Judge struct {
	store  *store.Store
	self   *SelfMetrics
	logger *slog.Logger

	mu       sync.Mutex // held while gathering, so that it is done once for all callers
	judged   bool
	sequence uint64 // of the view that the verdict is about
	verdict  error
	logged   string // the cause that the log has seen last
}

// NewJudge returns a judge of the store's views beside the gateway's own metrics.
func NewJudge(s *store.Store, self *SelfMetrics, logger *slog.Logger) *Judge {
	return &Judge{store: s, self: self, logger: logger}
}

// Check returns why the view is inconsistent, nil if it is not. Each new cause
// is logged once.
func (j *Judge) Check(view *store.View) error {
	if !view.Suspect() {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.judged && j.sequence == view.Sequence() {
		return j.verdict
	}
	j.judged, j.sequence, j.verdict = true, view.Sequence(), j.gather(view)
	if j.verdict == nil {
		j.store.Cleared(view)
		j.logged = ""
		return nil
	}
	text := j.verdict.Error()
	if cause := sampleValues.ReplaceAllString(text, ""); cause != j.logged {
		j.logged = cause
		j.logger.Error("error gathering metrics: scrapes fail until what is wrong is pushed anew or deleted", "err", text)
	}
	return j.verdict
}

// Inconsistent returns why scrapes fail now, "" if they do not. It may gather.
func (j *Judge) Inconsistent() string {
	if err := j.Check(j.store.View()); err != nil {
		gist, _, _ := strings.Cut(err.Error(), "\n")
		return "scrapes fail, since pushes are not checked for consistency: " + gist
	}
	return ""
}

// gather checks the view with the rules of client_golang.
func (j *Judge) gather(view *store.View) error {
	_, err := prometheus.Gatherers{
		prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return j.self.gather(view) }),
		prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
			var all []*dto.MetricFamily
			for _, f := range view.Families() {
				message, err := (&exposed{name: f.Name(), stored: f, both: true}).message()
				if err != nil {
					return nil, fmt.Errorf("family %q: %w", f.Name(), err)
				}
				all = append(all, message)
			}
			return all, nil
		}),
	}.Gather()
	if err == nil {
		return nil
	}
	text := err.Error()
	if len(text) > maxVerdict {
		text = strings.ToValidUTF8(text[:maxVerdict], "") + "..."
	}
	return errors.New(text)
}
