package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"
	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"sluice/bus"
	"sluice/exposer"
	"sluice/exposer/api"
	"sluice/ingest"
	"sluice/ingest/rules"
	"sluice/store"
)

// stopTimeout bounds the orderly end: answering what is in flight, and stopping
// the embedded server.
const stopTimeout = 20 * time.Second

func serveAction(c *cli.Context) error {
	cfg, err := readConfig(c)
	if err != nil {
		return err
	}
	logger, err := newLogger(cfg, c.App.ErrWriter)
	if err != nil {
		return err
	}
	flags := map[string]string{}
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		flags[name] = flagText(c.Value(name))
	}
	flags["web.route-prefix"] = cfg.prefix() // as Pushgateway tells it
	flags["bus.url"] = bus.RedactURL(cfg.bus.URL)
	return serve(c.Context, cfg, flags, logger)
}

// flagText writes the value of a flag as it stands on a command line.
func flagText(value any) string {
	if list, ok := value.(cli.StringSlice); ok {
		return strings.Join(list.Value(), ",")
	}
	return fmt.Sprint(value)
}

func newLogger(cfg *config, w io.Writer) (*slog.Logger, error) {
	level, format := promslog.NewLevel(), promslog.NewFormat()
	if err := level.Set(cfg.logLevel); err != nil {
		return nil, fmt.Errorf("--log.level: %w", err)
	}
	if err := format.Set(cfg.logFormat); err != nil {
		return nil, fmt.Errorf("--log.format: %w", err)
	}
	return promslog.New(&promslog.Config{Level: level, Format: format, Writer: w}), nil
}

// serve runs a gateway until ctx ends or a part of it fails.
//
//	listeners (1..n) ── HTTP server ──┐
//	NATS service ─────────────────────┴─ ledger ── bus ── embedded or external server
//	scraper, API ── store ── follow ───────────────┘
//
// What was started last is stopped first, and each part is waited for.
func serve(ctx context.Context, cfg *config, flags map[string]string, logger *slog.Logger) (err error) {
	start := time.Now()
	defer startPace()()
	if err := web.Validate(cfg.webConfigFile); err != nil {
		// The errors of the toolkit do not say in which file they are.
		return fmt.Errorf("--web.config.file: cannot use %s: %w", cfg.webConfigFile, err)
	}
	listeners, err := listen(cfg)
	if err != nil {
		return err
	}
	defer func() {
		for _, l := range listeners {
			l.Close() // again, if the server did: only a listener that nobody took needs it
		}
	}()

	notify := newNotifier(logger.With("component", "notify"))
	notify.opening()
	own := exposer.NewOwnMetrics()
	hangups, deaf := hear() // before the rules are read: none is lost
	defer deaf()
	terms, err := rules.Load(cfg.groupRules, cfg.groupTTL, logger.With("component", "rules"), own.Registerer())
	if err != nil {
		return fmt.Errorf("--group.rules: %w", err)
	}
	cfg.front.Terms = terms.Terms
	ingestMetrics := ingest.NewMetrics(own.Registerer())
	cfg.bus.PublishTimeout = cfg.ledger.Wait // an election of a leader takes most of it
	b, err := bus.Open(ctx, cfg.bus, logger.With("component", "bus"), own.Registerer())
	if err != nil {
		return err
	}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		err = errors.Join(err, b.Close(stopCtx))
	}()
	scraped, reserved, err := scrapedOwn(own, cfg.ownMetrics)
	if err != nil {
		return fmt.Errorf("cannot gather own metrics: %w", err)
	}
	settings := store.Settings{Reserved: reserved, Unchecked: cfg.front.Unchecked, MaxGroups: cfg.maxGroups}
	s := store.New(settings)
	fileImport, err := beginImport(ctx, cfg, terms, b, s, settings, logger)
	if err != nil {
		return err
	}
	// Only now: who cannot start says why in one line.
	logger.Info("starting sluice", "version", version.Info(), "build_context", version.BuildContext())
	warnPersistence(cfg, logger)
	if address := b.ClientURL(); address != "" {
		logger.Info("NATS listening", "address", strings.TrimPrefix(address, "nats://"))
	}
	ledger := ingest.NewLedger(b, s, cfg.ledger, logger.With("component", "ledger"), ingestMetrics)
	refusals := ingest.NewRefusals()
	front := ingest.NewFront(ledger, refusals, cfg.front, ingestMetrics)
	watchdog, err := newWatchdog(notify, ledger, s, cfg.ledger.Wait, logger.With("component", "watchdog"))
	if err != nil {
		return err
	}
	service := ingest.NewService(front, b.Conn(), cfg.bus.Prefix, version.Version, logger.With("component", "nats"))

	signalled := ctx
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	expirer := ingest.NewExpirer(b, s, ledger, logger.With("component", "expirer"))
	reload := &reloader{file: terms, hangups: hangups, logger: logger.With("component", "rules")}
	waiting := func() string { return notReady(b.Status(), notImported(s), expirer.Swept()) }
	ready := func() bool { return b.Status().Ready && !notImported(s) && expirer.Swept() }
	if err := b.Introduce(bus.Introduction{Store: s, Version: version.Version, Started: start, Ready: ready}); err != nil {
		return err
	}
	live := api.NewLive()
	b.Observe(live.Event)
	refusals.Observe(live.Refusal)
	judge := exposer.NewJudge(s, scraped, logger.With("component", "scrape"))
	handler, err := routes(cfg, handlers{
		front:   front,
		paths:   ingest.NewPaths(cfg.prefix(), ingestMetrics, logger.With("component", "http")),
		scraper: exposer.NewScraper(s, scraped, ready, judge, logger.With("component", "scrape")),
		api: api.NewAPI(s, api.APIConfig{
			Ready: ready, Recent: refusals.Latest,
			Reached: api.Reached{External: cfg.external(), Prefix: cfg.prefix()},
			Status:  api.Status{Build: buildInfo(), Flags: flags, Start: start},
			Cluster: api.Cluster{Name: b.ClusterName, Stream: b.StreamState, Gateways: b.Gateways},
			Stream:  api.Stream{Status: b.Status, Known: b.Known, Waiting: waiting},
			Live:    live,
			History: b.History,
		}, logger.With("component", "api")),
		own:     own,
		ownOnly: exposer.OwnHandler(own, s, logger.With("component", "own-metrics")),
		notReady: func() string {
			if reason := waiting(); reason != "" {
				return reason
			}
			return judge.Inconsistent()
		},
		notScrapable: func() string {
			status := b.Status()
			status.Connected = true // scrapes show what there is
			if reason := notReady(status, notImported(s), expirer.Swept()); reason != "" {
				return reason
			}
			return judge.Inconsistent()
		},
		reload: reload.reload,
		logger: logger,
		quit: func() {
			logger.Warn("received termination request via web service, exiting gracefully...") // as Pushgateway
			quit()
		},
	})
	if err != nil {
		return fmt.Errorf("cannot set up the routes: %w", err)
	}
	server := &http.Server{
		Handler:           ingest.Paced(handler, cfg.readTimeout),
		ReadHeaderTimeout: cfg.headerTimeout, IdleTimeout: cfg.idleTimeout, MaxHeaderBytes: cfg.maxHeaderBytes,
	}
	server.RegisterOnShutdown(live.Close) // who watches would never end by himself

	inner, stopInner := context.WithCancel(context.Background()) // outlives ctx: the front ends need it to answer
	defer stopInner()
	var outer, core errgroup.Group
	fail := func(run func() error) func() error {
		return func() error {
			defer quit() // the first part to end ends all
			return run()
		}
	}
	core.Go(func() error { showReplay(inner, b, os.Stderr); return nil })
	core.Go(func() error { return notify.run(ctx, b.Status, waiting) })
	core.Go(func() error { return watchdog.run(inner) })
	core.Go(fail(func() error { return b.Follow(inner, s) }))
	core.Go(fail(func() error { return ledger.Run(inner) }))
	core.Go(fail(func() error { return expirer.Run(inner) }))
	core.Go(func() error { return reload.run(ctx) })
	core.Go(func() error {
		err := fileImport.Run(inner)
		if err != nil {
			quit() // alone of all parts it may end before the others
		}
		return err
	})
	outer.Go(fail(func() error { return serveHTTP(server, listeners, cfg, logger) }))
	outer.Go(fail(func() error { return serveNATS(ctx, b, service) }))

	<-ctx.Done()
	if signalled.Err() != nil {
		logger.Info("received SIGINT/SIGTERM; exiting gracefully...") // as Pushgateway
	}
	stopCtx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err = errors.Join(server.Shutdown(stopCtx), outer.Wait())
	stopInner()
	err = errors.Join(err, core.Wait())
	logger.Info("stopped", "sequence", s.Sequence())
	return err
}

// scrapedOwn returns the own metrics that scrapes show, and their types, which
// pushed families may not contradict then: none if they are kept apart.
func scrapedOwn(own *exposer.OwnMetrics, where string) (*exposer.OwnMetrics, map[string]dto.MetricType, error) {
	if where == ownSeparate {
		return nil, nil, nil
	}
	reserved, err := own.Reserved()
	return own, reserved, err
}

// listen opens the addresses, or takes the sockets that systemd has opened. All
// listeners share one bound on connections.
func listen(cfg *config) ([]net.Listener, error) {
	listeners, err := openListeners(cfg)
	if err != nil {
		return nil, err
	}
	return limitConnections(listeners, cfg.maxConnections, cfg.webConfigFile == ""), nil
}

func openListeners(cfg *config) ([]net.Listener, error) {
	if cfg.systemdSocket {
		listeners, err := activation.Listeners()
		if err == nil && len(listeners) == 0 {
			err = errors.New("no socket given")
		}
		if err != nil {
			return nil, fmt.Errorf("--web.systemd-socket: %w", err)
		}
		return listeners, nil
	}
	var listeners []net.Listener
	for _, address := range cfg.listenAddresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			for _, open := range listeners {
				open.Close()
			}
			return nil, fmt.Errorf("--web.listen-address: cannot listen on %s: %w", address, err)
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// serveHTTP returns when the server has been shut down.
func serveHTTP(server *http.Server, listeners []net.Listener, cfg *config, logger *slog.Logger) error {
	flags := &web.FlagConfig{
		WebListenAddresses: &cfg.listenAddresses,
		WebSystemdSocket:   &cfg.systemdSocket,
		WebConfigFile:      &cfg.webConfigFile,
	}
	err := web.ServeMultiple(listeners, server, flags, logger)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("cannot serve HTTP: %w", err)
}

// serveNATS takes requests from when the replay has caught up until ctx ends:
// before that, the other gateways of the queue group take them.
func serveNATS(ctx context.Context, b *bus.Bus, service *ingest.Service) error {
	if err := b.WaitReady(ctx); err != nil {
		return nil // stopped before it began
	}
	if err := service.Start(); err != nil {
		return err
	}
	<-ctx.Done()
	stopCtx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return service.Stop(stopCtx)
}

// notReady says why a gateway is not ready, "" if it is.
func notReady(status bus.Status, importing, swept bool) string {
	switch {
	case !status.Ready:
		if status.Waiting != "" {
			return status.Waiting
		}
		return fmt.Sprintf("replaying the stream: %d of %d events", status.ReplayDone, status.ReplayTotal)
	case importing:
		return "the import of a persistence file is not complete: it goes on, or needs a gateway with --persistence.file"
	case !status.Connected:
		return "the stream cannot be reached"
	case !swept:
		return "groups are expiring whose time was over while no gateway ran"
	}
	return ""
}

func buildInfo() map[string]string {
	return map[string]string{
		"version": version.Version, "revision": version.Revision, "branch": version.Branch,
		"buildUser": version.BuildUser, "buildDate": version.BuildDate, "goVersion": version.GoVersion,
	}
}
