package embed

import (
	"fmt"
	"net"
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

// Config is how the embedded server is set up. DataDir and Stream are needed; the
// zero value of each other field has a meaning.
type Config struct {
	// DataDir is where the server stores its streams (--bus.data-dir). It is
	// created if need be.
	DataDir string
	// Stream is the name of the stream whose files must survive each start.
	Stream string

	// Listen is the address host:port on which the server takes NATS
	// clients; port 0 or -1 takes a free one. Empty means that it listens to
	// nobody, or to whom ConfigFile says.
	Listen string
	// ConfigFile is a configuration file of nats-server (--bus.config).
	// JetStream and its folder are ours whatever it says. Its max_payload takes
	// precedence over MaxPayload. If it defines accounts, Sluice's is the one named SLUICE, or the only one.
	// Sluice makes itself a user there, except where users are JWTs or an
	// authorization callout decides: then it needs OwnUser.
	ConfigFile string
	// OwnUser tells that Sluice has credentials of its own, so that no user is made
	// for it.
	OwnUser bool
	// AllowInsecureListen lets the server listen beyond loopback without
	// authentication.
	AllowInsecureListen bool
	// Sync is when the server writes to the disk; empty means SyncAlways.
	Sync SyncMode
	// MaxPayload is the size of the largest message in bytes, headers included, 0
	// for 8 MiB.
	MaxPayload int
	// ReadyTimeout bounds how long the server may take until it is ready, after it
	// has read its files. 0 means 5 seconds.
	ReadyTimeout time.Duration

	// Cluster says how the server joins those of other gateways.
	Cluster ClusterConfig
}

const (
	defaultMaxPayload   = 8 << 20
	defaultReadyTimeout = 5 * time.Second
)

// MaxPayloadLimit is the largest Config.MaxPayload, in bytes: what a record of
// nats-server's file store can hold (32 MiB), less room for its own fields and the
// subject.
const MaxPayloadLimit = 32<<20 - 4096

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	if c.Sync == "" {
		c.Sync = SyncAlways
	}
	if c.Cluster.Name == "" {
		c.Cluster.Name = defaultClusterName
	}
	if c.MaxPayload == 0 {
		c.MaxPayload = defaultMaxPayload
	}
	if c.ReadyTimeout == 0 {
		c.ReadyTimeout = defaultReadyTimeout
	}
	return c
}

// Check tells in one line what is wrong, but for DataDir, which Start needs only.
func (c Config) Check() error {
	c = c.withDefaults()
	switch {
	case c.Sync != SyncAlways && c.Sync != SyncInterval:
		return fmt.Errorf("unknown --bus.sync %q: it is %q or %q", c.Sync, SyncAlways, SyncInterval)
	case c.MaxPayload < 1024 || c.MaxPayload > MaxPayloadLimit:
		return fmt.Errorf("the largest event is %d bytes, but NATS takes events between 1024 and %d", c.MaxPayload, MaxPayloadLimit)
	}
	if err := c.Cluster.check(); err != nil {
		return err
	}
	if c.Listen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("cannot use --bus.listen %q: %w", c.Listen, err)
	}
	if c.ConfigFile == "" && !c.AllowInsecureListen && !isLoopback(host) {
		return insecureError(c.Listen)
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
