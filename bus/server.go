package bus

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
)

// recoverTimeout bounds how long an embedded server may read its files before
// it is ready. It takes about a second for each million of groups.
const recoverTimeout = 5 * time.Minute

// embedded is the NATS server within this process.
type embedded struct {
	lock  *os.File
	login login
	opts  *server.Options
	log   *serverLog
	// trouble is why other members are not connected.
	trouble routeTrouble

	mu     sync.Mutex
	server *server.Server // the one that was started last; it may have been shut down
	unread *guard         // what it has left alone, nil if nothing
}

// current returns the server that was started last.
func (e *embedded) current() *server.Server {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.server
}

// InProcessConn connects to the server that runs now.
func (e *embedded) InProcessConn() (net.Conn, error) { return e.current().InProcessConn() }

// startEmbedded takes the data directory and starts the server on it.
func startEmbedded(ctx context.Context, cfg Config, logger *slog.Logger) (*embedded, error) {
	lock, err := lockDir(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	e := &embedded{lock: lock, log: newServerLog(logger)}
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

// prepare makes the server's options and the data directory ready for them.
// Nothing is changed there if the options are wrong.
func (e *embedded) prepare(cfg Config) (*server.Options, error) {
	opts, login, err := serverOptions(cfg)
	if err != nil {
		return nil, err
	}
	e.login = login
	if !cfg.Cluster.on() {
		return opts, leaveDir(cfg)
	}
	m, err := joinDir(cfg.DataDir, cfg.Cluster)
	if err != nil {
		return nil, err
	}
	opts.ServerName = m.Node
	return opts, nil
}

func (e *embedded) start(ctx context.Context, cfg Config, opts *server.Options) error {
	// The server only logs that an address is taken, and then stops: ask first.
	if !opts.DontListen && opts.Port > 0 {
		l, err := net.Listen("tcp", net.JoinHostPort(opts.Host, strconv.Itoa(opts.Port)))
		if err != nil {
			return fmt.Errorf("cannot listen for NATS clients: %w", err)
		}
		l.Close()
	}
	if cfg.Cluster.on() {
		if err := checkRoutes(opts); err != nil {
			return err
		}
	}
	kept := &guard{}
	if !cfg.Cluster.on() { // there the other members have it
		var err error
		if kept, err = newGuard(cfg.DataDir, streamName(cfg.Prefix), e.log.logger); err != nil {
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
	case !s.ReadyForConnections(cfg.ConnectTimeout):
		err = fmt.Errorf("cannot start the embedded NATS server: %s", e.log.reason())
	case !s.JetStreamEnabled():
		err = fmt.Errorf("cannot start JetStream in %s: %s", cfg.DataDir, e.log.reason())
	}
	if err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return err
	}
	if kept, err = kept.keepUnread(s, streamName(cfg.Prefix), e.log.reason); err != nil {
		return err
	}
	e.log.start()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.server, e.unread = s, kept
	return nil
}

// stop shuts the server down and waits for it until ctx ends.
func (e *embedded) stop(ctx context.Context) error {
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
	if cfg.ServerConfig != "" {
		var err error
		if opts, err = server.ProcessConfigFile(cfg.ServerConfig); err != nil {
			return nil, login{}, fmt.Errorf("cannot use NATS configuration %s: %w", cfg.ServerConfig, err)
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
	if cfg.Cluster.on() {
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
	login, err := serverLogin(cfg, opts, private && cfg.Cluster.on())
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
