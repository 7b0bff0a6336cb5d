package bus

import (
	"context"
	"time"
)

const (
	// firstRestart and maxRestart bound the wait until an embedded server that writes no
	// more is started again.
	firstRestart = time.Second
	maxRestart   = time.Minute
)

// restartServer starts the embedded server again when it has failed to write, as it
// does on a full disk. It would refuse all events from then on, room or not.
// What it has acknowledged is there; the store serves scrapes meanwhile.
func (b *Bus) restartServer(ctx context.Context) {
	delay, restarted := firstRestart, time.Time{}
	for {
		select {
		case why := <-b.embedded.Failed():
			b.quorum.breaks(why)
			b.logger.Error("the stream cannot be written", "err", why)
		case <-ctx.Done():
			return
		}
		if time.Since(restarted) > 2*maxRestart {
			delay = firstRestart
		}
		for b.quorum.isBroken() {
			if !pause(ctx, delay) {
				return
			}
			delay = min(2*delay, maxRestart)
			if err := b.embedded.Restart(ctx); err != nil {
				b.limited.Warn("cannot start the embedded NATS server again", "err", err)
				continue
			}
			restarted = time.Now()
			b.quorum.breaks("")
			b.logger.Info("started the embedded NATS server again")
		}
	}
}
