package ingest

import (
	"context"
	"errors"
	"fmt"
)

// Ping returns nil once the committer's goroutine has answered. A committer that
// waits for its stream answers after each verdict, that is within the
// configured wait. Ping fails if ctx ends before, or if the committer has ended.
func (l *Committer) Ping(ctx context.Context) error {
	select {
	case l.pings <- struct{}{}:
		return nil
	case <-l.ended:
		return errors.New("the committer has ended")
	case <-ctx.Done():
		return fmt.Errorf("the committer does not answer: %w", context.Cause(ctx))
	}
}
