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
	dir   string // has serverDir and, until the backup is dropped, backupDir
	found []string
}

// newStartBackup keeps the streams of a name, of all accounts, in a directory. What a
// start has left that was cut off is put back first. On a file system that has no
// links nothing can be kept, which is logged.
func newStartBackup(dir, stream string, logger *slog.Logger) (*startBackup, error) {
	g := &startBackup{dir: dir}
	if _, err := os.Stat(filepath.Join(dir, backupDir)); err == nil {
		if err := g.putBack(); err != nil {
			return nil, err
		}
	}
	base := filepath.Join(dir, serverDir)
	metas, err := filepath.Glob(filepath.Join(base, "*", "streams", stream, server.JetStreamMetaFile))
	if err != nil {
		return nil, fmt.Errorf("cannot look for stream %s: %w", stream, err)
	}
	unfinished := filepath.Join(dir, backupDir+".new")
	if err := os.RemoveAll(unfinished); err != nil {
		return nil, fmt.Errorf("cannot keep stream %s: %w", stream, err)
	}
	for _, meta := range metas {
		from := filepath.Dir(meta)
		inside, err := filepath.Rel(base, from)
		if err == nil {
			err = linkTree(from, filepath.Join(unfinished, inside))
		}
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
			logger.Warn("the files of the stream cannot have a second name while the server starts: if it cannot read them it removes them", "folder", from, "err", err)
			return &startBackup{dir: dir}, os.RemoveAll(unfinished)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot keep stream %s: %w", stream, errors.Join(err, os.RemoveAll(unfinished)))
		}
		g.found = append(g.found, inside)
	}
	if len(g.found) > 0 {
		if err := os.Rename(unfinished, filepath.Join(dir, backupDir)); err != nil {
			return nil, fmt.Errorf("cannot keep stream %s: %w", stream, err)
		}
	}
	return g, nil
}

// holds tells whether there is a stream that the server should have.
func (g *startBackup) holds() bool { return len(g.found) > 0 }

// drop lets the server have the files.
func (g *startBackup) drop() error {
	if err := os.RemoveAll(filepath.Join(g.dir, backupDir)); err != nil {
		return fmt.Errorf("cannot tidy up after the start of the server: %w", err)
	}
	return nil
}

// putBack puts the streams back where they were. No server may run.
func (g *startBackup) putBack() error {
	kept, err := filepath.Glob(filepath.Join(g.dir, backupDir, "*", "streams", "*"))
	for _, from := range kept {
		inside, relErr := filepath.Rel(filepath.Join(g.dir, backupDir), from)
		if relErr != nil {
			return relErr
		}
		err = errors.Join(err, moveBack(from, filepath.Join(g.dir, serverDir, inside)))
	}
	if err == nil {
		err = g.drop()
	}
	if err != nil {
		return fmt.Errorf("cannot put the stream back, which is in %s: %w", filepath.Join(g.dir, backupDir), err)
	}
	return syncDir(g.dir)
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

// keepUnread looks whether a server has read the streams that are there. If so it
// drops the backup. If the server has removed one, it is shut down, the stream is
// put back, and the error says so. If it has left one alone, as it does with a
// stream of a cluster when it is none, it takes it up when it is to make a stream
// of that name: until then the backup stays, and it is returned.
func (g *startBackup) keepUnread(s *server.Server, name string, reason func() string) (*startBackup, error) {
	if !g.holds() {
		return nil, nil
	}
	has, err := hasStream(s, name)
	if err == nil && has {
		return nil, g.drop()
	}
	if err == nil {
		if _, err = os.Stat(filepath.Join(g.dir, serverDir, g.found[0], server.JetStreamMetaFile)); err == nil {
			return g, nil
		}
		err = fmt.Errorf("the NATS server cannot read stream %s in %s, which is kept as it is: %s", name, filepath.Join(g.dir, serverDir, g.found[0]), reason())
	}
	s.Shutdown()
	s.WaitForShutdown()
	return nil, errors.Join(err, g.putBack())
}

// TookUp is told of the making of the stream (Config.Stream), which has failed with
// err or has brought one that is empty or not. It checks that this is the one that
// the server had left alone when it started. If not, that is put back by the next
// start, which Failed asks for, and the error says so.
func (e *Server) TookUp(empty bool, err error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.unread == nil:
		return err
	case err == nil && empty && e.unread.events():
		err = fmt.Errorf("the NATS server cannot read stream %s in %s, which is kept as it is", e.cfg.Stream, e.unread.dir)
	case err == nil:
		err, e.unread = e.unread.drop(), nil
		return err
	}
	e.log.fail(err.Error())
	return err
}

// events tells whether there are any in the streams that are kept.
func (g *startBackup) events() bool {
	blocks, err := filepath.Glob(filepath.Join(g.dir, backupDir, "*", "streams", "*", "msgs", "*.blk"))
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
