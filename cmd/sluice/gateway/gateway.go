// Package gateway builds a whole gateway from its configuration, runs it, and
// stops it.
//
//	listeners (1..n) ── HTTP server ──┐
//	NATS service ─────────────────────┴─ committer ── bus ── embedded or external server
//	scraper, API ── store ── follow ───────────────┘
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"

	"sluice/bus"
	"sluice/exposer"
	"sluice/exposer/api"
	"sluice/ingest"
	"sluice/ingest/importfile"
	"sluice/ingest/rules"
	"sluice/store"
)

// Gateway is a gateway that New has built.
type Gateway struct {
	cfg     Config
	logger  *slog.Logger
	started time.Time

	listeners   []net.Listener
	self        *exposer.SelfMetrics
	pushMetrics *ingest.Metrics
	notifier    *notifier
	rules       *reloader
	bus         *bus.Bus
	store       *store.Store
	importer    *importfile.Import
	committer   *ingest.Committer
	front       *ingest.Front
	expirer     *ingest.Expirer
	watchdog    *watchdog // nil if the service manager wants none
	service     *ingest.Service
	events      *api.Broadcaster
	readiness   *readiness
	servers     []*httpServer // one for each listener
	handler     replaceable
	users       *webUsers
	patterns    []string // of the paths that handler serves, but those of the API

	connections prometheus.Gauge // those of HTTP that are open
	waitingFor  string           // why the gateway waits at its start

	quitting context.Context // ends when somebody asks for the end over HTTP
	quit     context.CancelFunc
}

// New opens all that the gateway needs: addresses, embedded server or
// connection, stream. It blocks until they are open, an error makes that
// impossible, or ctx ends; nothing is open then. Requests are answered once Run
// runs, which must be called to close what New has opened.
func New(ctx context.Context, cfg Config, logger *slog.Logger) (_ *Gateway, err error) {
	g := &Gateway{cfg: cfg, logger: logger, started: time.Now(), self: exposer.NewSelfMetrics(), events: api.NewBroadcaster(), users: &webUsers{path: cfg.WebConfigFile}}
	g.connections = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "sluice_http_connections",
		Help: "Open connections of HTTP clients (--web.max-connections).",
	})
	g.self.Registerer().MustRegister(g.connections)
	g.quitting, g.quit = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close())
		}
	}()
	shown, err := g.open(ctx)
	if err != nil {
		return nil, err
	}
	g.logStart()
	if err := g.assemble(shown); err != nil {
		return nil, err
	}
	return g, nil
}

// Addresses returns where the gateway listens for HTTP.
func (g *Gateway) Addresses() []net.Addr {
	var addresses []net.Addr
	for _, l := range g.listeners {
		addresses = append(addresses, l.Addr())
	}
	return addresses
}

// ClientURL returns where the embedded server takes clients of NATS; "" is
// nowhere.
func (g *Gateway) ClientURL() string { return g.bus.ClientURL() }

// open opens what can fail, in the order in which it is closed backwards, and
// returns the own metrics that scrapes show.
func (g *Gateway) open(ctx context.Context) (shown *exposer.SelfMetrics, err error) {
	cfg := &g.cfg
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if err := web.Validate(cfg.WebConfigFile); err != nil {
		// The errors of the toolkit do not say in which file they are.
		return nil, fmt.Errorf("--web.config.file: cannot use %s: %w", cfg.WebConfigFile, err)
	}
	if g.listeners, err = listen(cfg); err != nil {
		return nil, err
	}
	for _, l := range g.listeners {
		answers := newAnswerDeadlines(cfg.WriteTimeout)
		handler := ingest.Identify(ingest.BodyDeadline(&g.handler, cfg.ReadTimeout), cfg.TrustedProxies, g.users.of)
		s := newHTTPServer(cfg, l, answers.wrap(handler), g.logger)
		s.server.ConnState = func(conn net.Conn, state http.ConnState) {
			g.countConnection(conn, state)
			answers.idle(conn, state)
		}
		s.server.RegisterOnShutdown(answers.stop)
		s.server.RegisterOnShutdown(g.events.Close) // requests that watch events would not end
		g.servers = append(g.servers, s)
	}
	g.notifier = newNotifier(g.logger.With("component", "notify"))
	g.notifier.opening()
	file, err := rules.Load(cfg.GroupRules, cfg.GroupTTL, g.logger.With("component", "rules"), g.self.Registerer())
	if err != nil {
		return nil, fmt.Errorf("--group.rules: %w", err)
	}
	g.rules = &reloader{file: file, hangups: cfg.Reload, logger: g.logger.With("component", "rules")}
	cfg.Front.TTL = file.TTL
	cfg.Bus.PublishTimeout = cfg.Committer.Wait // an election of a leader takes most of it
	if err := g.openBus(ctx); err != nil {
		return nil, err
	}
	g.pushMetrics = ingest.NewMetrics(g.self.Registerer()) // before their names are reserved
	shown, reserved, err := shownSelf(g.self, cfg.SelfMetrics)
	if err != nil {
		return nil, fmt.Errorf("cannot gather the metrics of the gateway itself: %w", err)
	}
	settings := store.Settings{Reserved: reserved, Unchecked: cfg.Front.Unchecked, MaxGroups: cfg.MaxGroups}
	g.store = store.New(settings)
	file.UseQuotas(g.store.SetQuotas)
	g.importer, err = beginImport(ctx, cfg, file, g.bus, g.store, settings, g.logger)
	return shown, err
}

// logStart says that the gateway is starting. It is called when nothing can
// prevent that any more: otherwise an error of one line says why.
func (g *Gateway) logStart() {
	g.logger.Info("starting sluice", "version", version.Info(), "build_context", version.BuildContext())
	warnPersistence(&g.cfg, g.logger)
	if address := g.bus.ClientURL(); address != "" {
		g.logger.Info("NATS listening", "address", strings.TrimPrefix(address, "nats://"))
	}
}

// assemble makes the parts that need no opening, and connects them.
func (g *Gateway) assemble(shown *exposer.SelfMetrics) (err error) {
	cfg, logger := &g.cfg, g.logger
	metrics := g.pushMetrics
	g.committer = ingest.NewCommitter(g.bus, g.store, cfg.Committer, logger.With("component", "committer"), metrics)
	refusals := ingest.NewRefusals()
	cfg.Front.Logger = logger.With("component", "push")
	front := ingest.NewFront(g.committer, refusals, cfg.Front, metrics)
	g.front = front
	if g.watchdog, err = newWatchdog(g.notifier, g.committer, g.store, cfg.Committer.Wait, logger.With("component", "watchdog")); err != nil {
		return err
	}
	g.service = ingest.NewService(front, g.bus.Conn(), cfg.Bus.Prefix, version.Version, logger.With("component", "nats"))
	g.expirer = ingest.NewExpirer(g.bus, g.store, g.committer, logger.With("component", "expirer"))
	judge := exposer.NewJudge(g.store, shown, logger.With("component", "scrape"))
	g.readiness = &readiness{bus: g.bus, store: g.store, expirer: g.expirer, judge: judge}
	if err := g.bus.Introduce(bus.Introduction{Store: g.store, Version: version.Version, Started: g.started, Ready: g.readiness.caughtUp}); err != nil {
		return err
	}
	g.bus.Observe(g.events.Event)
	refusals.Observe(g.events.Refusal)
	handler, patterns, err := routes(cfg, handlers{
		front:        front,
		paths:        ingest.NewPaths(cfg.Prefix(), metrics, logger.With("component", "http")),
		scraper:      exposer.NewScraper(g.store, shown, g.readiness.caughtUp, judge, logger.With("component", "scrape")),
		api:          g.api(refusals),
		self:         g.self,
		selfOnly:     exposer.SelfHandler(g.self, g.store, logger.With("component", "own-metrics")),
		notReady:     g.readiness.notForPushes,
		notScrapable: g.readiness.notForScrapes,
		reload:       g.rules.reload,
		logger:       logger,
		quit:         g.quitByRequest,
	})
	if err != nil {
		return fmt.Errorf("cannot set up the routes: %w", err)
	}
	g.patterns = patterns
	g.handler.replace(handler)
	return nil
}

func (g *Gateway) api(refusals *ingest.Refusals) *api.API {
	return api.New(g.store, api.Config{
		Ready: g.readiness.caughtUp, Refusals: refusals.Latest,
		Address: api.Address{External: g.cfg.external(), Prefix: g.cfg.Prefix()},
		Status:  api.Status{Build: buildInfo(), Flags: g.cfg.Flags, Defaults: g.cfg.Defaults, Start: g.started},
		Cluster: api.ClusterSource{Name: g.bus.ClusterName, Members: g.bus.Members, Stream: g.bus.StreamState, Gateways: g.bus.Gateways},
		Stream:  api.StreamSource{Status: g.bus.Status, Known: g.bus.Known, NotReady: g.readiness.waitingFor},
		Events:  g.events,
		History: g.bus.History,
	}, g.logger.With("component", "api"))
}

func (g *Gateway) quitByRequest() {
	g.logger.Warn("received termination request via web service, exiting gracefully...") // as Pushgateway
	g.quit()
}

// shownSelf returns the own metrics that scrapes show, and their types, which
// pushed families may not contradict then: none if they are kept apart.
func shownSelf(self *exposer.SelfMetrics, where string) (*exposer.SelfMetrics, map[string]dto.MetricType, error) {
	if where == SelfSeparate {
		return nil, nil, nil
	}
	reserved, err := self.Reserved()
	return self, reserved, err
}

func buildInfo() map[string]string {
	return map[string]string{
		"version": version.Version, "revision": version.Revision, "branch": version.Branch,
		"buildUser": version.BuildUser, "buildDate": version.BuildDate, "goVersion": version.GoVersion,
	}
}
