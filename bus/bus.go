package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/bus/embed"
	"sluice/bus/event"
)

// Bus is the gateway's end of the stream. All its methods may be called
// concurrently, except that Follow is called once and Close last.
type Bus struct {
	*stream
	setup    *setup
	appender *appender
	history  *historyReader
	gateways *gateways

	codec      *event.Codec
	inFlight   *inFlight
	localApply *localApply
	fairness   *fairness
	instance   string // makes message ids unique among gateways

	resumeWithin time.Duration // how long a gateway may have been away and go on
	replaying    replaying

	end       context.CancelCauseFunc // ends life
	closeOnce sync.Once
	following sync.WaitGroup
}

// Open starts the embedded server or connects to the external one, and creates
// the stream or checks the one that is there. It blocks until the stream can be
// used, at most for the time that Config says or until ctx ends. Its error is
// one line that names what stands in the way. The logger must not be nil; with
// a nil Registerer there are no metrics.
func Open(ctx context.Context, cfg Config, logger *slog.Logger, reg prometheus.Registerer) (*Bus, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	b := newBus(cfg, logger)
	b.metrics = newMetrics(reg, cfg, b.Status)
	if err := b.open(ctx); err != nil {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ConnectTimeout)
		defer cancel()
		b.metrics.unregister()
		return nil, errors.Join(err, b.Close(stopCtx))
	}
	return b, nil
}

// newBus puts the parts together, none of which does anything yet.
func newBus(cfg Config, logger *slog.Logger) *Bus {
	s := newStream(cfg, logger)
	b := &Bus{
		stream: s, setup: &setup{stream: s}, history: &historyReader{stream: s},
		codec: event.NewCodec(cfg.Prefix), inFlight: newInFlight(), localApply: &localApply{},
		instance:     nuid.Next(),
		resumeWithin: cfg.markerTTL() / 2, // a margin for clocks and slow starts
	}
	s.life, b.end = context.WithCancelCause(context.Background())
	b.fairness = newFairness(b.instance)
	b.gateways = &gateways{stream: s, instance: b.instance, status: b.Status}
	b.appender = &appender{
		stream: s, setup: b.setup, codec: b.codec, inFlight: b.inFlight,
		localApply: b.localApply, fairness: b.fairness, instance: b.instance,
	}
	return b
}

func (b *Bus) open(ctx context.Context) error {
	if b.cfg.URL == "" {
		var err error
		if b.embedded, err = embed.Start(ctx, b.cfg.Server, b.logger); err != nil {
			return err
		}
		b.cfg.Server = b.embedded.Config()
	}
	if err := b.connect(); err != nil {
		return err
	}
	var err error
	if b.js, err = jetstream.New(b.nc); err != nil {
		return fmt.Errorf("cannot use JetStream: %w", err)
	}
	if b.appender.acks, err = newAcks(b.nc); err != nil {
		return fmt.Errorf("cannot listen for acknowledgements: %w", err)
	}
	if b.quorum.watched {
		if err := b.fairness.listen(b.nc, b.cfg.Prefix); err != nil {
			return err
		}
	}
	if b.cfg.Server.Cluster.On() {
		// The stream is there once enough members are: Follow waits for them.
		return b.setup.openMember()
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.ConnectTimeout)
	defer cancel()
	info, err := b.setup.ensureStream(ctx)
	if err != nil {
		return err
	}
	b.know(info)
	if b.embedded != nil {
		return b.embedded.Leave()
	}
	return nil
}

// WaitStream blocks until the stream is there, or ctx ends. Outside of a cluster
// it is there from Open on.
func (b *Bus) WaitStream(ctx context.Context) error {
	for b.cfg.Server.Cluster.On() {
		info, err := b.setup.ensureStream(ctx)
		if err == nil {
			b.know(info)
			return nil
		}
		if fatal(err) {
			return err
		}
		b.limited.Info("waiting for the stream", "reason", b.explain(err))
		if !pause(ctx, bootstrapPause) {
			return fmt.Errorf("cannot wait for the stream: %w", context.Cause(ctx))
		}
	}
	return nil
}

// Conn returns the connection, for the front end that takes pushes over NATS.
// It is closed by Close.
func (b *Bus) Conn() *nats.Conn { return b.nc }

// ClientURL returns where the embedded server listens for clients, or "" if
// nowhere.
func (b *Bus) ClientURL() string {
	if b.embedded == nil {
		return ""
	}
	return b.embedded.ClientURL()
}

// Close ends Follow and whatever waits, closes the connection and shuts the
// embedded server down, each waited for until ctx ends. What has been
// acknowledged is in the stream. Only the first call does anything.
func (b *Bus) Close(ctx context.Context) (err error) {
	b.closeOnce.Do(func() {
		b.end(ErrClosed)
		err = b.close(ctx)
	})
	return err
}

func (b *Bus) close(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.following.Wait()
		b.appender.mu.Lock() // an append that waits here sees that the bus is closed
		defer b.appender.mu.Unlock()
	}()
	var errs []error
	select {
	case <-ended:
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("cannot stop following the stream: %w", context.Cause(ctx)))
	}
	errs = append(errs, b.closeConn(ctx))
	if b.embedded != nil {
		errs = append(errs, b.embedded.Stop(ctx))
	}
	return errors.Join(errs...)
}
