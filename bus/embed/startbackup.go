package embed

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// backupDir is where the files of the stream have a second name while a server
// starts on them.
const backupDir = "starting"

// A startBackup keeps the files of a stream while a server reads them: a server that
// cannot (an error of the disk, too few file descriptors) removes them, says so in
// its log, and goes on without the stream (nats-server, server/stream.go, where
// setupStore fails). They are linked, not copied, so that takes no room and little
// time.
type startBackup struct {
	dir     string   // has serverDir and, until the backup is dropped, backupDir
	streams []string // their folders below serverDir
}

// newStartBackup keeps the streams of a name, of all accounts, in a directory. A
// file system without links cannot keep anything, which is logged.
func newStartBackup(dir, stream string, logger *slog.Logger) (*startBackup, error) {
	b := &startBackup{dir: dir}
	base := filepath.Join(dir, serverDir)
	metas, err := filepath.Glob(filepath.Join(base, "*", "streams", stream, server.JetStreamMetaFile))
	if err != nil {
		return nil, fmt.Errorf("cannot look for stream %s: %w", stream, err)
	}
	unfinished := filepath.Join(dir, backupDir+".new")
	if err := os.RemoveAll(unfinished); err != nil {
		return nil, fmt.Errorf("cannot back up stream %s: %w", stream, err)
	}
	for _, meta := range metas {
		from := filepath.Dir(meta)
		inside, err := filepath.Rel(base, from)
		if err == nil {
			err = linkTree(from, filepath.Join(unfinished, inside))
		}
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
			logger.Warn("cannot back up the files of the stream while the server starts: the server removes files that it cannot read", "folder", from, "err", err)
			return &startBackup{dir: dir}, os.RemoveAll(unfinished)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot back up stream %s: %w", stream, errors.Join(err, os.RemoveAll(unfinished)))
		}
		b.streams = append(b.streams, inside)
	}
	if len(b.streams) > 0 {
		if err := os.Rename(unfinished, filepath.Join(dir, backupDir)); err != nil {
			return nil, fmt.Errorf("cannot back up stream %s: %w", stream, err)
		}
	}
	return b, nil
}

// restoreInterrupted puts back what a start has left that was interrupted.
func restoreInterrupted(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, backupDir)); err != nil {
		return nil
	}
	return (&startBackup{dir: dir}).putBack()
}

// hasStreams tells whether there is a stream that the server should have.
func (b *startBackup) hasStreams() bool { return len(b.streams) > 0 }

// drop lets the server have the files.
func (b *startBackup) drop() error {
	if err := os.RemoveAll(filepath.Join(b.dir, backupDir)); err != nil {
		return fmt.Errorf("cannot tidy up after the start of the server: %w", err)
	}
	return nil
}

// putBack puts the streams back where they were. No server may run.
func (b *startBackup) putBack() error {
	kept, err := filepath.Glob(filepath.Join(b.dir, backupDir, "*", "streams", "*"))
	for _, from := range kept {
		inside, relErr := filepath.Rel(filepath.Join(b.dir, backupDir), from)
		if relErr != nil {
			return relErr
		}
		err = errors.Join(err, moveBack(from, filepath.Join(b.dir, serverDir, inside)))
	}
	if err == nil {
		err = b.drop()
	}
	if err != nil {
		return fmt.Errorf("cannot put the stream back, which is in %s: %w", filepath.Join(b.dir, backupDir), err)
	}
	return syncDir(b.dir)
}

// moveBack moves a directory to where another one may be. A server that has been
// shut down may be removing what is empty above that, in a goroutine of its own.
func moveBack(from, to string) (err error) {
	for range 5 {
		if err = errors.Join(os.RemoveAll(to), os.MkdirAll(filepath.Dir(to), 0o750)); err == nil {
			err = os.Rename(from, to)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

// hasStream tells whether a server has a stream of a name, in any account.
func hasStream(s *server.Server, name string) (bool, error) {
	all, err := s.Jsz(&server.JSzOptions{Accounts: true, Streams: true})
	if err != nil {
		return false, fmt.Errorf("cannot ask the server for its streams: %w", err)
	}
	for _, account := range all.AccountDetails {
		if slices.ContainsFunc(account.Streams, func(s server.StreamDetail) bool { return s.Name == name }) {
			return true, nil
		}
	}
	return false, nil
}

// confirm checks that a server has read the streams that are there, and then drops
// the backup. If the server has removed a stream, confirm shuts it down, puts the
// stream back, and returns an error. A server without a cluster ignores the stream of
// a cluster until it is asked to create a stream of that name: until then the backup
// stays, and it is returned.
func (b *startBackup) confirm(s *server.Server, name string, reason func() string) (*startBackup, error) {
	if !b.hasStreams() {
		return nil, nil
	}
	has, err := hasStream(s, name)
	if err == nil && has {
		return nil, b.drop()
	}
	if err == nil {
		if _, err = os.Stat(filepath.Join(b.dir, serverDir, b.streams[0], server.JetStreamMetaFile)); err == nil {
			return b, nil
		}
		err = fmt.Errorf("the NATS server cannot read stream %s in %s, which is kept as it is: %s", name, filepath.Join(b.dir, serverDir, b.streams[0]), reason())
	}
	s.Shutdown()
	s.WaitForShutdown()
	return nil, errors.Join(err, b.putBack())
}

// ConfirmStream gets the result of creating the stream (Config.Stream): an error, or
// whether the stream is empty. It checks that this is the stream that the server had
// ignored when it started. If not, it returns an error, and Failed asks for a restart,
// which puts the stream back.
func (e *Server) ConfirmStream(empty bool, err error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.unconfirmed == nil:
		return err
	case err == nil && empty && e.unconfirmed.events():
		err = fmt.Errorf("the NATS server cannot read stream %s in %s, which is kept as it is", e.cfg.Stream, e.unconfirmed.dir)
	case err == nil:
		err, e.unconfirmed = e.unconfirmed.drop(), nil
		return err
	}
	e.log.fail(err.Error())
	return err
}

// events tells whether there are any in the streams that are kept.
func (b *startBackup) events() bool {
	blocks, err := filepath.Glob(filepath.Join(b.dir, backupDir, "*", "streams", "*", "msgs", "*.blk"))
	return err != nil || slices.ContainsFunc(blocks, func(name string) bool {
		info, err := os.Stat(name)
		return err != nil || info.Size() > 0
	})
}

// linkTree gives all files below a directory a second name.
func linkTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(to, inside), 0o750)
		}
		return os.Link(path, filepath.Join(to, inside))
	})
}
