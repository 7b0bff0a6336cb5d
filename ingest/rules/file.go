package rules

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/ingest"
	"sluice/store"
)

// maxFile bounds the file in bytes.
const maxFile = 1 << 20

// File is a set of rules that can be read anew.
type File struct {
	path     string // "" for none
	standard time.Duration
	logger   *slog.Logger
	set      atomic.Pointer[Set]

	mu      sync.Mutex // one Reload at a time
	good    prometheus.Gauge
	changed prometheus.Gauge
}

// Load reads the file of a path; without a path there are no rules. Groups that
// no rule gives a time to live have the standard one, 0 for none. Metrics are
// registered if reg is not nil.
func Load(path string, standard time.Duration, logger *slog.Logger, reg prometheus.Registerer) (*File, error) {
	f := &File{
		path: path, standard: standard, logger: logger,
		good: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_rules_last_reload_successful",
			Help: "Whether the rules were in order when they were last read.",
		}),
		changed: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_rules_last_reload_success_timestamp_seconds",
			Help: "Unix time at which the rules were last read in order.",
		}),
	}
	if reg != nil {
		reg.MustRegister(f.good, f.changed)
	}
	f.set.Store(Default(standard))
	if err := f.reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// Reload reads the file anew. If it cannot be used, the rules stay as they are,
// and the error says why in one line. Pushes that come afterwards have the new
// terms; groups keep the time to live of their last push. Without a file there
// is nothing to do.
func (f *File) Reload() error {
	if f.path == "" {
		f.logger.Info("nothing to reload: there is no rules file (--group.rules)")
		return nil
	}
	return f.reload()
}

func (f *File) reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	set, err := f.read()
	if err != nil {
		f.good.Set(0)
		return err
	}
	f.set.Store(set)
	f.good.Set(1)
	f.changed.SetToCurrentTime()
	if f.path != "" {
		f.logger.Info("read the rules", "file", f.path, "rules", set.Len())
	}
	return nil
}

func (f *File) read() (*Set, error) {
	if f.path == "" {
		return Default(f.standard), nil
	}
	info, err := os.Stat(f.path) // first, since opening a pipe would wait for its other end
	if err != nil {
		return nil, fmt.Errorf("cannot read rules: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot read rules: %s is not a regular file", f.path)
	}
	file, err := os.Open(f.path)
	if err != nil {
		return nil, fmt.Errorf("cannot read rules: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read rules: %w", err)
	case len(text) > maxFile:
		return nil, fmt.Errorf("%s: more than %d bytes", f.path, maxFile)
	}
	return Parse(f.path, text, f.standard)
}

// Terms returns the terms of a group.
func (f *File) Terms(key store.Key) ingest.Terms { return f.set.Load().Terms(key) }
