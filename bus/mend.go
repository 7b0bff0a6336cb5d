package bus

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// firstMend and maxMend bound the wait until an embedded server that writes no
	// more is started again.
	firstMend = time.Second
	maxMend   = time.Minute
	// probeBytes is what must fit on the disk until that is tried.
	probeBytes = 1 << 20
)

// mendServer starts the embedded server again when it has failed to write, as it
// does on a full disk. It would refuse all events from then on, room or not.
// What it has acknowledged is there; the store serves scrapes meanwhile.
func (b *Bus) mendServer(ctx context.Context) {
	delay, mended := firstMend, time.Time{}
	for {
		select {
		case why := <-b.embedded.log.failed:
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
			if err := b.mend(ctx); err != nil {
				b.limited.Warn("cannot start the embedded NATS server again", "err", err)
				continue
			}
			mended = time.Now()
			b.reach.breaks("")
			b.logger.Info("started the embedded NATS server again")
		}
	}
}

// mend starts the server again if the disk can be written. It waits for both.
func (b *Bus) mend(ctx context.Context) error {
	if err := probe(b.cfg.DataDir); err != nil {
		return fmt.Errorf("cannot write to %s: %w", b.cfg.DataDir, err)
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.ConnectTimeout+recoverTimeout)
	defer cancel()
	return b.embedded.restart(ctx, b.cfg)
}

// restart shuts the server down and starts it again, on the same addresses.
func (e *embedded) restart(ctx context.Context, cfg Config) error {
	old := e.current()
	if address := old.Addr(); address != nil && e.opts.Port == server.RANDOM_PORT {
		_, port, err := splitListen(address.String())
		if err != nil {
			return err
		}
		e.opts.Port = port
	}
	old.Shutdown()
	old.WaitForShutdown()
	e.log.restart()
	return e.start(ctx, cfg, e.opts.Clone())
}

// probe tells whether some more fits on the disk.
func probe(dir string) (err error) {
	f, err := os.CreateTemp(dir, "probe.*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, probeBytes))
	return errors.Join(err, f.Sync(), f.Close())
}

// storeLimit returns how many bytes the server may store: what it has already and
// three quarters of what is free, so that a full disk is told before it is one.
// The server's own limit leaves out what it has. 0 leaves it to the server.
func storeLimit(dir string) int64 {
	var disk syscall.Statfs_t
	for at := dir; syscall.Statfs(at, &disk) != nil; at = filepath.Dir(at) {
		if at == filepath.Dir(at) {
			return 0
		}
	}
	limit := int64(disk.Bavail) * int64(disk.Bsize) / 4 * 3
	_ = filepath.WalkDir(filepath.Join(dir, serverDir), func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // what cannot be read is not counted
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			limit += info.Size()
		}
		return nil
	})
	return limit
}
