package embed

import (
	"context"
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
)

// Restart shuts the server down and starts it again, on the same addresses, if the
// disk can be written. It blocks until that has been tried, for some minutes at
// most, or until ctx ends. After an error the server may be down: then Restart is
// called again.
func (e *Server) Restart(ctx context.Context) error {
	if err := probe(e.cfg.DataDir); err != nil {
		return fmt.Errorf("cannot write to %s: %w", e.cfg.DataDir, err)
	}
	ctx, cancel := context.WithTimeout(ctx, e.cfg.ReadyTimeout+recoverTimeout)
	defer cancel()
	old := e.current()
	if address := old.Addr(); address != nil && e.opts.Port == server.RANDOM_PORT {
		_, port, err := splitListen(address.String())
		if err != nil {
			return err
		}
		e.opts.Port = port
	}
	old.Shutdown()
	old.WaitForShutdown()
	e.log.restart()
	return e.start(ctx, e.cfg, e.opts.Clone())
}
