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
	// openTimeout is the time that the service manager is asked for while the
	// embedded server reads its files. The bus bounds that itself by a little less.
	openTimeout = 6 * time.Minute
	// replayTimeout is the time that it is asked for whenever a replay has made
	// progress. A gateway without progress for that long may be ended.
	replayTimeout = time.Minute
	// startPeriod is how often a starting gateway looks whether it is ready,
	// progressPeriod how often it tells how far it is, and servePeriod how often
	// a gateway that serves looks whether it still can.
	startPeriod    = 50 * time.Millisecond
	progressPeriod = time.Second
	servePeriod    = 2 * time.Second
)

// notifier tells a service manager the state of the gateway, by the protocol of
// sd_notify(3). Without a service manager NOTIFY_SOCKET is not set, and the notifier
// does nothing.
type notifier struct {
	logger *slog.Logger
	notify func(state string) error
	failed atomic.Bool // the last message could not be sent; the watchdog sends, too
	status string      // the last one that was sent
}

// newNotifier returns a notifier of the service manager of this process.
func newNotifier(logger *slog.Logger) *notifier {
	return &notifier{logger: logger, notify: func(state string) error {
		_, err := daemon.SdNotify(false, state)
		return err
	}}
}

// managed tells whether a service manager wants to be told.
func managed() bool { return os.Getenv("NOTIFY_SOCKET") != "" }

// send sends assignments in one message. A failure is logged, once in a row, and
// does not stop the gateway.
func (n *notifier) send(assignments ...string) {
	err := n.notify(strings.Join(assignments, "\n"))
	if failed := err != nil; n.failed.Swap(failed) != failed && failed {
		n.logger.Warn("cannot send the state to the service manager", "err", err)
	}
}

// tell sends a status for people, and other assignments with it. A status that has
// not changed is sent with other assignments only.
func (n *notifier) tell(status string, assignments ...string) {
	if status == n.status && len(assignments) == 0 {
		return
	}
	n.status = status
	n.send(append(assignments, "STATUS="+status)...)
}

// opening asks for the time that reading the files of the stream may take.
func (n *notifier) opening() { n.tell("opening the stream", extend(openTimeout)) }

// run sends the progress of the replay until the gateway is ready, then whether it
// can serve, and that it is stopping when ctx ends. The gateway is ready when
// notReady returns no reason. Units that depend on this one start when /-/ready
// answers 200 for the first time.
func (n *notifier) run(ctx context.Context, status func() bus.Status, notReady func() string) error {
	if !managed() {
		return nil
	}
	ticker := time.NewTicker(startPeriod)
	defer ticker.Stop()
	var sent time.Time
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
		case time.Since(sent) >= progressPeriod:
			sent = time.Now()
			if s.ReplayDone != done {
				done = s.ReplayDone
				n.tell(reason, extend(replayTimeout))
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

// extend asks the service manager for that much time from now on, whatever the unit
// says.
func extend(d time.Duration) string {
	return fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds())
}
