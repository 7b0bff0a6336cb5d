package bus

import (
	"context"
	"fmt"
)

// deleteRoom is what a full stream gets for the time of a delete or wipe: more
// than one tombstone takes.
const deleteRoom = 128 << 10

// withRoom raises the stream's limit while f runs. Without it a full stream could
// not be emptied: a tombstone needs room before it makes any. If the gateway
// dies in between, Open puts the limit back.
func (a *appender) withRoom(ctx context.Context, f func() error) error {
	info, err := a.streamInfo(ctx)
	if err != nil {
		return fmt.Errorf("%w: cannot make room for a delete: %w", ErrStreamFull, err)
	}
	raised := info.Config
	raised.MaxBytes = int64(max(info.State.Bytes, uint64(a.cfg.MaxBytes))) + deleteRoom
	if _, err := a.js.UpdateStream(ctx, raised); err != nil {
		return fmt.Errorf("%w: cannot make room for a delete: %w", ErrStreamFull, err)
	}
	err = f()
	again, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.PublishTimeout)
	defer cancel()
	if _, restoreErr := a.setup.ensureStream(again); restoreErr != nil {
		a.logger.Warn("cannot put the size limit of the stream back", "err", restoreErr)
	}
	return err
}
