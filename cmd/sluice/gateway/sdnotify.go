package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"sluice/bus"
)

const (
	// openBound is what the service manager is asked for while the embedded
	// server reads its files, which the bus bounds itself, a little lower.
	openBound = 6 * time.Minute
	// replayBound is what it is asked for whenever a replay has moved on: who
	// makes no progress for as long may be taken for dead.
	replayBound = time.Minute
	// startPeriod is how often a starting gateway looks whether it is ready,
	// progressPeriod how often it tells how far it is, and servePeriod how often
	// a gateway that serves looks whether it still can.
	startPeriod    = 50 * time.Millisecond
	progressPeriod = time.Second
	servePeriod    = 2 * time.Second
)

// notifier tells a service manager how the gateway is doing, by the protocol of
// sd_notify(3). Where none listens, NOTIFY_SOCKET is not set and it does nothing.
type notifier struct {
	logger *slog.Logger
	notify func(state string) error
	failed atomic.Bool // the last message could not be sent; the watchdog sends, too
	status string      // the last one that was told
}

// newNotifier returns a notifier of the service manager of this process.
func newNotifier(logger *slog.Logger) *notifier {
	return &notifier{logger: logger, notify: func(state string) error {
		_, err := daemon.SdNotify(false, state)
		return err
	}}
}

// listening tells whether there is a service manager that wants to be told.
func listening() bool { return os.Getenv("NOTIFY_SOCKET") != "" }

// send sends assignments in one message. That a service manager does not hear
// us is no reason to fail: it is logged, once in a row.
func (n *notifier) send(assignments ...string) {
	err := n.notify(strings.Join(assignments, "\n"))
	if failed := err != nil; n.failed.Swap(failed) != failed && failed {
		n.logger.Warn("cannot tell the service manager how the gateway is doing", "err", err)
	}
}

// tell sends a status for people, with what else there is to say. A status that
// they have already is sent only along with something else.
func (n *notifier) tell(status string, assignments ...string) {
	if status == n.status && len(assignments) == 0 {
		return
	}
	n.status = status
	n.send(append(assignments, "STATUS="+status)...)
}

// opening asks for the time that reading the stream's files may take.
func (n *notifier) opening() { n.tell("opening the stream", extend(openBound)) }

// run tells when the gateway is ready (notReady has no reason against it), how far its replay is until then, whether
// it can serve afterwards, and that it stops once ctx ends. Units that wait for
// this one start when /-/ready answers 200 for the first time.
func (n *notifier) run(ctx context.Context, status func() bus.Status, notReady func() string) error {
	if !listening() {
		return nil
	}
	ticker := time.NewTicker(startPeriod)
	defer ticker.Stop()
	var told time.Time
	var done uint64
	for ready := false; ; {
		s := status()
		reason := notReady()
		switch {
		case reason == "" && !ready:
			ready = true
			ticker.Reset(servePeriod)
			n.tell("serving", daemon.SdNotifyReady)
		case reason == "":
			n.tell("serving")
		case ready:
			n.tell(reason)
		case time.Since(told) >= progressPeriod:
			told = time.Now()
			if s.ReplayDone != done {
				done = s.ReplayDone
				n.tell(reason, extend(replayBound))
			} else {
				n.tell(reason)
			}
		}
		select {
		case <-ctx.Done():
			n.tell("stopping", daemon.SdNotifyStopping)
			return nil
		case <-ticker.C:
		}
	}
}

// extend asks the service manager for time from now on, whatever the unit says.
func extend(d time.Duration) string {
	return fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds())
}
