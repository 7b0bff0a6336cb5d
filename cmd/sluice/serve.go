package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/prometheus/common/promslog"
	"github.com/urfave/cli/v2"

	"sluice/bus"
	"sluice/cmd/sluice/gateway"
)

// serveCommand returns the flags and the action of serve.
func serveCommand() ([]cli.Flag, cli.ActionFunc) {
	o := &options{}
	flags := o.flags()
	return flags, func(c *cli.Context) error {
		if err := noArguments(c); err != nil {
			return err
		}
		if err := o.finish(); err != nil {
			return err
		}
		o.limitMemory(!c.IsSet(waitingBytesFlag))
		return o.serve(c.Context, flagTexts(c, flags), c.App.ErrWriter)
	}
}

// serve runs a gateway until ctx ends. The status page shows flags, the values of
// the flags by name.
func (o *options) serve(ctx context.Context, flags map[string]string, log io.Writer) error {
	logger, err := o.newLogger(log)
	if err != nil {
		return err
	}
	cfg := o.gateway
	cfg.Defaults = changedDefaults(flags)
	flags["web.route-prefix"] = cfg.Prefix() // as Pushgateway tells it
	flags[waitingBytesFlag] = fmt.Sprint(cfg.Front.MaxHeld)
	flags["bus.url"] = bus.RedactURL(cfg.Bus.URL)
	defer startGCPercent()()
	hangups, stop := notifyOnHangup()
	defer stop()
	cfg.Flags, cfg.Reload, cfg.Terminal = flags, hangups, os.Stderr
	g, err := gateway.New(ctx, cfg, logger)
	if err != nil {
		return err
	}
	return g.Run(ctx)
}

// flagTexts returns the values of flags by name.
func flagTexts(c *cli.Context, flags []cli.Flag) map[string]string {
	texts := map[string]string{}
	for _, f := range flags {
		name := f.Names()[0]
		texts[name] = flagText(c.Value(name))
	}
	return texts
}

// changedDefaults returns the default values of the flags of serve whose texts are
// others.
func changedDefaults(texts map[string]string) map[string]string {
	set := flag.NewFlagSet("", flag.ContinueOnError)
	flags := new(options).flagsWithoutEnv()
	for _, f := range flags {
		if err := f.Apply(set); err != nil {
			panic(fmt.Sprintf("BUG: the default of a flag is no value: %v", err))
		}
	}
	changed := flagTexts(cli.NewContext(nil, set, nil), flags)
	maps.DeleteFunc(changed, func(name, text string) bool { return texts[name] == text })
	return changed
}

// flagText writes the value of a flag as it stands on a command line.
func flagText(value any) string {
	if list, ok := value.(cli.StringSlice); ok {
		return strings.Join(list.Value(), ",")
	}
	return fmt.Sprint(value)
}

func (o *options) newLogger(w io.Writer) (*slog.Logger, error) {
	level, format := promslog.NewLevel(), promslog.NewFormat()
	if err := level.Set(o.logLevel); err != nil {
		return nil, fmt.Errorf("--log.level: %w", err)
	}
	if err := format.Set(o.logFormat); err != nil {
		return nil, fmt.Errorf("--log.format: %w", err)
	}
	return promslog.New(&promslog.Config{Level: level, Format: format, Writer: w}), nil
}

// notifyOnHangup returns a channel that gets SIGHUP until stop is called. A SIGHUP
// that comes before the gateway has started is kept.
func notifyOnHangup() (hangups <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}
