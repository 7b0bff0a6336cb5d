package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"sluice/bus/embed"
)

const (
	defaultDataDir = "sluice-data"
	defaultPrefix  = "sluice"
	// Longer than an outage that somebody repairs the next morning.
	defaultBusWait = 24 * time.Hour
)

// busFlags say where the stream is.
func (o *options) busFlags() []cli.Flag {
	g := &o.gateway
	return []cli.Flag{
		&cli.StringFlag{Name: "bus.data-dir", Destination: &g.Bus.Server.DataDir, Value: defaultDataDir, Usage: "`folder` of the embedded NATS server's stream"},
		&cli.StringFlag{Name: "bus.url", Destination: &g.Bus.URL, Usage: "`URL` of an external NATS server or cluster, instead of the embedded one"},
		&cli.DurationFlag{Name: "bus.wait", Destination: &g.BusWait, Value: defaultBusWait, Usage: "longest `time` that the start waits for the servers of --bus.url; 0 does not wait"},
		&cli.StringFlag{Name: "bus.creds", Destination: &g.Bus.Creds, Usage: "NATS credentials `file`"},
		&cli.StringFlag{Name: "bus.nkey", Destination: &g.Bus.NKey, Usage: "NATS nkey seed `file`"},
		&cli.StringFlag{Name: "bus.tls-ca", Destination: &g.Bus.TLSCA, Usage: "`file` with the certificates to trust for --bus.url"},
		&cli.StringFlag{Name: "bus.tls-cert", Destination: &g.Bus.TLSCert, Usage: "client certificate `file` for --bus.url"},
		&cli.StringFlag{Name: "bus.tls-key", Destination: &g.Bus.TLSKey, Usage: "client key `file` for --bus.url"},
		&cli.StringFlag{Name: "bus.listen", Destination: &g.Bus.Server.Listen, Usage: "`address` where the embedded NATS server takes clients; default is none"},
		&cli.StringFlag{Name: "bus.config", Destination: &g.Bus.Server.ConfigFile, Usage: "nats-server configuration `file` for the embedded server"},
		&cli.BoolFlag{Name: "bus.allow-insecure-listen", Destination: &g.Bus.Server.AllowInsecureListen, Usage: "let --bus.listen go beyond loopback without authentication"},
		&cli.StringFlag{Name: "bus.sync", Destination: &o.busSync, Value: string(embed.SyncAlways), Usage: "when the embedded server syncs to disk: always (before it acknowledges) or interval"},
		&cli.IntFlag{Name: "bus.replicas", Destination: &g.Bus.Replicas, Usage: "`copies` of the stream in a cluster; 0 is as many as it has members, five at most"},
		&cli.IntFlag{Name: "bus.history", Destination: &g.Bus.History, Value: 1, Usage: "`events` that are kept of each group"},
		&cli.StringFlag{Name: "bus.prefix", Destination: &g.Bus.Prefix, Value: defaultPrefix, Usage: "`prefix` of all subjects, and name of the stream in upper case"},
		&cli.Int64Flag{Name: "bus.max-bytes", Destination: &g.Bus.MaxBytes, Usage: "most `bytes` of the stream on disk; 0 is no limit"},
	}
}

// clusterFlags say who the other members of the cluster are.
func (o *options) clusterFlags() []cli.Flag {
	c := &o.gateway.Bus.Server.Cluster
	return []cli.Flag{
		&cli.StringFlag{Name: "cluster.listen", Destination: &c.Listen, Usage: "`address` where the embedded NATS server takes the other members of its cluster; default is no cluster"},
		&cli.StringSliceFlag{Name: "cluster.peers", Destination: &o.clusterPeers, Usage: "`addresses` of all members, separated by commas, or one DNS name with port that stands for all"},
		&cli.StringFlag{Name: "cluster.name", Destination: &c.Name, Value: defaultPrefix, Usage: "`name` of the cluster, the same for all members"},
		&cli.StringFlag{Name: "cluster.advertise", Destination: &c.Advertise, Usage: "`address` under which the other members reach this one; default is --cluster.listen"},
		&cli.IntFlag{Name: "cluster.size", Destination: &c.Size, Usage: "`number` of members; 0 is as many as --cluster.peers names"},
		&cli.StringFlag{Name: "cluster.tls-cert", Destination: &c.TLSCert, Usage: "certificate `file` that members show each other"},
		&cli.StringFlag{Name: "cluster.tls-key", Destination: &c.TLSKey, Usage: "key `file` of --cluster.tls-cert"},
		&cli.StringFlag{Name: "cluster.tls-ca", Destination: &c.TLSCA, Usage: "`file` with the certificates to trust for members"},
		&cli.StringFlag{Name: "cluster.secret-file", Destination: &c.SecretFile, Usage: "`file` with the secret that all members share"},
		&cli.BoolFlag{Name: "cluster.allow-insecure-listen", Destination: &c.AllowInsecureListen, Usage: "let --cluster.listen go beyond loopback without TLS or a secret"},
		&cli.BoolFlag{Name: "cluster.leave", Destination: &c.Leave, Usage: "let a former member of a cluster start alone, on its own copy of the stream"},
	}
}
