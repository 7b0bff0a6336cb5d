package exposer

import (
	"log/slog"
	"regexp"
	"strings"
	"sync"

	"github.com/prometheus/common/model"

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
	sequence uint64   // of the view that the verdicts are about
	verdicts verdicts // nil if there is nothing to say
	logged   string   // the cause that the log has seen last
}

// NewJudge returns a judge of the store's views beside the gateway's own metrics.
func NewJudge(s *store.Store, self *SelfMetrics, logger *slog.Logger) *Judge {
	return &Judge{store: s, self: self, logger: logger}
}

// Check returns why a scrape of the view with an escaping of names fails, nil if it
// does not. Each new cause is logged once.
func (j *Judge) Check(view *store.View, scheme model.EscapingScheme) error {
	return j.judge(view)[scheme]
}

// judge returns the verdicts on a view.
func (j *Judge) judge(view *store.View) verdicts {
	if !view.Suspect() {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.judged && j.sequence == view.Sequence() {
		return j.verdicts
	}
	j.judged, j.sequence, j.verdicts = true, view.Sequence(), j.verdictsOn(view)
	first := j.verdicts.first()
	if first == nil {
		j.store.Cleared(view)
		j.logged = ""
		return nil
	}
	text := first.Error()
	if cause := sampleValues.ReplaceAllString(text, ""); cause != j.logged {
		j.logged = cause
		j.logger.Error("error gathering metrics: scrapes fail until what is wrong is pushed anew or deleted", "err", text)
	}
	return j.verdicts
}

// Inconsistent returns why scrapes fail now, "" if they do not. It may gather.
func (j *Judge) Inconsistent() string {
	if err := j.judge(j.store.View()).first(); err != nil {
		gist, _, _ := strings.Cut(err.Error(), "\n")
		return "scrapes fail, since pushes are not checked for consistency: " + gist
	}
	return ""
}
