package bus

import (
	"fmt"
	"log/slog"
	"sync"
)

// serverLog hands what the embedded server logs to slog: notices and details as
// debug messages, all that is wrong as warnings. It remembers the last of those
// as the reason if the server does not come up.
type serverLog struct {
	logger *slog.Logger

	mu       sync.Mutex
	starting bool // what is wrong is an answer of Open, so it is not logged, too
	last     string
}

func newServerLog(logger *slog.Logger) *serverLog {
	return &serverLog{logger: logger.With("from", "nats-server")}
}

// reason returns what went wrong last.
func (l *serverLog) reason(unknown string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == "" {
		return unknown
	}
	return l.last
}

func (l *serverLog) bad(format string, v []any) {
	text := fmt.Sprintf(format, v...)
	l.mu.Lock()
	l.last = text
	l.mu.Unlock()
	l.logger.Warn(text)
}

// Noticef, Debugf and Tracef log details.
func (l *serverLog) Noticef(format string, v ...any) { l.logger.Debug(fmt.Sprintf(format, v...)) }

// Debugf logs details.
func (l *serverLog) Debugf(format string, v ...any) { l.logger.Debug(fmt.Sprintf(format, v...)) }

// Tracef logs details.
func (l *serverLog) Tracef(format string, v ...any) { l.logger.Debug(fmt.Sprintf(format, v...)) }

// Warnf logs what is wrong.
func (l *serverLog) Warnf(format string, v ...any) { l.bad(format, v) }

// Errorf logs what is wrong.
func (l *serverLog) Errorf(format string, v ...any) { l.bad(format, v) }

// Fatalf logs what is wrong. It does not end the process, which the server
// leaves to its logger.
func (l *serverLog) Fatalf(format string, v ...any) { l.bad(format, v) }
