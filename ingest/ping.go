package ingest

import (
	"context"
	"errors"
	"fmt"
)

// Ping returns nil once the ledger's goroutine has answered. A ledger that
// waits for its stream answers after each verdict, that is within the
// configured wait. Ping fails if ctx ends before, or if the ledger has ended.
func (l *Ledger) Ping(ctx context.Context) error {
	select {
	case l.pings <- struct{}{}:
		return nil
	case <-l.ended:
		return errors.New("the ledger has ended")
	case <-ctx.Done():
		return fmt.Errorf("the ledger does not answer: %w", context.Cause(ctx))
	}
}
