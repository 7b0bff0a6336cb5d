package embed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
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

	mu     sync.Mutex
	server *server.Server // the one that was started last; it may have been shut down
	unread *startBackup   // what it has left alone, nil if nothing
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
		if cfg.Cluster, err = cfg.Cluster.sized(ctx, logger); err != nil {
			return nil, err
		}
		cfg.Cluster = cfg.Cluster.lookUp(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.ReadyTimeout+recoverTimeout)
	defer cancel()
	lock, err := lockDir(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	e := &Server{cfg: cfg, logger: logger, lock: lock, log: newServerLog(logger)}
	e.log.heard = e.trouble.note
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

// MembersConnected counts the members of the cluster that are connected, this one
// included.
func (e *Server) MembersConnected() int { return e.current().NumRemotes() + 1 }

// RouteTrouble returns why other members could not be connected within the last
// seconds, "" for no known reason.
func (e *Server) RouteTrouble() string { return e.trouble.last() }

// Failed gets why the server writes no more: it will not write again until Restart.
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

func (e *Server) start(ctx context.Context, cfg Config, opts *server.Options) error {
	// The server only logs that an address is taken, and then stops: ask first.
	if !opts.DontListen && opts.Port > 0 {
		l, err := net.Listen("tcp", net.JoinHostPort(opts.Host, strconv.Itoa(opts.Port)))
		if err != nil {
			return fmt.Errorf("cannot listen for NATS clients: %w", err)
		}
		l.Close()
	}
	if cfg.Cluster.On() {
		if err := checkRoutes(opts); err != nil {
			return err
		}
	}
	kept := &startBackup{}
	if !cfg.Cluster.On() { // there the other members have it
		var err error
		if kept, err = newStartBackup(cfg.DataDir, cfg.Stream, e.log.logger); err != nil {
			return err
		}
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("cannot configure the embedded NATS server: %w", err)
	}
	s.SetLoggerV2(e.log, e.log.logger.Enabled(ctx, slog.LevelDebug), false, false)
	// Start reads the files of the stream before it returns.
	started := make(chan struct{})
	go func() {
		defer close(started)
		s.Start()
	}()
	select {
	case <-started:
	case <-ctx.Done():
		s.Shutdown()
		<-started
		s.WaitForShutdown()
		return fmt.Errorf("cannot start the embedded NATS server: %w", context.Cause(ctx))
	}
	err = nil
	switch {
	case !s.ReadyForConnections(cfg.ReadyTimeout):
		err = fmt.Errorf("cannot start the embedded NATS server: %s", e.log.reason())
	case !s.JetStreamEnabled():
		err = fmt.Errorf("cannot start JetStream in %s: %s", cfg.DataDir, e.log.reason())
	}
	if err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return err
	}
	if kept, err = kept.keepUnread(s, cfg.Stream, e.log.reason); err != nil {
		return err
	}
	e.log.start()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.server, e.unread = s, kept
	return nil
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

// serverOptions makes the server's options, and the login for our own
// connection.
func serverOptions(cfg Config) (*server.Options, login, error) {
	opts := &server.Options{Port: server.DEFAULT_PORT}
	listens := false
	if cfg.ConfigFile != "" {
		var err error
		if opts, err = server.ProcessConfigFile(cfg.ConfigFile); err != nil {
			return nil, login{}, fmt.Errorf("cannot use NATS configuration %s: %w", cfg.ConfigFile, err)
		}
		listens = opts.Port != 0 || opts.Host != ""
	}
	if cfg.Listen != "" {
		host, port, err := splitListen(cfg.Listen)
		if err != nil {
			return nil, login{}, err
		}
		opts.Host, opts.Port, listens = host, port, true
	}
	opts.DontListen = !listens
	private := !listens && opts.Websocket.Port == 0 && opts.MQTT.Port == 0 && opts.LeafNode.Port == 0
	if cfg.Cluster.On() {
		if err := clusterOptions(cfg, opts); err != nil {
			return nil, login{}, err
		}
		if !listens {
			// The server has no routes without a listener for clients.
			opts.DontListen, opts.Host, opts.Port = false, "127.0.0.1", server.RANDOM_PORT
		}
	}
	opts.JetStream = true
	opts.StoreDir = cfg.DataDir
	if opts.JetStreamMaxStore == 0 {
		opts.JetStreamMaxStore = storeLimit(cfg.DataDir)
	}
	opts.SyncAlways = cfg.Sync == SyncAlways
	opts.MaxPayload = int32(cfg.MaxPayload)
	// A client may have as much in flight as a few of the largest events.
	opts.MaxPending = max(opts.MaxPending, server.MAX_PENDING_SIZE, int64(4*cfg.MaxPayload))
	opts.NoSigs = true // signals are the gateway's
	opts.NoLog = true  // no log of its own: SetLoggerV2 gives it ours
	if opts.ServerName == "" {
		opts.ServerName = "sluice"
	}
	if err := checkListeners(cfg, opts); err != nil {
		return nil, login{}, err
	}
	// A listener that nobody has asked for lets nobody in.
	login, err := serverLogin(cfg, opts, private && cfg.Cluster.On())
	return opts, login, err
}

// splitListen reads host:port, in which port 0 and -1 mean any free one.
func splitListen(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil && text == "-1" {
		return host, server.RANDOM_PORT, nil
	}
	if err == nil {
		port, err = net.LookupPort("tcp", text)
	}
	if err != nil {
		return "", 0, fmt.Errorf("cannot use --bus.listen %q: %w", address, err)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// checkListeners refuses to let anybody in from beyond this machine without
// authentication.
func checkListeners(cfg Config, opts *server.Options) error {
	if cfg.AllowInsecureListen || hasAuth(opts) {
		return nil
	}
	listeners := []struct {
		on   bool
		host string
		port int
		own  bool // has an authentication of its own
	}{
		{!opts.DontListen, opts.Host, opts.Port, false},
		{opts.Websocket.Port != 0, opts.Websocket.Host, opts.Websocket.Port, opts.Websocket.Username != "" || opts.Websocket.Token != ""},
		{opts.MQTT.Port != 0, opts.MQTT.Host, opts.MQTT.Port, opts.MQTT.Username != "" || opts.MQTT.Token != ""},
		{opts.LeafNode.Port != 0, opts.LeafNode.Host, opts.LeafNode.Port, opts.LeafNode.Username != "" || opts.LeafNode.Nkey != "" || len(opts.LeafNode.Users) > 0},
	}
	for _, l := range listeners {
		if l.on && !l.own && !isLoopback(l.host) {
			return insecureError(net.JoinHostPort(l.host, strconv.Itoa(l.port)))
		}
	}
	return nil
}

// hasAuth tells whether clients must show who they are.
func hasAuth(opts *server.Options) bool {
	return len(opts.Users) > 0 || len(opts.Nkeys) > 0 || opts.Username != "" || opts.Authorization != "" ||
		opts.TLSVerify || opts.AuthCallout != nil || hasOperator(opts)
}

// hasOperator tells whether users are JWTs.
func hasOperator(opts *server.Options) bool {
	return len(opts.TrustedOperators) > 0 || len(opts.TrustedKeys) > 0
}
