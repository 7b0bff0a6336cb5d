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

	"sluice/store"
)

// maxFile bounds the file in bytes.
const maxFile = 1 << 20

// File is a set of rules that can be reloaded. Its methods may be called concurrently.
type File struct {
	path       string // "" for none
	defaultTTL time.Duration
	logger     *slog.Logger
	set        atomic.Pointer[Set]

	mu               sync.Mutex                        // one reload at a time
	useQuotas        func(func(store.Key) store.Quota) // nil before UseQuotas
	reloadSuccessful prometheus.Gauge
	reloadTime       prometheus.Gauge
}

// Load reads the file of a path. Without a path there are no rules. Groups to which no
// rule gives a time to live have the default one, 0 for none. Load registers metrics if
// reg is not nil.
func Load(path string, defaultTTL time.Duration, logger *slog.Logger, reg prometheus.Registerer) (*File, error) {
	f := &File{
		path: path, defaultTTL: defaultTTL, logger: logger,
		reloadSuccessful: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_rules_last_reload_successful",
			Help: "Whether the rules were in order when they were last read.",
		}),
		reloadTime: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_rules_last_reload_success_timestamp_seconds",
			Help: "Unix time at which the rules were last read in order.",
		}),
	}
	if reg != nil {
		reg.MustRegister(f.reloadSuccessful, f.reloadTime)
	}
	f.set.Store(Default(defaultTTL))
	if err := f.reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// Reload reads the file again. If the file is wrong, the rules stay as they are, and
// the error says why in one line. The new rules apply to the pushes that follow; a group
// keeps the time to live of its last push. Without a file Reload does nothing.
func (f *File) Reload() error {
	if f.path == "" {
		f.logger.Info("nothing to reload, because --group.rules is not set")
		return nil
	}
	return f.reload()
}

func (f *File) reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	set, err := f.read()
	if err != nil {
		f.reloadSuccessful.Set(0)
		return err
	}
	f.set.Store(set)
	if f.useQuotas != nil {
		f.useQuotas(set.Quotas())
	}
	f.reloadSuccessful.Set(1)
	f.reloadTime.SetToCurrentTime()
	if f.path != "" {
		f.logger.Info("read the rules", "file", f.path, "rules", set.Len())
	}
	return nil
}

func (f *File) read() (*Set, error) {
	if f.path == "" {
		return Default(f.defaultTTL), nil
	}
	info, err := os.Stat(f.path) // first, because opening a pipe blocks until it has a writer
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
		return nil, fmt.Errorf("cannot read rules: %s has more than %d bytes", f.path, maxFile)
	}
	return Parse(f.path, text, f.defaultTTL)
}

// TTL returns the time to live of a group, 0 for none.
func (f *File) TTL(key store.Key) time.Duration { return f.set.Load().TTL(key) }

// UseQuotas calls use with the function that returns the quota of a group, or with nil
// if no rule sets one: now, and after each reload. Its function must not call the File.
func (f *File) UseQuotas(use func(func(store.Key) store.Quota)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.useQuotas = use
	use(f.set.Load().Quotas())
}
