package bus

import (
	"context"
	"time"

	"sluice/store"
)

// settlePeriod is how often the stream is asked what a store has to have until its
// state is settled.
const settlePeriod = 500 * time.Millisecond

// keepSettled sees to it that a store whose sequences have gaps knows when its state is
// that of the whole stream again. The stream keeps only the newest event of a
// group: what was not delivered has been replaced by something that was in the
// stream when the gap was seen, so by what the stream has when it is asked
// afterwards.
func (b *Bus) keepSettled(ctx context.Context, st *store.Store) {
	ticker := time.NewTicker(settlePeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		gaps, unsettled := st.Gaps()
		if connected, _ := b.link.state(); !unsettled || !connected || b.replaying.on.Load() {
			continue // nothing to ask, nobody to ask, or more gaps are coming
		}
		info, err := b.streamInfo(ctx)
		if err != nil {
			continue // the follower tells
		}
		// A former leader may know less than what has been delivered.
		st.Settle(gaps, max(info.State.LastSeq, b.progress.known()))
	}
}
