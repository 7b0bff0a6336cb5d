// Command sluice is a push gateway for Prometheus whose memory is a NATS
// JetStream stream.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/prometheus/common/version"
	"github.com/urfave/cli/v2"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// SIGHUP asks for a reload, and must not end the process before there is
	// something to reload, nor while the gateway stops.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	if err := run(ctx, os.Args, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "sluice: %s\n", oneLine(err))
		stop()
		os.Exit(1)
	}
}

// oneLine returns an error's text without line breaks, which joined errors and those
// of YAML have. A program that cannot start says why in one line.
func oneLine(err error) string {
	var parts []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.ReplaceAll(strings.Join(parts, "; "), ":; ", ": ")
}

// run is the whole program: it returns when the command has ended.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	usageError := func(_ *cli.Context, err error, _ bool) error { return err }
	flags, action := serveCommand()
	sameFlags, sameAction := serveCommand()
	app := &cli.App{
		Name:            "sluice",
		Usage:           "push gateway for Prometheus whose memory is a NATS JetStream stream",
		Description:     "Without a command it serves, with the flags of serve.",
		Flags:           flags,
		Action:          action,
		OnUsageError:    usageError,
		HideHelpCommand: true,
		Version:         cmp.Or(version.Version, "unknown"), // without one there would be no --version
		Writer:          stdout,
		ErrWriter:       stderr,
		ExitErrHandler:  func(*cli.Context, error) {}, // main prints, once
		Commands: append([]*cli.Command{
			{Name: "serve", Usage: "run the gateway", Flags: sameFlags, Action: sameAction, OnUsageError: usageError},
			{Name: "version", Usage: "print the version", Action: func(c *cli.Context) error {
				_, err := fmt.Fprintln(c.App.Writer, version.Print("sluice"))
				return err
			}},
		}, clientCommands()...),
	}
	cli.VersionPrinter = func(c *cli.Context) { fmt.Fprintln(c.App.Writer, version.Print("sluice")) }
	return app.RunContext(ctx, withoutNegations(args, serveFlags()))
}
