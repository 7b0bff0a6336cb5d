package embed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// recoverTimeout bounds how long an embedded server may read its files before
// it is ready. It takes about a second for each million of groups.
const recoverTimeout = 5 * time.Minute

// Server is the NATS server within this process. Its methods may be called
// concurrently, except that Restart is called by one at a time, and Stop last.
type Server struct {
	cfg    Config
	logger *slog.Logger
	lock   *os.File
	login  login
	opts   *server.Options
	log    *serverLog
	// trouble is why other members are not connected.
	trouble routeTrouble

	mu          sync.Mutex
	server      *server.Server // the one that was started last; it may have been shut down
	lost        int            // records of the stream that repairs could not save
	unconfirmed *startBackup   // streams that it has ignored so far, nil for none
}

// Start takes the data directory and starts the server on it. It blocks until the
// server is ready, or for some minutes at most, or until ctx ends: a server with
// much on its disk reads it first, and a member of a cluster may have to wait until
// the others can be looked up. The error is one line. Nothing is changed in the
// data directory if the configuration is wrong.
func Start(ctx context.Context, cfg Config, logger *slog.Logger) (*Server, error) {
	cfg = cfg.withDefaults()
	if cfg.DataDir == "" {
		return nil, errors.New("the embedded NATS server needs a data directory (--bus.data-dir)")
	}
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.Cluster.On() {
		var err error
		if cfg.Cluster, err = cfg.Cluster.withSize(ctx, logger); err != nil {
			return nil, err
		}
		cfg.Cluster = cfg.Cluster.resolve(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.ReadyTimeout+recoverTimeout)
	defer cancel()
	lock, err := lockDir(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	e := &Server{cfg: cfg, logger: logger, lock: lock, log: newServerLog(logger)}
	e.log.onProblem = e.trouble.note
	e.opts, err = e.prepare(cfg)
	if err == nil {
		err = e.start(ctx, cfg, e.opts.Clone())
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return e, nil
}

// current returns the server that was started last.
func (e *Server) current() *server.Server {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.server
}

// InProcessConn connects to the server that runs now.
func (e *Server) InProcessConn() (net.Conn, error) { return e.current().InProcessConn() }

// Login returns what a connection to the server needs to be let in as Sluice.
func (e *Server) Login() []nats.Option { return e.login.options }

// Config returns the configuration with defaults filled in, and the size of the
// cluster.
func (e *Server) Config() Config { return e.cfg }

// Name returns the name of the server.
func (e *Server) Name() string { return e.current().Name() }

// ClientURL returns where the server listens for clients, or "" if nowhere.
func (e *Server) ClientURL() string {
	s := e.current()
	if s.Addr() == nil {
		return ""
	}
	return s.ClientURL()
}

// LostRecords counts the records of the stream that were damaged on the disk and could
// not be repaired, now or before an earlier start.
func (e *Server) LostRecords() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lost
}

// MembersConnected counts the members of the cluster that are connected, this one
// included.
func (e *Server) MembersConnected() int { return e.current().NumRemotes() + 1 }

// RouteTrouble returns why other members could not be connected within the last
// seconds, "" for no known reason.
func (e *Server) RouteTrouble() string { return e.trouble.last() }

// Failed receives the reason once the server stops writing. It does not write again
// until Restart.
func (e *Server) Failed() <-chan string { return e.log.failed }

// prepare makes the server's options and the data directory ready for them.
// Nothing is changed there if the options are wrong.
func (e *Server) prepare(cfg Config) (*server.Options, error) {
	opts, login, err := serverOptions(cfg)
	if err != nil {
		return nil, err
	}
	e.login = login
	if !cfg.Cluster.On() {
		return opts, leaveDir(cfg)
	}
	m, err := joinDir(cfg.DataDir, cfg.Cluster)
	if err != nil {
		return nil, err
	}
	opts.ServerName = m.Node
	return opts, nil
}

// start starts a server with these options on the data directory.
func (e *Server) start(ctx context.Context, cfg Config, opts *server.Options) error {
	if err := checkAddresses(cfg, opts); err != nil {
		return err
	}
	backup, lost, err := e.prepareFiles(ctx, cfg)
	if err != nil {
		return err
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("cannot configure the embedded NATS server: %w", err)
	}
	s.SetLoggerV2(e.log, e.log.logger.Enabled(ctx, slog.LevelDebug), false, false)
	if err := e.run(ctx, cfg, s); err != nil {
		return err
	}
	if backup, err = backup.confirm(s, cfg.Stream, e.log.reason); err != nil {
		return err
	}
	e.log.start()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.server, e.unconfirmed, e.lost = s, backup, lost
	return nil
}

// prepareFiles repairs the blocks of the stream and makes a backup of its files.
func (e *Server) prepareFiles(ctx context.Context, cfg Config) (backup *startBackup, lost int, err error) {
	backup = &startBackup{}
	if !cfg.Cluster.On() {
		if err := restoreInterrupted(cfg.DataDir); err != nil {
			return nil, 0, err
		}
	}
	if err := repairBlocks(ctx, cfg.DataDir, cfg.Stream, cfg.Cluster.On(), e.logger); err != nil {
		return nil, 0, err
	}
	if lost, err = lostRecords(cfg.DataDir, e.logger); err != nil || cfg.Cluster.On() {
		return backup, lost, err // the other members have the stream
	}
	backup, err = newStartBackup(cfg.DataDir, cfg.Stream, e.log.logger)
	return backup, lost, err
}

// run starts a server and waits until it is ready. If it returns an error, the
// server is down.
func (e *Server) run(ctx context.Context, cfg Config, s *server.Server) (err error) {
	// Start reads the files of the stream before it returns.
	started := make(chan struct{})
	go func() {
		defer close(started)
		s.Start()
	}()
	select {
	case <-started:
	case <-ctx.Done():
		err = fmt.Errorf("cannot start the embedded NATS server: %w", context.Cause(ctx))
	}
	switch {
	case err != nil:
	case !s.ReadyForConnections(cfg.ReadyTimeout):
		err = fmt.Errorf("cannot start the embedded NATS server: %s", e.log.reason())
	case !s.JetStreamEnabled():
		err = fmt.Errorf("cannot start JetStream in %s: %s", cfg.DataDir, e.log.reason())
	}
	if err != nil {
		s.Shutdown()
		<-started
		s.WaitForShutdown()
	}
	return err
}

// Stop shuts the server down and waits for it until ctx ends.
func (e *Server) Stop(ctx context.Context) error {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s := e.current()
		s.Shutdown()
		s.WaitForShutdown()
	}()
	select {
	case <-stopped:
		return e.lock.Close()
	case <-ctx.Done():
		return fmt.Errorf("cannot stop the embedded NATS server: %w", context.Cause(ctx))
	}
}
