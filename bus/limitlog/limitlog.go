// Package limitlog logs at a bounded rate what others may cause: a bad peer must not
// fill the disk with our log.
package limitlog

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// Burst lines are logged within each period, what exceeds them is counted.
	Burst  = 10
	period = 10 * time.Second
)

// Logger logs at a bounded rate. Its methods may be called concurrently.
type Logger struct {
	logger *slog.Logger

	mu      sync.Mutex
	begun   time.Time // begin of the current period
	used    int
	dropped int
}

// New returns one that logs to logger.
func New(logger *slog.Logger) *Logger { return &Logger{logger: logger} }

// Warn logs a warning, unless there are too many lines.
func (l *Logger) Warn(msg string, args ...any) {
	if l.allow() {
		l.logger.Warn(msg, args...)
	}
}

// Info logs what has happened, unless there are too many lines.
func (l *Logger) Info(msg string, args ...any) {
	if l.allow() {
		l.logger.Info(msg, args...)
	}
}

func (l *Logger) allow() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.begun) >= period {
		if l.dropped > 0 {
			l.logger.Warn("log lines were left out", "lines", l.dropped)
		}
		l.begun, l.used, l.dropped = now, 0, 0
	}
	if l.used >= Burst {
		l.dropped++
		return false
	}
	l.used++
	return true
}
