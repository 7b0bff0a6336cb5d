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

// maxVerdict bounds the text of an inconsistency in bytes: it names metric after
// metric.
const maxVerdict = 4 << 10

// sampleValues are what differs in the texts of one cause from push to push.
var sampleValues = regexp.MustCompile(`(value|sample_sum|sample_count):[^" }]+`)

// Judge tells whether a view is consistent. It costs nothing where pushes are
// checked. Where they are not (--push.disable-consistency-check), and one of
// them looked wrong, it gathers everything, as Pushgateway does in each scrape.
type Judge struct {
	store  *store.Store
	own    *OwnMetrics
	logger *slog.Logger

	mu       sync.Mutex // held while gathering: once is enough for all who ask
	judged   bool
	sequence uint64 // of the view that the verdict is about
	verdict  error
	logged   string // the cause that the log has seen last
}

// NewJudge returns a judge of the store's views beside the gateway's own metrics.
func NewJudge(s *store.Store, own *OwnMetrics, logger *slog.Logger) *Judge {
	return &Judge{store: s, own: own, logger: logger}
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

// Inconsistent returns why scrapes fail now, "" if they do not.
func (j *Judge) Inconsistent() string {
	if err := j.Check(j.store.View()); err != nil {
		gist, _, _ := strings.Cut(err.Error(), "\n")
		return "scrapes fail, since pushes are not checked for consistency: " + gist
	}
	return ""
}

// gather asks the judge of the client library.
func (j *Judge) gather(view *store.View) error {
	_, err := prometheus.Gatherers{
		prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return j.own.gather(view) }),
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
