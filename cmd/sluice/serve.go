package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/prometheus/common/promslog"
	"github.com/urfave/cli/v2"

	"sluice/bus"
	"sluice/cmd/sluice/gateway"
)

func serveAction(c *cli.Context) error {
	opts, err := readConfig(c)
	if err != nil {
		return err
	}
	logger, err := newLogger(opts, c.App.ErrWriter)
	if err != nil {
		return err
	}
	flags := map[string]string{}
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		flags[name] = flagText(c.Value(name))
	}
	flags["web.route-prefix"] = opts.gateway.Prefix() // as Pushgateway tells it
	flags["bus.url"] = bus.RedactURL(opts.gateway.Bus.URL)
	defer startPace()()
	hangups, stop := notifyOnHangup()
	defer stop()
	cfg := opts.gateway
	cfg.Flags, cfg.Reload, cfg.Terminal = flags, hangups, os.Stderr
	g, err := gateway.New(c.Context, cfg, logger)
	if err != nil {
		return err
	}
	return g.Run(c.Context)
}

// flagText writes the value of a flag as it stands on a command line.
func flagText(value any) string {
	if list, ok := value.(cli.StringSlice); ok {
		return strings.Join(list.Value(), ",")
	}
	return fmt.Sprint(value)
}

func newLogger(opts *options, w io.Writer) (*slog.Logger, error) {
	level, format := promslog.NewLevel(), promslog.NewFormat()
	if err := level.Set(opts.logLevel); err != nil {
		return nil, fmt.Errorf("--log.level: %w", err)
	}
	if err := format.Set(opts.logFormat); err != nil {
		return nil, fmt.Errorf("--log.format: %w", err)
	}
	return promslog.New(&promslog.Config{Level: level, Format: format, Writer: w}), nil
}

// notifyOnHangup returns a channel that gets SIGHUP from now on, and a function
// that ends that. A SIGHUP before the gateway is up asks for a reload as well.
func notifyOnHangup() (hangups <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}
