package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"sluice/bus"
	"sluice/bus/embed"
	"sluice/cmd/sluice/gateway"
	"sluice/ingest"
)

// Defaults of the flags that have one of their own.
const (
	defaultListen     = ":9091" // Pushgateway's
	defaultDataDir    = "sluice-data"
	defaultPrefix     = "sluice"
	defaultMaxBytes   = 16 << 20
	defaultMaxWaiting = 4096
	// Some hundred bytes each besides their series. It is there to stop one job
	// with random names, not to be reached.
	defaultMaxGroups = 1_000_000
	// A hundred pushes of 15,000 series at once hold some 300 MB.
	defaultMaxWaitingBytes = 1 << 30
	defaultPersist         = 5 * time.Minute // Pushgateway's, and without effect
	defaultForget          = time.Hour
	defaultWait            = 8 * time.Second // below the usual client timeout of 10 s

	// The largest push that anybody is known to send has 15,000 series, and a body
	// of --push.max-bytes with lines of usual length 200,000.
	defaultMaxSeries = 500_000
	// Four times what Prometheus and its neighbours usually allow. The time of the
	// text parser grows with the square of the number.
	defaultMaxLabels = 128
	// Room for error texts, queries and command lines, which people push as labels;
	// a grouping key, which each series repeats, has to be as short.
	defaultMaxLabelBytes = 16 << 10

	// A body has this long and a second more for each 512 bytes that have come.
	defaultReadTimeout       = 30 * time.Second
	defaultReadHeaderTimeout = 10 * time.Second
	defaultIdleTimeout       = 5 * time.Minute
	// Some 20 kB of memory each, so 320 MB when all are there.
	defaultMaxConnections = 16384
	defaultMaxHeaderBytes = http.DefaultMaxHeaderBytes // Pushgateway's
)

// options is all that serve can be told. Below this package nobody reads flags.
type options struct {
	gateway             gateway.Config
	logLevel, logFormat string
}

func serveFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringSliceFlag{Name: "web.listen-address", Value: cli.NewStringSlice(defaultListen), Usage: "`address` to listen on for pushes, scrapes and the API; may be given several times"},
		&cli.BoolFlag{Name: "web.systemd-socket", Usage: "use systemd socket activation instead of listening on addresses"},
		&cli.StringFlag{Name: "web.config.file", Usage: "`file` with TLS and authentication settings of the exporter toolkit"},
		&cli.StringFlag{Name: "web.telemetry-path", Value: "/metrics", Usage: "`path` of the scrape"},
		&cli.StringFlag{Name: "web.own-metrics", Value: gateway.SelfTogether, Usage: "where the gateway's own metrics are: together (with the pushed ones, and at /-/metrics) or separate (at /-/metrics only)"},
		&cli.StringFlag{Name: "web.external-url", Usage: "`URL` under which the gateway is reached from outside"},
		&cli.StringFlag{Name: "web.route-prefix", Usage: "`prefix` of all paths; default is the path of --web.external-url"},
		&cli.BoolFlag{Name: "web.enable-lifecycle", Usage: "allow shutdown by HTTP request"},
		&cli.BoolFlag{Name: "web.enable-admin-api", Usage: "allow administrative requests, such as wiping all groups"},
		&cli.DurationFlag{Name: "web.read-header-timeout", Value: defaultReadHeaderTimeout, Usage: "longest `time` for the headers of a request; 0 is no limit"},
		&cli.DurationFlag{Name: "web.read-timeout", Value: defaultReadTimeout, Usage: "`time` for the body of a request, and one second more for each 512 bytes of it; 0 is no limit"},
		&cli.DurationFlag{Name: "web.idle-timeout", Value: defaultIdleTimeout, Usage: "longest `time` a connection may be idle; 0 is no limit"},
		&cli.IntFlag{Name: "web.max-connections", Value: defaultMaxConnections, Usage: "most `connections` at once, others are answered by 503; 0 is no limit"},
		&cli.IntFlag{Name: "web.max-header-bytes", Value: defaultMaxHeaderBytes, Usage: "most `bytes` of the headers of a request, others are answered by 431"},

		&cli.BoolFlag{Name: "push.disable-consistency-check", Usage: "do not check pushes for consistency; they are answered by 202 then"},
		&cli.BoolFlag{Name: "push.enable-utf8-names", Usage: "allow UTF-8 names of metrics and labels"},
		&cli.Int64Flag{Name: "push.max-bytes", Value: defaultMaxBytes, Usage: "most `bytes` of a push, on the wire and after decompression"},
		&cli.IntFlag{Name: "push.max-groups", Value: defaultMaxGroups, Usage: "most `groups` there may be; a push that would make one more is answered by 429. 0 is no limit"},
		&cli.IntFlag{Name: "push.max-series", Value: defaultMaxSeries, Usage: "most `series` of a push; 0 is no limit"},
		&cli.IntFlag{Name: "push.max-labels", Value: defaultMaxLabels, Usage: "most `labels` of a series, those of its group included"},
		&cli.IntFlag{Name: "push.max-label-bytes", Value: defaultMaxLabelBytes, Usage: "most `bytes` of a metric name or a label name, and of a grouping key as a whole; if given, also of a label value"},
		&cli.StringFlag{Name: "group.ttl", Value: "never", Usage: "`time` that a group lives after its last push, if the push and the rules do not say"},
		&cli.StringFlag{Name: "group.rules", Usage: "`file` with rules by grouping key: time to live, and groups of a job"},
		&cli.DurationFlag{Name: "group.forget-after", Value: defaultForget, Usage: "`time` that a group which has expired is remembered: as down in scrapes and among the targets"},
		&cli.IntFlag{Name: "push.max-waiting", Value: defaultMaxWaiting, Usage: "most `pushes` that may wait for their verdict"},
		&cli.Int64Flag{Name: "push.max-waiting-bytes", Value: defaultMaxWaitingBytes, Usage: "most `bytes` of all pushes that are being read, and again of all that wait; 0 is no limit"},
		&cli.DurationFlag{Name: "push.wait", Value: defaultWait, Usage: "longest `time` a push waits for the stream before it is answered by 503"},

		&cli.StringFlag{Name: "persistence.file", Usage: "persistence `file` of a Pushgateway, to be imported once, when the stream is empty"},
		&cli.DurationFlag{Name: "persistence.interval", Value: defaultPersist, Usage: "`time` between two writes of Pushgateway's persistence file; without effect, since every push is written at once"},
		&cli.StringFlag{Name: "bus.data-dir", Value: defaultDataDir, Usage: "`folder` of the embedded NATS server's stream"},
		&cli.StringFlag{Name: "bus.url", Usage: "`URL` of an external NATS server or cluster, instead of the embedded one"},
		&cli.StringFlag{Name: "bus.creds", Usage: "NATS credentials `file`"},
		&cli.StringFlag{Name: "bus.nkey", Usage: "NATS nkey seed `file`"},
		&cli.StringFlag{Name: "bus.tls-ca", Usage: "`file` with the certificates to trust for --bus.url"},
		&cli.StringFlag{Name: "bus.tls-cert", Usage: "client certificate `file` for --bus.url"},
		&cli.StringFlag{Name: "bus.tls-key", Usage: "client key `file` for --bus.url"},
		&cli.StringFlag{Name: "bus.listen", Usage: "`address` where the embedded NATS server takes clients; default is none"},
		&cli.StringFlag{Name: "bus.config", Usage: "nats-server configuration `file` for the embedded server"},
		&cli.BoolFlag{Name: "bus.allow-insecure-listen", Usage: "let --bus.listen go beyond loopback without authentication"},
		&cli.StringFlag{Name: "bus.sync", Value: string(embed.SyncAlways), Usage: "when the embedded server syncs to disk: always (before it acknowledges) or interval"},
		&cli.IntFlag{Name: "bus.replicas", Usage: "`copies` of the stream in a cluster; 0 is as many as it has members, five at most"},
		&cli.IntFlag{Name: "bus.history", Value: 1, Usage: "`events` that are kept of each group"},
		&cli.StringFlag{Name: "bus.prefix", Value: defaultPrefix, Usage: "`prefix` of all subjects, and name of the stream in upper case"},
		&cli.Int64Flag{Name: "bus.max-bytes", Usage: "most `bytes` of the stream on disk; 0 is no limit"},

		&cli.StringFlag{Name: "cluster.listen", Usage: "`address` where the embedded NATS server takes the other members of its cluster; default is no cluster"},
		&cli.StringSliceFlag{Name: "cluster.peers", Usage: "`addresses` of all members, separated by commas, or one DNS name with port that stands for all"},
		&cli.StringFlag{Name: "cluster.name", Value: defaultPrefix, Usage: "`name` of the cluster, the same for all members"},
		&cli.StringFlag{Name: "cluster.advertise", Usage: "`address` under which the other members reach this one; default is --cluster.listen"},
		&cli.IntFlag{Name: "cluster.size", Usage: "`number` of members; 0 is as many as --cluster.peers names"},
		&cli.StringFlag{Name: "cluster.tls-cert", Usage: "certificate `file` that members show each other"},
		&cli.StringFlag{Name: "cluster.tls-key", Usage: "key `file` of --cluster.tls-cert"},
		&cli.StringFlag{Name: "cluster.tls-ca", Usage: "`file` with the certificates to trust for members"},
		&cli.StringFlag{Name: "cluster.secret-file", Usage: "`file` with the secret that all members share"},
		&cli.BoolFlag{Name: "cluster.allow-insecure-listen", Usage: "let --cluster.listen go beyond loopback without TLS or a secret"},
		&cli.BoolFlag{Name: "cluster.leave", Usage: "let a former member of a cluster start alone, on its own copy of the stream"},

		&cli.StringFlag{Name: "log.level", Value: "info", Usage: "debug, info, warn or error"},
		&cli.StringFlag{Name: "log.format", Value: "logfmt", Usage: "logfmt or json"},
	}
	for _, f := range flags {
		addEnv(f)
	}
	return flags
}

// addEnv gives a flag its environment variable: SLUICE_WEB_LISTEN_ADDRESS for
// --web.listen-address.
func addEnv(f cli.Flag) {
	env := []string{"SLUICE_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(f.Names()[0]))}
	switch f := f.(type) {
	case *cli.StringSliceFlag:
		f.EnvVars = env
	case *cli.StringFlag:
		f.EnvVars = env
	case *cli.BoolFlag:
		f.EnvVars = env
	case *cli.IntFlag:
		f.EnvVars = env
	case *cli.Int64Flag:
		f.EnvVars = env
	case *cli.DurationFlag:
		f.EnvVars = env
	default:
		panic(fmt.Sprintf("BUG: flag type %T has no environment variable", f))
	}
}

// readConfig takes the flags. What it returns is checked as far as that is
// possible without starting anything.
func readConfig(c *cli.Context) (*options, error) {
	if c.Args().Present() {
		return nil, fmt.Errorf("unexpected argument %q", c.Args().First())
	}
	sync, err := embed.ParseSyncMode(c.String("bus.sync"))
	if err != nil {
		return nil, fmt.Errorf("--bus.sync: %w", err)
	}
	ttl, err := ingest.ParseTTL(c.String("group.ttl"))
	if err != nil {
		return nil, fmt.Errorf("--group.ttl: %w", err)
	}
	opts := &options{logLevel: c.String("log.level"), logFormat: c.String("log.format"), gateway: gateway.Config{
		ListenAddresses:        c.StringSlice("web.listen-address"),
		SystemdSocket:          c.Bool("web.systemd-socket"),
		WebConfigFile:          c.String("web.config.file"),
		TelemetryPath:          c.String("web.telemetry-path"),
		SelfMetrics:            c.String("web.own-metrics"),
		ExternalURL:            c.String("web.external-url"),
		RoutePrefix:            c.String("web.route-prefix"),
		EnableLifecycle:        c.Bool("web.enable-lifecycle"),
		EnableAdminAPI:         c.Bool("web.enable-admin-api"),
		ReadTimeout:            c.Duration("web.read-timeout"),
		ReadHeaderTimeout:      c.Duration("web.read-header-timeout"),
		IdleTimeout:            c.Duration("web.idle-timeout"),
		MaxConnections:         c.Int("web.max-connections"),
		MaxHeaderBytes:         c.Int("web.max-header-bytes"),
		MaxGroups:              c.Int("push.max-groups"),
		GroupTTL:               ttl,
		GroupRules:             c.String("group.rules"),
		PersistenceFile:        c.String("persistence.file"),
		PersistenceIntervalSet: c.IsSet("persistence.interval"),
		Bus: bus.Config{
			URL:   c.String("bus.url"),
			Creds: c.String("bus.creds"), NKey: c.String("bus.nkey"),
			TLSCA: c.String("bus.tls-ca"), TLSCert: c.String("bus.tls-cert"), TLSKey: c.String("bus.tls-key"),
			Server: embed.Config{
				DataDir: c.String("bus.data-dir"),
				Listen:  c.String("bus.listen"), ConfigFile: c.String("bus.config"),
				AllowInsecureListen: c.Bool("bus.allow-insecure-listen"),
				Sync:                sync,
				Cluster: embed.ClusterConfig{
					Listen: c.String("cluster.listen"), Peers: c.StringSlice("cluster.peers"), Name: c.String("cluster.name"),
					Advertise: c.String("cluster.advertise"), Size: c.Int("cluster.size"),
					TLSCert: c.String("cluster.tls-cert"), TLSKey: c.String("cluster.tls-key"), TLSCA: c.String("cluster.tls-ca"),
					SecretFile:          c.String("cluster.secret-file"),
					AllowInsecureListen: c.Bool("cluster.allow-insecure-listen"), Leave: c.Bool("cluster.leave"),
				},
			},
			Replicas: c.Int("bus.replicas"), History: c.Int("bus.history"),
			Prefix: c.String("bus.prefix"), MaxBytes: c.Int64("bus.max-bytes"),
		},
		Committer: ingest.CommitterConfig{ForgetAfter: c.Duration("group.forget-after"), Wait: c.Duration("push.wait"), MaxWaiting: c.Int("push.max-waiting"), MaxWaitingBytes: c.Int64("push.max-waiting-bytes")},
		Front: ingest.FrontConfig{
			MaxBytes: c.Int64("push.max-bytes"), MaxReading: c.Int64("push.max-waiting-bytes"), UTF8Names: c.Bool("push.enable-utf8-names"),
			Unchecked: c.Bool("push.disable-consistency-check"),
			Limits: ingest.Limits{
				Series: c.Int("push.max-series"), Labels: c.Int("push.max-labels"), LabelBytes: c.Int("push.max-label-bytes"),
			},
		},
	}}
	cfg := &opts.gateway
	if c.IsSet("push.max-label-bytes") { // else the body bounds label values, as in Prometheus
		cfg.Front.Limits.ValueBytes = cfg.Front.Limits.LabelBytes
	}
	cfg.Bus.Server.MaxPayload = maxEvent(cfg.Front.MaxBytes)
	cfg.Front.Limits.TextBytes = cfg.Bus.Server.MaxPayload // what is larger fits into no event
	return opts, cfg.Check()
}

// maxEvent is the largest event that the stream must take so that pushes up to
// a size fit: their canonical text repeats the grouping labels on each line, and
// a POST adds to what the group has. What needs more is refused by its size.
func maxEvent(maxBytes int64) int {
	const least = 8 << 20
	return int(min(max(2*maxBytes, least), embed.MaxPayloadLimit))
}
