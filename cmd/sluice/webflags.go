package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"sluice/cmd/sluice/gateway"
)

const (
	defaultListen = ":9091" // Pushgateway's

	// A body has this long and a second more for each 512 bytes that have come.
	defaultReadTimeout       = 30 * time.Second
	defaultWriteTimeout      = 30 * time.Second // for each 64 KiB, so 2 KiB a second
	defaultReadHeaderTimeout = 10 * time.Second
	// Clients that keep a connection push at round intervals, up to an hour. If the
	// timeout were as long as the interval, the gateway would close the connection
	// just when a push is sent. 67 minutes are longer than an hour, and no interval.
	defaultIdleTimeout = 67 * time.Minute
	// Some 20 kB of memory each, so 320 MB when all are there.
	defaultMaxConnections = 16384
	// A grouping key of 16 KiB with each byte escaped, and 16 KiB more. Pushgateway's
	// 1 MiB takes 1.8 GB for 1,000 connections whose headers do not end.
	defaultMaxHeaderBytes = 64 << 10
)

// webFlags say how the gateway is reached over HTTP.
func (o *options) webFlags() []cli.Flag {
	g := &o.gateway
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "web.listen-address", Destination: &o.listenAddresses, Value: cli.NewStringSlice(defaultListen), Usage: "`address` to listen on for pushes, scrapes and the API; may be given several times"},
		&cli.BoolFlag{Name: "web.systemd-socket", Destination: &g.SystemdSocket, Usage: "use systemd socket activation instead of listening on addresses"},
		&cli.StringFlag{Name: "web.config.file", Destination: &g.WebConfigFile, Usage: "`file` with TLS and authentication settings of the exporter toolkit"},
		&cli.BoolFlag{Name: "web.open-probes", Destination: &g.OpenProbes, Usage: "answer /-/healthy and /-/ready without authentication"},
		&cli.StringSliceFlag{Name: "web.trusted-proxies", Destination: &o.trustedProxies, Usage: "`networks` of proxies whose X-Forwarded-For or Forwarded tells the client's address, separated by commas"},
		&cli.BoolFlag{Name: "web.proxy-protocol", Destination: &g.ProxyProtocol, Usage: "read the client's address from the PROXY protocol (v1, v2) of --web.trusted-proxies"},
		&cli.StringFlag{Name: "web.telemetry-path", Destination: &g.TelemetryPath, Value: "/metrics", Usage: "`path` of the scrape"},
		&cli.StringFlag{Name: "web.own-metrics", Destination: &g.SelfMetrics, Value: gateway.SelfTogether, Usage: "where the gateway's own metrics are: together (with the pushed ones, and at /-/metrics) or separate (at /-/metrics only)"},
		&cli.StringFlag{Name: "web.external-url", Destination: &g.ExternalURL, Usage: "`URL` under which the gateway is reached from outside"},
		&cli.StringFlag{Name: "web.route-prefix", Destination: &g.RoutePrefix, Usage: "`prefix` of all paths; default is the path of --web.external-url"},
		&cli.BoolFlag{Name: "web.enable-lifecycle", Destination: &g.EnableLifecycle, Usage: "allow shutdown by HTTP request"},
		&cli.BoolFlag{Name: "web.enable-admin-api", Destination: &g.EnableAdminAPI, Usage: "allow administrative requests, such as wiping all groups"},
		&cli.DurationFlag{Name: "web.read-header-timeout", Destination: &g.ReadHeaderTimeout, Value: defaultReadHeaderTimeout, Usage: "longest `time` for the headers of a request; 0 is no limit"},
		&cli.DurationFlag{Name: "web.read-timeout", Destination: &g.ReadTimeout, Value: defaultReadTimeout, Usage: "`time` for the body of a request, and one second more for each 512 bytes of it; 0 is no limit"},
		&cli.DurationFlag{Name: "web.write-timeout", Destination: &g.WriteTimeout, Value: defaultWriteTimeout, Usage: "longest `time` a client may take to read each 64 KiB of an answer; 0 is no limit"},
		&cli.DurationFlag{Name: "web.idle-timeout", Destination: &g.IdleTimeout, Value: defaultIdleTimeout, Usage: "longest `time` a connection may be idle; 0 is no limit"},
		&cli.IntFlag{Name: "web.max-connections", Destination: &g.MaxConnections, Value: defaultMaxConnections, Usage: "most `connections` at once, others are answered by 503; 0 is no limit"},
		&cli.IntFlag{Name: "web.max-header-bytes", Destination: &g.MaxHeaderBytes, Value: defaultMaxHeaderBytes, Usage: "most `bytes` of the headers of a request, others are answered by 431"},
	}
}
