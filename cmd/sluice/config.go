package main

import (
	"fmt"
	"net/url"
	"strings"
)

// check finds what is wrong with a configuration without starting anything.
func (c *config) check() error {
	if c.telemetryPath == "" || c.telemetryPath[0] != '/' {
		return fmt.Errorf("--web.telemetry-path: %q does not begin with a slash", c.telemetryPath)
	}
	if taken(c.telemetryPath) {
		return fmt.Errorf("--web.telemetry-path: %q is a path of something else", c.telemetryPath)
	}
	if c.ownMetrics != ownTogether && c.ownMetrics != ownSeparate {
		return fmt.Errorf("--web.own-metrics: unknown value %q: it is %q or %q", c.ownMetrics, ownTogether, ownSeparate)
	}
	if len(c.listenAddresses) == 0 && !c.systemdSocket {
		return fmt.Errorf("--web.listen-address: no address given")
	}
	if c.externalURL != "" {
		if _, err := url.Parse(c.externalURL); err != nil {
			return fmt.Errorf("--web.external-url: %w", err)
		}
	}
	for _, positive := range []struct {
		flag  string
		value int64
	}{
		{"push.max-bytes", c.front.MaxBytes},
		{"push.max-labels", int64(c.front.Limits.Labels)},
		{"push.max-label-bytes", int64(c.front.Limits.LabelBytes)},
		{"web.max-header-bytes", int64(c.maxHeaderBytes)},
		{"push.max-waiting", int64(c.committer.MaxWaiting)},
		{"push.wait", int64(c.committer.Wait)},
		{"bus.history", int64(c.bus.History)},
	} {
		if positive.value < 1 {
			return fmt.Errorf("--%s: must be positive", positive.flag)
		}
	}
	for _, limit := range []struct {
		flag  string
		value int64
	}{
		{"push.max-waiting-bytes", c.committer.MaxWaitingBytes},
		{"bus.replicas", int64(c.bus.Replicas)},
		{"group.forget-after", int64(c.committer.ForgetAfter)},
		{"push.max-groups", int64(c.maxGroups)},
		{"push.max-series", int64(c.front.Limits.Series)},
		{"web.read-header-timeout", int64(c.headerTimeout)},
		{"web.read-timeout", int64(c.readTimeout)},
		{"web.idle-timeout", int64(c.idleTimeout)},
		{"web.max-connections", int64(c.maxConnections)},
	} {
		if limit.value < 0 {
			return fmt.Errorf("--%s: must not be negative", limit.flag)
		}
	}
	if c.front.Limits.Labels > maxMaxLabels {
		return fmt.Errorf("--push.max-labels: must not be more than %d", maxMaxLabels)
	}
	if c.bus.URL != "" && (c.bus.Listen != "" || c.bus.ServerConfig != "") {
		return fmt.Errorf("--bus.url: is for an external server, --bus.listen and --bus.config are for the embedded one")
	}
	return nil
}

// external returns the external URL, nil if none is given. It has been checked.
func (c *config) external() *url.URL {
	u, err := url.Parse(c.externalURL)
	if err != nil || c.externalURL == "" {
		return nil
	}
	return u
}

// prefix returns what all paths begin with, without a slash at the end: the
// route prefix, or by default the path of the external URL.
func (c *config) prefix() string {
	prefix := c.routePrefix
	if prefix == "" && c.externalURL != "" {
		if u, err := url.Parse(c.externalURL); err == nil {
			prefix = u.Path
		}
	}
	prefix = strings.Trim(prefix, "/")
	if prefix == "" {
		return ""
	}
	return "/" + prefix
}
