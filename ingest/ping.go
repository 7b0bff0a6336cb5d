package ingest

import (
	"context"
	"errors"
	"fmt"
)

// Ping blocks until the goroutine of the committer has answered. While the
// committer waits for the stream, that takes up to CommitterConfig.Wait. Ping fails
// if ctx ends before, or if the committer has ended.
func (c *Committer) Ping(ctx context.Context) error {
	select {
	case c.pings <- struct{}{}:
		return nil
	case <-c.ended:
		return errors.New("the committer has ended")
	case <-ctx.Done():
		return fmt.Errorf("the committer does not answer: %w", context.Cause(ctx))
	}
}
