package gateway

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// runWatchdog runs a watchdog of 30 s for so long and returns when it sent keep-alives, in
// seconds from the start, and its log.
func runWatchdog(t *testing.T, patience, d time.Duration, check func(ctx context.Context, since time.Duration) error) (sent []int, log string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var out bytes.Buffer
		w := &watchdog{
			interval: 30 * time.Second, patience: patience, logger: slog.New(slog.NewTextHandler(&out, nil)),
			check:     func(ctx context.Context) error { return check(ctx, time.Since(start)) },
			keepAlive: func() { sent = append(sent, int(time.Since(start).Seconds())) },
		}
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		if err := w.run(ctx); err != nil {
			t.Error(err)
		}
		log = out.String()
	})
	return sent, log
}

func TestWatchdogSendsWhileThereAreAnswers(t *testing.T) {
	sent, log := runWatchdog(t, 15*time.Second, 95*time.Second, func(context.Context, time.Duration) error { return nil })
	if len(sent) != 10 || sent[9] != 90 || log != "" {
		t.Errorf("sent at %v: %s", sent, log)
	}
}

// A part that hangs is given its patience, then the service manager shall see
// to it; a part that comes back is alive again.
func TestWatchdogStopsWhenAPartHangs(t *testing.T) {
	sent, log := runWatchdog(t, 25*time.Second, 10*time.Minute, func(ctx context.Context, since time.Duration) error {
		if since < 30*time.Second {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if sent[len(sent)-1] != 40 || strings.Count(log, "\n") != 1 {
		t.Errorf("sent at %v: %s", sent, log)
	}
	sent, _ = runWatchdog(t, 25*time.Second, 205*time.Second, func(_ context.Context, since time.Duration) error {
		if since > 30*time.Second && since < 130*time.Second {
			return errors.New("no answer")
		}
		return nil
	})
	if sent[len(sent)-1] != 200 || len(sent) >= 21 {
		t.Errorf("sent at %v", sent)
	}
}

// Waiting for a stream that cannot be reached is not hanging.
func TestWatchdogIsPatientWithAnUnreachableStream(t *testing.T) {
	sent, log := runWatchdog(t, 90*time.Second, 605*time.Second, func(ctx context.Context, _ time.Duration) error {
		select {
		case <-time.After(60 * time.Second):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if len(sent) != 61 || log != "" {
		t.Errorf("sent at %v: %s", sent, log)
	}
}

func TestNoWatchdogRunsNothing(t *testing.T) {
	if err := (*watchdog)(nil).run(t.Context()); err != nil {
		t.Error(err)
	}
}
