package bus

import (
	"context"
	"time"
)

const (
	// firstMend and maxMend bound the wait until an embedded server that writes no
	// more is started again.
	firstMend = time.Second
	maxMend   = time.Minute
)

// mendServer starts the embedded server again when it has failed to write, as it
// does on a full disk. It would refuse all events from then on, room or not.
// What it has acknowledged is there; the store serves scrapes meanwhile.
func (b *Bus) mendServer(ctx context.Context) {
	delay, mended := firstMend, time.Time{}
	for {
		select {
		case why := <-b.embedded.Failed():
			b.reach.breaks(why)
			b.logger.Error("the stream cannot be written", "err", why)
		case <-ctx.Done():
			return
		}
		if time.Since(mended) > 2*maxMend {
			delay = firstMend
		}
		for b.reach.isBroken() {
			if !pause(ctx, delay) {
				return
			}
			delay = min(2*delay, maxMend)
			if err := b.embedded.Restart(ctx); err != nil {
				b.limited.Warn("cannot start the embedded NATS server again", "err", err)
				continue
			}
			mended = time.Now()
			b.reach.breaks("")
			b.logger.Info("started the embedded NATS server again")
		}
	}
}
