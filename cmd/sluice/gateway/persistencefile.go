package gateway

import (
	"context"
	"log/slog"

	"sluice/bus"
	"sluice/ingest/importfile"
	"sluice/ingest/rules"
	"sluice/store"
)

// beginImport begins to import the persistence file if there is one and the stream
// is empty. Its error is printed as one line when the gateway cannot start.
func beginImport(ctx context.Context, cfg *Config, groupRules *rules.File, b *bus.Bus, s *store.Store, settings store.Settings, logger *slog.Logger) (*importfile.Import, error) {
	i := importfile.New(b, s, importfile.Config{
		Path: cfg.PersistenceFile, Settings: settings, Shared: cfg.Bus.URL != "" || cfg.Bus.Server.Cluster.On(),
		TTL: groupRules.TTL,
	}, logger.With("component", "import"))
	return i, i.Begin(ctx)
}

// warnPersistence warns of a flag that has no effect.
func warnPersistence(cfg *Config, logger *slog.Logger) {
	if cfg.PersistenceIntervalSet {
		logger.Warn("--persistence.interval has no effect: every push is written to the stream before it is answered")
	}
}

// notImported tells whether an import is under way. The store has only a part of
// the groups then.
func notImported(s *store.Store) bool {
	begun, _ := s.Importing()
	return begun != 0
}
