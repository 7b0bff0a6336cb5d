package embed

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"sluice/bus/limitlog"
)

// serverLog hands what the embedded server logs to slog: notices and details as
// debug messages, all that is wrong as warnings, at a bounded rate. While
// the server starts, what is wrong is kept: if it does not come up, it is the
// reason that Start returns.
type serverLog struct {
	logger    *slog.Logger
	limited   *limitlog.Logger // since a peer that is not let in comes again each second
	onProblem func(string)     // gets each line that is wrong
	failed    chan string      // holds one: that the server writes no more, and why

	mu         sync.Mutex
	started    bool
	startLines []string
}

// maxStartLines bounds what is kept of a start.
const maxStartLines = 20

func newServerLog(logger *slog.Logger) *serverLog {
	logger = logger.With("from", "nats-server")
	return &serverLog{logger: logger, limited: limitlog.New(logger), onProblem: func(string) {}, failed: make(chan string, 1)}
}

// reason returns what went wrong last during the start.
func (l *serverLog) reason() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.startLines); n > 0 {
		return l.startLines[n-1]
	}
	return "the server does not say why"
}

// writeFailure begins what the server logs, after the name of a store, when it
// could not write and will not try again until it is started anew (nats-server,
// server/filestore.go). It tells that in no other way where there is one copy.
const writeFailure = "Critical write error: "

// fail asks for a restart of the server.
func (l *serverLog) fail(why string) {
	select {
	case l.failed <- why:
	default: // a restart is asked for already
	}
}

// restart begins another start.
func (l *serverLog) restart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started, l.startLines = false, nil
	select {
	case <-l.failed:
	default:
	}
}

// start ends the start: what has been kept is logged.
func (l *serverLog) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started = true
	for _, text := range l.startLines {
		l.logger.Warn(text)
	}
	l.startLines = nil
}

func (l *serverLog) problem(format string, v []any) {
	text := fmt.Sprintf(format, v...)
	if strings.Contains(text, writeFailure) {
		l.fail(text)
	}
	l.onProblem(text)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.started:
		l.limited.Warn(text)
	case len(l.startLines) < maxStartLines:
		l.startLines = append(l.startLines, text)
	}
}

func (l *serverLog) detail(format string, v []any) {
	if l.logger.Enabled(context.Background(), slog.LevelDebug) {
		l.logger.Debug(fmt.Sprintf(format, v...))
	}
}

// Noticef logs details.
func (l *serverLog) Noticef(format string, v ...any) { l.detail(format, v) }

// Debugf logs details.
func (l *serverLog) Debugf(format string, v ...any) { l.detail(format, v) }

// Tracef logs details.
func (l *serverLog) Tracef(format string, v ...any) { l.detail(format, v) }

// Warnf logs what is wrong. That large payloads are allowed is not: Config says
// how large, with each start, and nobody can do anything about it.
func (l *serverLog) Warnf(format string, v ...any) {
	if strings.HasPrefix(format, "Maximum payloads over") {
		l.detail(format, v)
		return
	}
	l.problem(format, v)
}

// Errorf logs what is wrong.
func (l *serverLog) Errorf(format string, v ...any) { l.problem(format, v) }

// Fatalf logs what is wrong. It does not end the process: the server leaves that
// to its logger, and this process has more to do than serving NATS.
func (l *serverLog) Fatalf(format string, v ...any) { l.problem(format, v) }
