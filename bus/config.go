package bus

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// SyncMode says when the embedded server writes the stream to the disk.
type SyncMode string

const (
	// SyncAlways means that what is acknowledged has been fsynced.
	SyncAlways SyncMode = "always"
	// SyncInterval leaves it to the operating system, with an fsync every two
	// minutes: faster, but a crash of the machine loses acknowledged pushes.
	SyncInterval SyncMode = "interval"
)

// ParseSyncMode reads "always" or "interval".
func ParseSyncMode(name string) (SyncMode, error) {
	switch mode := SyncMode(name); mode {
	case SyncAlways, SyncInterval:
		return mode, nil
	}
	return "", fmt.Errorf("unknown sync mode %q: it is %q or %q", name, SyncAlways, SyncInterval)
}

// Config says where the stream is and how it is made. The zero value of each
// field but DataDir has a meaning. Open checks it.
type Config struct {
	// DataDir is where the embedded server stores the stream (--bus.data-dir).
	// It is created if need be, and is not used with URL.
	DataDir string
	// URL names external NATS servers, separated by commas. Empty means the
	// embedded one.
	URL string
	// Creds is a file with a user JWT and its seed, NKey one with an nkey's
	// seed: they authenticate Sluice, to the embedded server, too, if
	// ServerConfig wants that.
	Creds, NKey string
	// TLSCA, TLSCert and TLSKey are PEM files for the connection to URL.
	TLSCA, TLSCert, TLSKey string

	// Listen is the address host:port on which the embedded server takes NATS
	// clients; port 0 or -1 takes a free one. Empty means that it listens to
	// nobody, or to whom ServerConfig says.
	Listen string
	// ServerConfig is a configuration file of nats-server for the embedded one.
	// JetStream, its folder and the payload limit are ours whatever it says. If
	// it defines accounts, Sluice's is the one named SLUICE, or the only one.
	// Sluice makes itself a user there, except where users are JWTs or an
	// authorization callout decides: then it needs Creds or NKey.
	ServerConfig string
	// AllowInsecureListen lets the embedded server listen beyond loopback
	// without authentication.
	AllowInsecureListen bool
	// Sync is the embedded server's; empty means SyncAlways.
	Sync SyncMode

	// Cluster says how the embedded server joins those of other gateways.
	Cluster ClusterConfig

	// Replicas is the number of the stream's copies. 0 means as many as the
	// cluster allows, five at most: fewer while not all members are there, and
	// never fewer than there were.
	Replicas int
	// History is the number of events that the stream keeps of a group, 0 for 1.
	History int
	// Prefix is the first token of all subjects and, in upper case, the name of
	// the stream. Empty means "sluice".
	Prefix string
	// MaxBytes limits the stream in bytes, 0 for no limit.
	MaxBytes int64
	// MaxPayload is the size of the largest event in bytes, headers included, 0
	// for 8 MiB. An external server has a limit of its own.
	MaxPayload int

	// PublishTimeout bounds each Append, 0 for 8 seconds: a push shall be answered
	// within 10 seconds, and the election of a new leader of the stream takes most
	// of them.
	PublishTimeout time.Duration
	// ConnectTimeout bounds how long Open waits for the server and the stream, 0
	// for 5 seconds; an embedded server gets recoverTimeout more, since it
	// reads its files.
	ConnectTimeout time.Duration
}

const (
	defaultPrefix         = "sluice"
	defaultMaxPayload     = 8 << 20
	defaultPublishTimeout = 8 * time.Second
	defaultConnectTimeout = 5 * time.Second

	// maxPayload is what a record of nats-server's file store can hold (32 MiB),
	// less room for its own fields and the subject.
	maxPayload = 32<<20 - 4096
	// maxHistory is a bound of common sense; the server has none.
	maxHistory = 1_000_000
)

// MaxPayloadLimit is the largest Config.MaxPayload, in bytes.
const MaxPayloadLimit = maxPayload

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	if c.Sync == "" {
		c.Sync = SyncAlways
	}
	c.History = max(c.History, 1)
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	if c.Cluster.Name == "" {
		c.Cluster.Name = defaultClusterName
	}
	if c.MaxPayload == 0 {
		c.MaxPayload = defaultMaxPayload
	}
	if c.PublishTimeout == 0 {
		c.PublishTimeout = defaultPublishTimeout
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = defaultConnectTimeout
	}
	return c
}

// check tells what is wrong in one line.
func (c Config) check() error {
	switch {
	case c.URL == "" && c.DataDir == "":
		return errors.New("the embedded NATS server needs a data directory (--bus.data-dir)")
	case c.URL != "" && c.Listen != "":
		return errors.New("--bus.listen is for the embedded NATS server and cannot go with --bus.url")
	case c.URL != "" && c.ServerConfig != "":
		return errors.New("--bus.config is for the embedded NATS server and cannot go with --bus.url")
	case c.URL != "" && c.Cluster.on():
		return errors.New("--cluster.listen is for the embedded NATS server and cannot go with --bus.url")
	case c.Creds != "" && c.NKey != "":
		return errors.New("--bus.creds and --bus.nkey cannot go together")
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("--bus.tls-cert and --bus.tls-key go together")
	case c.Sync != SyncAlways && c.Sync != SyncInterval:
		return fmt.Errorf("unknown --bus.sync %q: it is %q or %q", c.Sync, SyncAlways, SyncInterval)
	case c.Replicas > 5:
		return fmt.Errorf("--bus.replicas is %d, but NATS keeps at most 5 copies", c.Replicas)
	case c.History > maxHistory:
		return fmt.Errorf("--bus.history is %d, more than %d", c.History, maxHistory)
	case !validPrefix(c.Prefix):
		return fmt.Errorf("--bus.prefix %q is not made of letters, digits, - and _", c.Prefix)
	case c.MaxPayload < 1024 || c.MaxPayload > maxPayload:
		return fmt.Errorf("the largest event is %d bytes, but NATS takes events between 1024 and %d", c.MaxPayload, maxPayload)
	case c.MaxBytes < 0:
		return fmt.Errorf("--bus.max-bytes is negative: %d", c.MaxBytes)
	}
	if err := c.Cluster.check(); err != nil {
		return err
	}
	if c.Listen != "" {
		host, _, err := net.SplitHostPort(c.Listen)
		if err != nil {
			return fmt.Errorf("cannot use --bus.listen %q: %w", c.Listen, err)
		}
		if c.ServerConfig == "" && !c.AllowInsecureListen && !isLoopback(host) {
			return insecureError(c.Listen)
		}
	}
	return nil
}

func insecureError(address string) error {
	return fmt.Errorf("refusing to let anybody in at NATS address %s: without authentication (--bus.config) only loopback is safe, unless --bus.allow-insecure-listen says otherwise", address)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func validPrefix(prefix string) bool {
	return prefix != "" && strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}
