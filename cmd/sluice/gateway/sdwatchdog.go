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

// watchdog tells the service manager again and again that the gateway is alive,
// and does not when its parts no longer answer: then it is ended and restarted
// (WatchdogSec= in the unit).
type watchdog struct {
	interval time.Duration // within which the service manager wants to be told
	patience time.Duration // without an answer, before the gateway is given up
	check    func(context.Context) error
	feed     func()
	logger   *slog.Logger
}

// newWatchdog returns the watchdog that the service manager has asked for, nil
// if it has not. The committer may take as long as a push for its answer, since it
// may be waiting for the stream: that is no reason to end it.
func newWatchdog(n *notifier, l *ingest.Committer, s *store.Store, wait time.Duration, logger *slog.Logger) (*watchdog, error) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return nil, fmt.Errorf("cannot read what the service manager wants of the watchdog: %w", err)
	}
	if interval == 0 || !listening() {
		return nil, nil
	}
	return &watchdog{
		interval: interval, patience: max(interval/2, 3*wait), logger: logger,
		check: func(ctx context.Context) error {
			s.Sequence() // hangs if somebody keeps the lock
			return l.Ping(ctx)
		},
		feed: func() { n.send(daemon.SdNotifyWatchdog) },
	}, nil
}

// run feeds until ctx ends. A nil watchdog does nothing.
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
			w.feed()
		} else if !silent {
			silent = true
			w.logger.Error("the gateway does not answer itself, so the watchdog is not fed any more", "since", answered)
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
