package gateway

import (
	"fmt"
	"net/url"
	"strings"
)

// Check finds what is wrong with a configuration without starting anything.
func (c *Config) Check() error {
	if c.TelemetryPath == "" || c.TelemetryPath[0] != '/' {
		return fmt.Errorf("--web.telemetry-path: %q does not begin with a slash", c.TelemetryPath)
	}
	if taken(c.TelemetryPath) {
		return fmt.Errorf("--web.telemetry-path: %q is a path of something else", c.TelemetryPath)
	}
	if c.SelfMetrics != SelfTogether && c.SelfMetrics != SelfSeparate {
		return fmt.Errorf("--web.own-metrics: unknown value %q: it is %q or %q", c.SelfMetrics, SelfTogether, SelfSeparate)
	}
	if len(c.ListenAddresses) == 0 && !c.SystemdSocket {
		return fmt.Errorf("--web.listen-address: no address given")
	}
	if c.ExternalURL != "" {
		if _, err := url.Parse(c.ExternalURL); err != nil {
			return fmt.Errorf("--web.external-url: %w", err)
		}
	}
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
	for _, limit := range []struct {
		flag  string
		value int64
	}{
		{"push.max-waiting-bytes", c.Committer.MaxWaitingBytes},
		{"bus.replicas", int64(c.Bus.Replicas)},
		{"group.forget-after", int64(c.Committer.ForgetAfter)},
		{"push.max-groups", int64(c.MaxGroups)},
		{"push.max-series", int64(c.Front.Limits.Series)},
		{"web.read-header-timeout", int64(c.ReadHeaderTimeout)},
		{"web.read-timeout", int64(c.ReadTimeout)},
		{"web.idle-timeout", int64(c.IdleTimeout)},
		{"web.max-connections", int64(c.MaxConnections)},
	} {
		if limit.value < 0 {
			return fmt.Errorf("--%s: must not be negative", limit.flag)
		}
	}
	if c.Front.Limits.Labels > maxMaxLabels {
		return fmt.Errorf("--push.max-labels: must not be more than %d", maxMaxLabels)
	}
	if c.Bus.URL != "" && (c.Bus.Server.Listen != "" || c.Bus.Server.ConfigFile != "") {
		return fmt.Errorf("--bus.url: is for an external server, --bus.listen and --bus.config are for the embedded one")
	}
	return nil
}

// external returns the external URL, nil if none is given. It has been checked.
func (c *Config) external() *url.URL {
	u, err := url.Parse(c.ExternalURL)
	if err != nil || c.ExternalURL == "" {
		return nil
	}
	return u
}

// Prefix returns what all paths begin with, without a slash at the end: the
// route prefix, or by default the path of the external URL.
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
