package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"
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

// maxMaxLabels bounds --push.max-labels: the time of the text parser grows with
// the square of the number.
const maxMaxLabels = 512

// Where the gateway's own metrics are, besides at ownMetricsPath.
const (
	SelfTogether = "together" // in every scrape, as in Pushgateway
	SelfSeparate = "separate" // nowhere
)

// Config is all that a gateway can be told. It is checked whole before anything is
// started; below package main nobody reads flags.
type Config struct {
	ListenAddresses        []string
	SystemdSocket          bool
	WebConfigFile          string
	TelemetryPath          string
	SelfMetrics            string // SelfTogether or SelfSeparate
	ExternalURL            string
	RoutePrefix            string
	EnableLifecycle        bool
	EnableAdminAPI         bool
	ReadTimeout            time.Duration
	ReadHeaderTimeout      time.Duration
	IdleTimeout            time.Duration
	MaxConnections         int
	MaxHeaderBytes         int
	MaxGroups              int
	PersistenceFile        string
	PersistenceIntervalSet bool // whatever it is, it has no effect
	GroupTTL               time.Duration
	GroupRules             string
	Bus                    bus.Config
	Committer              ingest.CommitterConfig
	Front                  ingest.FrontConfig
}

// Serve runs a gateway until ctx ends or a part of it fails.
//
//	listeners (1..n) ── HTTP server ──┐
//	NATS service ─────────────────────┴─ committer ── bus ── embedded or external server
//	scraper, API ── store ── follow ───────────────┘
//
// What was started last is stopped first, and each part is waited for.
func Serve(ctx context.Context, cfg *Config, flags map[string]string, hangups <-chan os.Signal, logger *slog.Logger) (err error) {
	start := time.Now()
	if err := web.Validate(cfg.WebConfigFile); err != nil {
		// The errors of the toolkit do not say in which file they are.
		return fmt.Errorf("--web.config.file: cannot use %s: %w", cfg.WebConfigFile, err)
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
	own := exposer.NewSelfMetrics()
	terms, err := rules.Load(cfg.GroupRules, cfg.GroupTTL, logger.With("component", "rules"), own.Registerer())
	if err != nil {
		return fmt.Errorf("--group.rules: %w", err)
	}
	cfg.Front.Terms = terms.Terms
	ingestMetrics := ingest.NewMetrics(own.Registerer())
	cfg.Bus.PublishTimeout = cfg.Committer.Wait // an election of a leader takes most of it
	b, err := bus.Open(ctx, cfg.Bus, logger.With("component", "bus"), own.Registerer())
	if err != nil {
		return err
	}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		err = errors.Join(err, b.Close(stopCtx))
	}()
	scraped, reserved, err := scrapedOwn(own, cfg.SelfMetrics)
	if err != nil {
		return fmt.Errorf("cannot gather own metrics: %w", err)
	}
	settings := store.Settings{Reserved: reserved, Unchecked: cfg.Front.Unchecked, MaxGroups: cfg.MaxGroups}
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
	committer := ingest.NewCommitter(b, s, cfg.Committer, logger.With("component", "committer"), ingestMetrics)
	refusals := ingest.NewRefusals()
	front := ingest.NewFront(committer, refusals, cfg.Front, ingestMetrics)
	watchdog, err := newWatchdog(notify, committer, s, cfg.Committer.Wait, logger.With("component", "watchdog"))
	if err != nil {
		return err
	}
	service := ingest.NewService(front, b.Conn(), cfg.Bus.Prefix, version.Version, logger.With("component", "nats"))

	signalled := ctx
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	expirer := ingest.NewExpirer(b, s, committer, logger.With("component", "expirer"))
	reload := &reloader{file: terms, hangups: hangups, logger: logger.With("component", "rules")}
	waiting := func() string { return notReady(b.Status(), notImported(s), expirer.Swept()) }
	ready := func() bool { return b.Status().Ready && !notImported(s) && expirer.Swept() }
	if err := b.Introduce(bus.Introduction{Store: s, Version: version.Version, Started: start, Ready: ready}); err != nil {
		return err
	}
	events := api.NewBroadcaster()
	b.Observe(events.Event)
	refusals.Observe(events.Refusal)
	judge := exposer.NewJudge(s, scraped, logger.With("component", "scrape"))
	handler, err := routes(cfg, handlers{
		front:   front,
		paths:   ingest.NewPaths(cfg.Prefix(), ingestMetrics, logger.With("component", "http")),
		scraper: exposer.NewScraper(s, scraped, ready, judge, logger.With("component", "scrape")),
		api: api.New(s, api.Config{
			Ready: ready, Refusals: refusals.Latest,
			Address: api.Address{External: cfg.external(), Prefix: cfg.Prefix()},
			Status:  api.Status{Build: buildInfo(), Flags: flags, Start: start},
			Cluster: api.ClusterSource{Name: b.ClusterName, Stream: b.StreamState, Gateways: b.Gateways},
			Stream:  api.StreamSource{Status: b.Status, Known: b.Known, NotReady: waiting},
			Events:  events,
			History: b.History,
		}, logger.With("component", "api")),
		own:     own,
		ownOnly: exposer.SelfHandler(own, s, logger.With("component", "own-metrics")),
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
		Handler:           ingest.BodyDeadline(handler, cfg.ReadTimeout),
		ReadHeaderTimeout: cfg.ReadHeaderTimeout, IdleTimeout: cfg.IdleTimeout, MaxHeaderBytes: cfg.MaxHeaderBytes,
	}
	server.RegisterOnShutdown(events.Close) // requests that watch events would not end

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
	core.Go(fail(func() error { return committer.Run(inner) }))
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
func scrapedOwn(own *exposer.SelfMetrics, where string) (*exposer.SelfMetrics, map[string]dto.MetricType, error) {
	if where == SelfSeparate {
		return nil, nil, nil
	}
	reserved, err := own.Reserved()
	return own, reserved, err
}

// listen opens the addresses, or takes the sockets that systemd has opened. All
// listeners share one bound on connections.
func listen(cfg *Config) ([]net.Listener, error) {
	listeners, err := openListeners(cfg)
	if err != nil {
		return nil, err
	}
	return limitConnections(listeners, cfg.MaxConnections, cfg.WebConfigFile == ""), nil
}

func openListeners(cfg *Config) ([]net.Listener, error) {
	if cfg.SystemdSocket {
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
	for _, address := range cfg.ListenAddresses {
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
func serveHTTP(server *http.Server, listeners []net.Listener, cfg *Config, logger *slog.Logger) error {
	flags := &web.FlagConfig{
		WebListenAddresses: &cfg.ListenAddresses,
		WebSystemdSocket:   &cfg.SystemdSocket,
		WebConfigFile:      &cfg.WebConfigFile,
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
