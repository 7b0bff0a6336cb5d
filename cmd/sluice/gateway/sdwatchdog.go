package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"sluice/ingest"
	"sluice/store"
)

// watchdog tells the service manager regularly that the gateway is alive. When the
// parts of the gateway do not answer it stops doing so, and the service manager
// restarts the gateway (WatchdogSec= in the unit).
type watchdog struct {
	interval  time.Duration // the longest time between two keep-alives
	patience  time.Duration // how long the parts may take to answer
	check     func(context.Context) error
	keepAlive func()
	logger    *slog.Logger
}

// newWatchdog returns the watchdog that the service manager has asked for, or nil
// if it has not asked for one. The committer may take as long as a push to answer,
// because it may be waiting for the stream. That must not restart the gateway.
func newWatchdog(n *notifier, l *ingest.Committer, s *store.Store, wait time.Duration, logger *slog.Logger) (*watchdog, error) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return nil, fmt.Errorf("cannot read the interval of the service manager's watchdog: %w", err)
	}
	if interval == 0 || !managed() {
		return nil, nil
	}
	return &watchdog{
		interval: interval, patience: max(interval/2, 3*wait), logger: logger,
		check: func(ctx context.Context) error {
			s.Sequence() // blocks if a goroutine does not release the lock
			return l.Ping(ctx)
		},
		keepAlive: func() { n.send(daemon.SdNotifyWatchdog) },
	}, nil
}

// run sends keep-alives until ctx ends. A nil watchdog does nothing.
func (w *watchdog) run(ctx context.Context) error {
	if w == nil {
		return nil
	}
	ticker := time.NewTicker(w.interval / 3)
	defer ticker.Stop()
	answers := make(chan error, 1)
	asking, silent := false, false
	answered := time.Now()
	for {
		if !asking {
			asking = true
			go func() { answers <- w.check(ctx) }()
		}
		if time.Since(answered) <= w.patience {
			w.keepAlive()
		} else if !silent {
			silent = true
			w.logger.Error("the gateway does not answer itself; the service manager gets no more keep-alives", "last_answer", answered)
		}
		for tick := false; !tick; {
			select {
			case err := <-answers:
				asking = false
				if err == nil {
					answered, silent = time.Now(), false
				}
			case <-ticker.C:
				tick = true
			case <-ctx.Done():
				if asking {
					<-answers // ctx has ended for it, too
				}
				return nil
			}
		}
	}
}
