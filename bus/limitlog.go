package bus

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// limitBurst lines are logged within each limitPeriod, what exceeds them is
	// counted. A bad peer must not fill the disk with our log.
	limitBurst  = 10
	limitPeriod = 10 * time.Second
)

// limitedLog logs at a bounded rate.
type limitedLog struct {
	logger *slog.Logger

	mu      sync.Mutex
	period  time.Time // begin of the current one
	used    int
	dropped int
}

func newLimitedLog(logger *slog.Logger) *limitedLog { return &limitedLog{logger: logger} }

func (l *limitedLog) warn(msg string, args ...any) {
	if l.allow() {
		l.logger.Warn(msg, args...)
	}
}

func (l *limitedLog) info(msg string, args ...any) {
	if l.allow() {
		l.logger.Info(msg, args...)
	}
}

func (l *limitedLog) allow() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.period) >= limitPeriod {
		if l.dropped > 0 {
			l.logger.Warn("log lines were left out", "lines", l.dropped)
		}
		l.period, l.used, l.dropped = now, 0, 0
	}
	if l.used >= limitBurst {
		l.dropped++
		return false
	}
	l.used++
	return true
}
