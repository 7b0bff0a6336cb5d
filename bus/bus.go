package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/bus/embed"
	"sluice/bus/event"
	"sluice/bus/limitlog"
)

// Bus is the gateway's end of the stream. All its methods may be called
// concurrently, except that Follow is called once and Close last.
type Bus struct {
	cfg     Config
	logger  *slog.Logger
	limited *limitlog.Logger // for what others may cause
	metrics *metrics

	embedded   *embed.Server // nil with an external server
	nc         *nats.Conn
	ncClosed   chan struct{} // closed once the connection is gone for good
	js         jetstream.JetStream
	link       *link
	quorum     *quorum
	codec      *event.Codec
	inFlight   *inFlight
	localApply localApply
	fairness   *fairness

	resumeWithin time.Duration // how long a gateway may have been away and go on

	progress  *progress
	replaying replaying
	nudges    chan uint64 // from CatchUp: sequences that may be holes

	appending sync.Mutex // one Append at a time
	publisher *publisher
	migration *migration // what is to be brought into the cluster; for ensureStream
	opened    time.Time  // when a member of a cluster has come up
	instance  string     // makes message ids unique among gateways
	messages  uint64     // ids used; guarded by appending

	counters counters
	size     size

	introduced atomic.Pointer[Introduction] // nil if this gateway does not answer

	life      context.Context // ends with Close
	end       context.CancelCauseFunc
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
	b := &Bus{
		cfg: cfg, logger: logger, limited: limitlog.New(logger),
		ncClosed: make(chan struct{}), link: newLink(), quorum: newQuorum(cfg), codec: event.NewCodec(cfg.Prefix), inFlight: newInFlight(),
		progress: &progress{}, nudges: make(chan uint64, 1),
		instance: nuid.Next(), resumeWithin: cfg.markerTTL() / 2, // a margin for clocks and slow starts
	}
	b.fairness = newFairness(b.instance)
	b.life, b.end = context.WithCancelCause(context.Background())
	b.metrics = newMetrics(reg, cfg, b.Status)
	if err := b.open(ctx); err != nil {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ConnectTimeout)
		defer cancel()
		b.metrics.unregister()
		return nil, errors.Join(err, b.Close(stopCtx))
	}
	return b, nil
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
	if b.publisher, err = newPublisher(b.nc, b.cfg.PublishTimeout); err != nil {
		return fmt.Errorf("cannot use JetStream: %w", err)
	}
	if b.quorum.watched {
		if err := b.fairness.listen(b.nc, b.cfg.Prefix); err != nil {
			return err
		}
	}
	if b.cfg.Server.Cluster.On() {
		// The stream is there once enough members are: Follow waits for them.
		return b.openMember()
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.ConnectTimeout)
	defer cancel()
	info, err := b.ensureStream(ctx)
	if err != nil {
		return err
	}
	b.know(info)
	if b.embedded != nil {
		return b.embedded.Leave()
	}
	return nil
}

// know notes what the stream says of itself.
func (b *Bus) know(info *jetstream.StreamInfo) {
	b.progress.know(info.State.LastSeq)
	b.size.know(info)
	b.metrics.bytes.Set(float64(info.State.Bytes))
	b.metrics.copies.Set(float64(info.Config.Replicas))
	b.metrics.copiesCurrent.Set(float64(currentCopies(info)))
	b.quorum.answered(info.State.LastSeq)
}

// WaitStream blocks until the stream is there, or ctx ends. Outside of a cluster
// it is there from Open on.
func (b *Bus) WaitStream(ctx context.Context) error {
	for b.cfg.Server.Cluster.On() {
		info, err := b.ensureStream(ctx)
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
		b.appending.Lock() // whoever appends sees closed
		defer b.appending.Unlock()
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

// bounded returns a context that also ends after a time, and with Close.
func (b *Bus) bounded(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	ctx, cancelCause := context.WithCancelCause(ctx)
	stop := context.AfterFunc(b.life, func() { cancelCause(ErrClosed) })
	return ctx, func() {
		stop()
		cancelCause(nil)
		cancel()
	}
}
