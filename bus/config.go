package bus

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/bus/embed"
)

// Config says where the stream is and how it is made. The zero value of each field
// has a meaning, but without URL the server needs a DataDir. Open checks it.
type Config struct {
	// URL names external NATS servers, separated by commas. Empty means the
	// embedded one.
	URL string
	// Creds is a file with a user JWT and its seed, NKey one with an nkey's
	// seed: they authenticate Sluice, to the embedded server, too, if
	// its ConfigFile wants that.
	Creds, NKey string
	// TLSCA, TLSCert and TLSKey are PEM files for the connection to URL.
	TLSCA, TLSCert, TLSKey string

	// Server is the embedded server, which is not used with URL. Open itself fills in
	// its Stream, OwnUser and ReadyTimeout.
	Server embed.Config

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
	// PublishTimeout bounds each Append, 0 for 8 seconds: a push must be answered
	// within 10 seconds, and the election of a new leader of the stream takes most
	// of them.
	PublishTimeout time.Duration
	// ConnectTimeout bounds how long Open waits for the server and the stream, 0
	// for 5 seconds; an embedded server gets some minutes more, since it reads
	// its files.
	ConnectTimeout time.Duration
}

const (
	defaultPrefix         = "sluice"
	defaultPublishTimeout = 8 * time.Second
	defaultConnectTimeout = 5 * time.Second

	// maxHistory is a bound of common sense; the server has none.
	maxHistory = 1_000_000
)

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	c.History = max(c.History, 1)
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	if c.PublishTimeout == 0 {
		c.PublishTimeout = defaultPublishTimeout
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = defaultConnectTimeout
	}
	c.Server.Stream = streamName(c.Prefix)
	c.Server.OwnUser = c.Creds != "" || c.NKey != ""
	c.Server.ReadyTimeout = c.ConnectTimeout
	return c
}

// check tells what is wrong in one line.
func (c Config) check() error {
	switch {
	case c.URL != "" && c.Server.Listen != "":
		return errors.New("--bus.listen is for the embedded NATS server and cannot go with --bus.url")
	case c.URL != "" && c.Server.ConfigFile != "":
		return errors.New("--bus.config is for the embedded NATS server and cannot go with --bus.url")
	case c.URL != "" && c.Server.Cluster.On():
		return errors.New("--cluster.listen is for the embedded NATS server and cannot go with --bus.url")
	case c.Creds != "" && c.NKey != "":
		return errors.New("--bus.creds and --bus.nkey cannot go together")
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("--bus.tls-cert and --bus.tls-key go together")
	case c.Replicas > 5:
		return fmt.Errorf("--bus.replicas is %d, but NATS keeps at most 5 copies", c.Replicas)
	case c.History > maxHistory:
		return fmt.Errorf("--bus.history is %d, more than %d", c.History, maxHistory)
	case !validPrefix(c.Prefix):
		return fmt.Errorf("--bus.prefix %q is not made of letters, digits, - and _", c.Prefix)
	case c.MaxBytes < 0:
		return fmt.Errorf("--bus.max-bytes is negative: %d", c.MaxBytes)
	}
	return c.Server.Check()
}

func validPrefix(prefix string) bool {
	return prefix != "" && strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}
