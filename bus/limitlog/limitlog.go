// Package limitlog logs at a bounded rate what others may cause: a bad peer must not
// fill the disk with our log.
package limitlog

import (
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	// Burst is how many lines are logged at once. After that there are as many in each
	// period, spread evenly.
	Burst  = 10
	period = 10 * time.Second
)

// Logger logs at a bounded rate. It counts the lines that exceed it, and logs their
// number at most once in a period. Its methods may be called concurrently.
type Logger struct {
	logger  *slog.Logger
	lines   *rate.Limiter
	dropped atomic.Int64
	reports rate.Sometimes
}

// New returns one that logs to logger.
func New(logger *slog.Logger) *Logger {
	return &Logger{
		logger:  logger,
		lines:   rate.NewLimiter(rate.Every(period/Burst), Burst),
		reports: rate.Sometimes{Interval: period},
	}
}

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
	if !l.lines.Allow() {
		l.dropped.Add(1)
		return false
	}
	if l.dropped.Load() > 0 {
		l.reports.Do(func() { l.logger.Warn("log lines were left out", "lines", l.dropped.Swap(0)) })
	}
	return true
}
