package gateway

import (
	"context"
	"log/slog"
	"time"

	"sluice/bus"
	"sluice/ingest/importfile"
	"sluice/ingest/rules"
	"sluice/store"
)

// beginImport begins to import the persistence file if there is one and the
// stream is empty. Its error is the one line that a gateway which cannot start
// says.
func beginImport(ctx context.Context, cfg *Config, terms *rules.File, b *bus.Bus, s *store.Store, settings store.Settings, logger *slog.Logger) (*importfile.Import, error) {
	i := importfile.New(b, s, importfile.Config{
		Path: cfg.PersistenceFile, Settings: settings, Shared: cfg.Bus.URL != "" || cfg.Bus.Server.Cluster.On(),
		TTL: func(key store.Key) time.Duration { return terms.Terms(key).TTL },
	}, logger.With("component", "import"))
	return i, i.Begin(ctx)
}

// warnPersistence says which flag does nothing.
func warnPersistence(cfg *Config, logger *slog.Logger) {
	if cfg.PersistenceIntervalSet {
		logger.Warn("--persistence.interval has no effect: every push is written to the stream before it is answered")
	}
}

// notImported tells whether an import is under way, so that the store has but a
// part of what it is going to have.
func notImported(s *store.Store) bool {
	begun, _ := s.Importing()
	return begun != 0
}
