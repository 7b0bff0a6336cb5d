package embed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

const (
	// MigratedKey is the entry of the stream's metadata that says whose stream it was
	// before it was copied into the cluster: the ID of a Standalone.
	MigratedKey = "sluice-brought"
	idName      = "id"
	copyName    = "copy"
)

// Standalone is what a gateway had stored when it was alone, before it became the
// member of a cluster.
type Standalone struct {
	// Dir is where it is.
	Dir string
	// ID tells it from all others.
	ID string

	stream string
	logger *slog.Logger
}

// Standalone returns what the data directory has of the time before the cluster,
// nil if nothing.
func (e *Server) Standalone() (*Standalone, error) {
	a, err := findStandalone(e.cfg.DataDir)
	if a != nil {
		a.stream, a.logger = e.cfg.Stream, e.logger
	}
	return a, err
}

// findStandalone returns what a data directory has of the time before the cluster, nil
// if nothing.
func findStandalone(dir string) (*Standalone, error) {
	a := &Standalone{Dir: filepath.Join(dir, standaloneDir)}
	if _, err := os.Stat(filepath.Join(a.Dir, serverDir)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, fmt.Errorf("cannot look for the data of the single gateway: %w", err)
	}
	name := filepath.Join(a.Dir, idName)
	text, err := os.ReadFile(name)
	if a.ID = strings.TrimSpace(string(text)); err == nil && a.ID != "" {
		return a, nil
	}
	a.ID = nuid.Next()
	if err := os.WriteFile(name, []byte(a.ID+"\n"), 0o640); err != nil {
		return nil, fmt.Errorf("cannot mark the data of the single gateway: %w", err)
	}
	return a, syncDir(a.Dir)
}

// CopyDir returns the name of a directory, which is not there, for a copy of the
// stream, and what removes it.
func (a *Standalone) CopyDir() (dir string, remove func(), err error) {
	dir = filepath.Join(a.Dir, copyName)
	return dir, func() { os.RemoveAll(dir) }, os.RemoveAll(dir) // else the next try does
}

// Serve starts a server on the files, for which it may take minutes, and returns
// what connects to it and what stops it.
func (a *Standalone) Serve() (conns nats.InProcessConnProvider, stop func(), err error) {
	err = restoreInterrupted(a.Dir)
	if err == nil {
		err = repairBlocks(context.Background(), a.Dir, a.stream, false, a.logger)
	}
	if err != nil {
		return nil, nil, err
	}
	kept, err := newStartBackup(a.Dir, a.stream, a.logger)
	if err != nil {
		return nil, nil, err
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "sluice-alone", DontListen: true, JetStream: true, StoreDir: a.Dir,
		NoSigs: true, NoLog: true,
	})
	if err != nil {
		return nil, nil, err
	}
	serverLog := newServerLog(a.logger)
	s.SetLoggerV2(serverLog, false, false, false)
	s.Start()
	stop = func() {
		s.Shutdown()
		s.WaitForShutdown()
	}
	if !s.ReadyForConnections(recoverTimeout) || !s.JetStreamEnabled() {
		stop()
		return nil, nil, fmt.Errorf("cannot read %s: %s", a.Dir, serverLog.reason())
	}
	if kept, err = kept.confirm(s, a.stream, serverLog.reason); err == nil && kept != nil {
		err = fmt.Errorf("cannot read %s: %s", a.Dir, serverLog.reason())
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return s, stop, nil
}

// MoveAside moves the files out of the way, and returns where they are now. Sluice
// never deletes them.
func (a *Standalone) MoveAside() (away string, err error) {
	away = fmt.Sprintf("%s.%s", a.Dir, a.ID)
	return away, errors.Join(os.Rename(a.Dir, away), syncDir(filepath.Dir(away)))
}
