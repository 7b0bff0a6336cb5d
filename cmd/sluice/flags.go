package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"sluice/bus/embed"
	"sluice/cmd/sluice/gateway"
	"sluice/ingest"
)

// options has the values of the flags of serve, which write into it. Other packages
// read no flags.
type options struct {
	gateway             gateway.Config
	logLevel, logFormat string

	// These are read by finish.
	listenAddresses, clusterPeers cli.StringSlice
	trustedProxies                cli.StringSlice
	groupTTL, busSync             string
	waitingBytes                  int64

	limitsMemory bool
	memoryRatio  float64
}

// serveFlags returns the flags of serve where their values are not needed.
func serveFlags() []cli.Flag { return new(options).flags() }

// flags returns the flags of serve. What they are set to is in o when the command
// line has been read.
func (o *options) flags() []cli.Flag {
	flags := o.flagsWithoutEnv()
	for _, f := range flags {
		addEnv(f)
	}
	return flags
}

// flagsWithoutEnv returns the same flags, which know of no environment variables.
func (o *options) flagsWithoutEnv() []cli.Flag {
	return slices.Concat(o.webFlags(), o.pushFlags(), o.groupFlags(), o.persistenceFlags(), o.busFlags(), o.clusterFlags(), o.memoryFlags(), o.logFlags())
}

// logFlags say what is logged, and how.
func (o *options) logFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "log.level", Destination: &o.logLevel, Value: "info", Usage: "debug, info, warn or error"},
		&cli.StringFlag{Name: "log.format", Destination: &o.logFormat, Value: "logfmt", Usage: "logfmt or json"},
	}
}

// finish reads what the flags have left as text, and checks the whole as far as
// that is possible without starting anything.
func (o *options) finish() (err error) {
	g := &o.gateway
	if g.Bus.Server.Sync, err = embed.ParseSyncMode(o.busSync); err != nil {
		return fmt.Errorf("--bus.sync: %w", err)
	}
	if g.GroupTTL, err = ingest.ParseTTL(o.groupTTL); err != nil {
		return fmt.Errorf("--group.ttl: %w", err)
	}
	if g.TrustedProxies, err = ingest.ParseProxies(o.trustedProxies.Value()); err != nil {
		return fmt.Errorf("--web.trusted-proxies: %w", err)
	}
	g.ListenAddresses = o.listenAddresses.Value()
	g.Bus.Server.Cluster.Peers = o.clusterPeers.Value()
	g.SetMaxHeld(o.waitingBytes)
	if o.memoryRatio <= 0 || o.memoryRatio > 1 {
		return fmt.Errorf("--auto-gomemlimit.ratio: %v is not above 0 and at most 1", o.memoryRatio)
	}
	g.Bus.Server.MaxPayload = maxEvent(g.Front.MaxBytes)
	g.Front.Limits.TextBytes = g.Bus.Server.MaxPayload // what is larger fits into no event
	return g.Check()
}

// maxEvent is the largest event that the stream must take so that pushes up to
// a size fit: their canonical text repeats the grouping labels on each line, and
// a POST adds to what the group has. What needs more is refused by its size.
func maxEvent(maxBytes int64) int {
	const least = 8 << 20
	return int(min(max(2*maxBytes, least), embed.MaxPayloadLimit))
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
	case *cli.Float64Flag:
		f.EnvVars = env
	default:
		panic(fmt.Sprintf("BUG: flag type %T has no environment variable", f))
	}
}
