package gateway

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"sluice/bus"
	"sluice/ingest"
)

// maxMaxLabels bounds --push.max-labels: the time of the text parser grows with
// the square of the number.
const maxMaxLabels = 512

// Where the gateway's own metrics are, in addition to selfMetricsPath.
const (
	SelfTogether = "together" // in every scrape, as in Pushgateway
	SelfSeparate = "separate" // nowhere
)

// Config is the configuration of a gateway. Check finds what is wrong with it.
type Config struct {
	// ListenAddresses are host:port, where port 0 is any free one. With
	// SystemdSocket they are not used: systemd has opened the sockets.
	ListenAddresses []string
	SystemdSocket   bool
	// WebConfigFile has TLS and authentication as Prometheus' exporter toolkit
	// reads them; "" is none.
	WebConfigFile string
	// OpenProbes opens /-/healthy and /-/ready to requests without the authentication
	// of WebConfigFile. A client certificate that it demands is still needed.
	OpenProbes bool
	// TrustedProxies may tell the address of a client, by a header of the request and,
	// with ProxyProtocol, by a header of the connection. Nobody else is believed.
	TrustedProxies ingest.Proxies
	ProxyProtocol  bool
	// TelemetryPath is the path of the scrape, below the route prefix.
	TelemetryPath string
	// SelfMetrics is SelfTogether or SelfSeparate.
	SelfMetrics string
	// ExternalURL is where others reach the gateway; "" is not known. RoutePrefix is
	// what all paths begin with; "" is the path of ExternalURL.
	ExternalURL string
	RoutePrefix string
	// EnableLifecycle allows /-/quit and /-/reload, EnableAdminAPI wiping and
	// deleting by selector.
	EnableLifecycle bool
	EnableAdminAPI  bool
	// ReadTimeout is the time of a body (ingest says how it grows with the body),
	// WriteTimeout that for each 64 KiB of an answer,
	// ReadHeaderTimeout that of the headers, IdleTimeout that between two requests.
	// 0 is no limit.
	ReadTimeout       time.Duration
	WriteTimeout      time.Duration
	ReadHeaderTimeout time.Duration
	IdleTimeout       time.Duration
	// MaxConnections bounds the connections of all listeners together; 0 is no
	// limit. MaxHeaderBytes bounds the headers of a request.
	MaxConnections int
	MaxHeaderBytes int
	// MaxGroups bounds the groups; 0 is no limit.
	MaxGroups int
	// PersistenceFile is the file of a Pushgateway, which is imported into an empty
	// stream; "" is none. PersistenceIntervalSet tells that its interval was set,
	// which has no effect; a warning is logged.
	PersistenceFile        string
	PersistenceIntervalSet bool
	// GroupTTL is how long a group lives where neither its push nor GroupRules, a
	// file, says so; 0 is for ever.
	GroupTTL   time.Duration
	GroupRules string

	// BusWait is how long the start waits for the servers of Bus.URL, if they cannot be
	// reached; 0 does not wait.
	BusWait time.Duration
	// The gateway sets Bus.PublishTimeout and Front.TTL itself.
	Bus       bus.Config
	Committer ingest.CommitterConfig
	Front     ingest.FrontConfig

	// Flags are the values of the flags by name, for the status page and the API.
	Flags map[string]string
	// Defaults are the default values of the flags that have another value.
	Defaults map[string]string
	// Reload gets a value for each request to reload the rules; nil gets none.
	Reload <-chan os.Signal
	// Terminal shows the progress of the first replay as a bar, if it is a terminal;
	// nil shows none.
	Terminal *os.File
}

// SetMaxHeld bounds the memory in bytes of all pushes together: a quarter of it is for
// those that wait for their verdict. 0 is no limit.
func (c *Config) SetMaxHeld(bytes int64) {
	c.Front.MaxHeld = bytes
	c.Committer.MaxWaitingBytes = (bytes + 3) / 4
}

// Check finds what is wrong with a configuration without starting anything.
func (c *Config) Check() error {
	return cmp.Or(c.checkWeb(), c.checkPositive(), c.checkNotNegative(), c.checkTogether())
}

func (c *Config) checkWeb() error {
	if c.TelemetryPath == "" || c.TelemetryPath[0] != '/' {
		return fmt.Errorf("--web.telemetry-path: %q does not begin with a slash", c.TelemetryPath)
	}
	if strings.ContainsAny(c.TelemetryPath, ":*") {
		return fmt.Errorf("--web.telemetry-path: %q must not contain : or *", c.TelemetryPath) // the router's wildcards
	}
	if taken(c.TelemetryPath) {
		return fmt.Errorf("--web.telemetry-path: %q is in use", c.TelemetryPath)
	}
	if c.SelfMetrics != SelfTogether && c.SelfMetrics != SelfSeparate {
		return fmt.Errorf("--web.own-metrics: unknown value %q: it is %q or %q", c.SelfMetrics, SelfTogether, SelfSeparate)
	}
	if len(c.ListenAddresses) == 0 && !c.SystemdSocket {
		return fmt.Errorf("--web.listen-address: no address given")
	}
	if c.ProxyProtocol && len(c.TrustedProxies) == 0 {
		return fmt.Errorf("--web.proxy-protocol: needs --web.trusted-proxies, which may send it")
	}
	if c.ExternalURL != "" {
		if _, err := url.Parse(c.ExternalURL); err != nil {
			return fmt.Errorf("--web.external-url: %w", err)
		}
	}
	return nil
}

func (c *Config) checkPositive() error {
	for _, positive := range []struct {
		flag  string
		value int64
	}{
		{"push.max-bytes", c.Front.MaxBytes},
		{"push.max-labels", int64(c.Front.Limits.Labels)},
		{"push.max-label-bytes", int64(c.Front.Limits.LabelBytes)},
		{"web.max-header-bytes", int64(c.MaxHeaderBytes)},
		{"push.max-waiting", int64(c.Committer.MaxWaiting)},
		{"push.wait", int64(c.Committer.Wait)},
		{"bus.history", int64(c.Bus.History)},
	} {
		if positive.value < 1 {
			return fmt.Errorf("--%s: must be positive", positive.flag)
		}
	}
	return nil
}

func (c *Config) checkNotNegative() error {
	for _, limit := range []struct {
		flag  string
		value int64
	}{
		{"push.max-waiting-bytes", c.Front.MaxHeld},
		{"bus.replicas", int64(c.Bus.Replicas)},
		{"group.forget-after", int64(c.Committer.ForgetAfter)},
		{"push.max-groups", int64(c.MaxGroups)},
		{"push.max-series", int64(c.Front.Limits.Series)},
		{"web.read-header-timeout", int64(c.ReadHeaderTimeout)},
		{"web.read-timeout", int64(c.ReadTimeout)},
		{"web.write-timeout", int64(c.WriteTimeout)},
		{"web.idle-timeout", int64(c.IdleTimeout)},
		{"web.max-connections", int64(c.MaxConnections)},
		{"bus.wait", int64(c.BusWait)},
	} {
		if limit.value < 0 {
			return fmt.Errorf("--%s: must not be negative", limit.flag)
		}
	}
	return nil
}

// checkTogether checks flags against limits that others set.
func (c *Config) checkTogether() error {
	if c.Front.Limits.Labels > maxMaxLabels {
		return fmt.Errorf("--push.max-labels: must not be more than %d", maxMaxLabels)
	}
	if c.Bus.URL != "" && (c.Bus.Server.Listen != "" || c.Bus.Server.ConfigFile != "") {
		return fmt.Errorf("--bus.url: is for an external server, --bus.listen and --bus.config are for the embedded one")
	}
	return nil
}

// external returns the external URL, or nil if there is none. Check has read it.
func (c *Config) external() *url.URL {
	u, err := url.Parse(c.ExternalURL)
	if err != nil || c.ExternalURL == "" {
		return nil
	}
	return u
}

// Prefix returns the route prefix, by default the path of the external URL, without
// a slash at the end.
func (c *Config) Prefix() string {
	prefix := c.RoutePrefix
	if prefix == "" && c.ExternalURL != "" {
		if u, err := url.Parse(c.ExternalURL); err == nil {
			prefix = u.Path
		}
	}
	prefix = strings.Trim(prefix, "/")
	if prefix == "" {
		return ""
	}
	return "/" + prefix
}
