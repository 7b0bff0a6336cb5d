package gateway

import (
	"context"
	"errors"
	"time"
)

// stopTimeout bounds the orderly end: answering what is in flight, and after that
// closing the connection and stopping the embedded server.
const stopTimeout = 20 * time.Second

// Run serves until ctx ends, somebody asks for the end over HTTP, or a part
// fails. It returns when all that New and it have started has ended, with the
// errors of all parts. It may be called once.
func (g *Gateway) Run(ctx context.Context) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(g.quitting, stop)()
	stages := append(g.stages(), stage{{run: func(stopping context.Context) error {
		<-stopping.Done()
		if ctx.Err() != nil {
			g.logger.Info("received SIGINT/SIGTERM; exiting gracefully...") // as Pushgateway
		}
		return nil
	}}})
	err := runStages(running, stages...)
	g.logger.Info("stopped", "sequence", g.store.Sequence())
	return errors.Join(err, g.close())
}

// stages has what runs, in the order of its start. The front ends need the parts
// before them to answer requests in flight. The service manager is told first that
// the gateway is stopping.
func (g *Gateway) stages() []stage {
	fronts := stage{{run: g.serveNATS}}
	for _, s := range g.servers {
		fronts = append(fronts, part{run: s.run})
	}
	return []stage{
		{{run: func(ctx context.Context) error { return g.bus.Follow(ctx, g.store) }}},
		{{run: g.committer.Run}},
		{{run: g.expirer.Run}, {run: g.importer.Run, mayEnd: true}},
		{
			{run: g.rules.run},
			{run: g.watchdog.run, mayEnd: true},
			{run: g.showReplay, mayEnd: true},
		},
		fronts,
		{{run: g.notify, mayEnd: true}},
	}
}

func (g *Gateway) showReplay(ctx context.Context) error {
	if g.cfg.Terminal != nil {
		showReplay(ctx, g.bus, g.cfg.Terminal)
	}
	return nil
}

func (g *Gateway) notify(ctx context.Context) error {
	return g.notifier.run(ctx, g.bus.Status, g.readiness.waitingFor)
}

// serveNATS takes requests from when the replay has caught up until ctx ends:
// before that, the other gateways of the queue group take them.
func (g *Gateway) serveNATS(ctx context.Context) error {
	if err := g.bus.WaitReady(ctx); err != nil {
		return nil // stopped before it began
	}
	if err := g.service.Start(); err != nil {
		return err
	}
	<-ctx.Done()
	stopCtx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return g.service.Stop(stopCtx)
}

// close closes what New has opened, in reverse order.
func (g *Gateway) close() (err error) {
	g.quit()
	for _, s := range g.servers {
		s.close() // Run has shut it down, unless the start has failed
	}
	if g.bus != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		err = g.bus.Close(ctx)
	}
	for _, l := range g.listeners {
		l.Close() // again, if a server did: its error says nothing
	}
	return err
}
