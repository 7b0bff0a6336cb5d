package bus

import (
	"fmt"

	"github.com/nats-io/nats.go"

	"sluice/bus/event"
)

// checkDisk fails if the disk of the embedded server has no room for messages. Those
// that remove groups always get through: the rest of the disk is kept for them.
func (s *stream) checkDisk(messages []*nats.Msg) error {
	if s.embedded == nil {
		return nil
	}
	bytes := 0
	for _, m := range messages {
		if m.Header[event.HeaderRollup] == nil {
			total, _ := event.Size(m)
			bytes += total
		}
	}
	if bytes == 0 {
		return nil
	}
	disk, err := s.embedded.Disk()
	if err != nil {
		s.limited.Warn("cannot tell how much room the disk has", "err", err)
		return nil // the server will tell
	}
	if disk.Takes(bytes) {
		return nil
	}
	return fmt.Errorf("%w: the disk of the data directory has %d bytes free and keeps %d of them for deletes", ErrStreamFull, disk.Free, disk.Reserve)
}
