package embed

import (
	"fmt"
	"net"

	"github.com/nats-io/nats-server/v2/server"
)

// serverOptions makes the server's options, and the login for our own
// connection.
func serverOptions(cfg Config) (*server.Options, login, error) {
	opts, listens, err := clientOptions(cfg)
	if err != nil {
		return nil, login{}, err
	}
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
	setOwnOptions(cfg, opts)
	if err := checkListeners(cfg, opts); err != nil {
		return nil, login{}, err
	}
	// A listener that nobody has asked for lets nobody in.
	login, err := serverLogin(cfg, opts, private && cfg.Cluster.On())
	return opts, login, err
}

// clientOptions reads the configuration file, if there is one, and sets where the
// server listens for clients. listens tells whether it does.
func clientOptions(cfg Config) (opts *server.Options, listens bool, err error) {
	opts = &server.Options{Port: server.DEFAULT_PORT}
	if cfg.ConfigFile != "" {
		if opts, err = server.ProcessConfigFile(cfg.ConfigFile); err != nil {
			return nil, false, fmt.Errorf("cannot use NATS configuration %s: %w", cfg.ConfigFile, err)
		}
		listens = opts.Port != 0 || opts.Host != ""
	}
	if cfg.Listen != "" {
		if opts.Host, opts.Port, err = splitListen(cfg.Listen); err != nil {
			return nil, false, err
		}
		listens = true
	}
	opts.DontListen = !listens
	return opts, listens, nil
}

// setOwnOptions sets what is ours whatever the configuration file says.
func setOwnOptions(cfg Config, opts *server.Options) {
	opts.JetStream = true
	opts.StoreDir = cfg.DataDir
	if opts.JetStreamMaxStore == 0 {
		opts.JetStreamMaxStore = noStoreLimit
	}
	opts.SyncAlways = cfg.Sync == SyncAlways
	if opts.MaxPayload == 0 { // the configuration file does not set it
		opts.MaxPayload = int32(cfg.MaxPayload)
	}
	// A client may have as much in flight as a few of the largest events.
	opts.MaxPending = max(opts.MaxPending, server.MAX_PENDING_SIZE, 4*int64(opts.MaxPayload))
	opts.NoSigs = true // signals are the gateway's
	opts.NoLog = true  // no log of its own: SetLoggerV2 gives it ours
	if opts.ServerName == "" {
		opts.ServerName = "sluice"
	}
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
