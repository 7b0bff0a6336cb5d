package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"os"

	"github.com/prometheus/common/route"

	"sluice/ingest/rules"
)

// reloader reads the rules file again on request.
type reloader struct {
	file    *rules.File
	logger  *slog.Logger
	hangups <-chan os.Signal // SIGHUP
}

// run reloads on each SIGHUP until ctx ends.
func (r *reloader) run(ctx context.Context) error {
	for {
		select {
		case <-r.hangups:
			_ = r.reload() // reload has logged it
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *reloader) reload() error {
	err := r.file.Reload()
	if err != nil {
		r.logger.Error("cannot reload the rules; the old ones stay in force", "err", err)
	}
	return err
}

// addReload adds /-/reload, which answers 200 when the rules are reloaded, and 500
// with the reason when they are wrong. Like /-/quit it is refused if the lifecycle
// API is not enabled.
func addReload(r *route.Router, prefix string, enabled bool, reload func() error) {
	handler := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		w.Write([]byte("Lifecycle API is not enabled."))
	}
	if enabled {
		handler = func(w http.ResponseWriter, _ *http.Request) {
			if err := reload(); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		}
	}
	r.Put(prefix+reloadPath, handler)
	r.Post(prefix+reloadPath, handler)
	r.Get(prefix+reloadPath, onlyPostOrPut)
}

const reloadPath = "/-/reload"
