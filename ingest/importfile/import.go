package importfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"time"

	"sluice/bus"
	"sluice/store"
)

const (
	// maxBatch and maxBatchBytes bound what is appended at once.
	maxBatch      = 512
	maxBatchBytes = 8 << 20
	// retryPause is the wait until the stream is asked again.
	retryPause = 100 * time.Millisecond
	// sharedStallTimeout is how long the import of another gateway may make no
	// progress before this gateway begins it again. A wrong guess costs only work:
	// the first of the two to append wins, and the other one sees that.
	sharedStallTimeout = 10 * time.Second
)

// Config says what to import.
type Config struct {
	// Path is the persistence file. Empty means none.
	Path string
	// Settings are those of the gateway's store. They decide which groups are
	// consistent.
	Settings store.Settings
	// TTL returns the time to live of a group, which begins with the import; 0 is
	// none. A nil TTL gives none to any group. Groups that were dead when
	// Pushgateway ended expire in the same way.
	TTL func(store.Key) time.Duration
	// Shared means that other gateways may import into the stream at the same time.
	// An import that is not complete may be theirs then.
	Shared bool
}

// Import is the import of one gateway. Begin must be called first, then Run. It must
// not be used concurrently.
type Import struct {
	cfg          Config
	bus          *bus.Bus
	store        *store.Store
	logger       *slog.Logger
	stallTimeout time.Duration
	batch        int // events at once; fewer after the stream did not answer in time

	file    *loaded // nil before it is read, and without a file
	begunAt uint64  // sequence of the event that began this import, 0 for none
	ended   bool    // the event that completes it was appended, perhaps without an answer
	started time.Time

	otherAt    uint64    // the last sequence seen during the import of another gateway
	otherSince time.Time // when it was first seen
}

// New returns an import into the stream that the bus follows into the store.
func New(b *bus.Bus, s *store.Store, cfg Config, logger *slog.Logger) *Import {
	i := &Import{cfg: cfg, bus: b, store: s, logger: logger, batch: maxBatch}
	if cfg.Shared {
		i.stallTimeout = sharedStallTimeout
	}
	return i
}

// Begin reads the file if nothing has ever been written to the stream, and
// begins the import there, so that no push can come first. It must be called
// before the bus follows the stream. Without a file it does nothing; with one it
// blocks until the stream is there, or until ctx ends.
//
// The error is one line that names the file and what is wrong with it. Nothing has
// been written then.
func (i *Import) Begin(ctx context.Context) error {
	if i.cfg.Path == "" {
		return nil
	}
	if err := i.bus.WaitStream(ctx); err != nil {
		return i.failed(err)
	}
	if i.bus.Status().Last > 0 {
		return nil // Run completes an import that was begun
	}
	if err := i.read(); err != nil || i.file == nil {
		return err
	}
	if len(i.file.events) == 0 {
		i.logger.Info("the persistence file has no groups, nothing to import", "file", i.cfg.Path)
		return nil
	}
	if err := i.begin(ctx, 0); err != nil {
		return i.failed(err)
	}
	return nil
}

// failed adds the path of the file to an error.
func (i *Import) failed(err error) error {
	return fmt.Errorf("cannot import --persistence.file %s: %w", i.cfg.Path, err)
}

// read loads the file if it exists.
func (i *Import) read() error {
	i.started = time.Now()
	file, err := load(i.cfg.Path, i.cfg.Settings, i.cfg.TTL, i.bus.Fits)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		i.logger.Info("the persistence file does not exist, nothing to import", "file", i.cfg.Path)
		return nil
	case err != nil:
		return i.failed(err)
	}
	i.file = file
	return nil
}

// Run completes the import, or one that another gateway began and left. It blocks
// until nothing is left to do, or until ctx ends, which is no error. After an error
// the import is incomplete; the next start of a gateway with the file begins it
// again.
func (i *Import) Run(ctx context.Context) error {
	if i.cfg.Path == "" || i.bus.WaitReady(ctx) != nil {
		return nil
	}
	defer func() { i.file = nil }() // frees its memory: the store has the groups now
	for ctx.Err() == nil {
		done, err := i.step(ctx)
		switch {
		case done:
			return err
		case err == nil:
			continue
		case errors.Is(err, bus.ErrConflict):
			// Another gateway came first: the next step sees what it did.
		case errors.Is(err, bus.ErrUnavailable):
			i.batch = max(1, i.batch/2)
			i.logger.Warn("cannot append the import to the stream", "file", i.cfg.Path, "err", err)
		case errors.Is(err, bus.ErrStreamFull), errors.Is(err, bus.ErrTooLarge):
			return i.failed(err)
		default:
			i.logger.Debug("cannot continue the import yet", "file", i.cfg.Path, "err", err) // the bus logs the state of its connection
		}
		pause(ctx, retryPause)
	}
	return nil
}

// step appends the next events of the import, according to what the stream has. done
// means that nothing is left to do.
func (i *Import) step(ctx context.Context) (done bool, err error) {
	if _, err := i.bus.CatchUp(ctx); err != nil {
		return false, err
	}
	begun, at := i.store.Importing()
	switch {
	case begun == 0:
		i.report(at)
		return true, nil
	case begun != i.begunAt:
		return i.resume(ctx, at)
	}
	next, ok := i.landed(begun, at)
	switch {
	case !ok:
		return false, i.begin(ctx, at)
	case next == len(i.file.events):
		i.ended = true
		_, err = i.bus.Append(ctx, at, []store.Event{{Op: store.OpImported, Origin: i.origin()}})
	default:
		_, err = i.bus.Append(ctx, at, i.part(next))
	}
	return false, err
}

// report logs how the import ended.
func (i *Import) report(at uint64) {
	switch {
	case i.ended:
		i.logger.Info("imported the persistence file", "file", i.cfg.Path, "groups", len(i.file.events), "series", i.file.series,
			"seconds", math.Round(time.Since(i.started).Seconds()*1000)/1000)
	case i.begunAt != 0 || i.file != nil && len(i.file.events) > 0:
		i.logger.Warn("the persistence file was not imported, because the stream is not empty any more", "file", i.cfg.Path, "last", at)
	case at > 0:
		i.logger.Info("the persistence file is not imported, because the stream is not empty", "file", i.cfg.Path, "last", at)
	}
}

// resume waits while the import of another gateway makes progress. If it makes none,
// resume begins the import again.
func (i *Import) resume(ctx context.Context, at uint64) (done bool, err error) {
	if i.otherSince.IsZero() || at != i.otherAt {
		i.otherAt, i.otherSince = at, time.Now()
	}
	if time.Since(i.otherSince) < i.stallTimeout {
		pause(ctx, retryPause)
		return false, nil
	}
	if i.file == nil {
		if err := i.read(); err != nil {
			return true, err
		}
		if i.file == nil {
			i.logger.Warn("an import was begun and is not complete: start a gateway with the file, or wipe all groups", "file", i.cfg.Path)
			return true, nil
		}
	}
	i.logger.Info("begin an incomplete import again", "file", i.cfg.Path)
	return false, i.begin(ctx, at)
}

// begin appends the event that begins the import, after a sequence. The event also
// removes everything that an earlier import has written.
func (i *Import) begin(ctx context.Context, after uint64) error {
	i.ended = false
	seqs, err := i.bus.Append(ctx, after, []store.Event{{Op: store.OpImport, Origin: i.origin()}})
	if errors.Is(err, bus.ErrConflict) {
		return nil // Run sees which gateway came first
	}
	if len(seqs) == 1 {
		i.begunAt = seqs[0]
	}
	return err
}

func (i *Import) origin() string { return "persistence file " + i.cfg.Path }

// landed returns how many events of this import are in the stream, if it was begun at
// one sequence and the stream ends at another. It returns false if the last event of
// the stream is not one of them.
func (i *Import) landed(begun, at uint64) (int, bool) {
	n := at - begun
	if n == 0 {
		return 0, true
	}
	if n > uint64(len(i.file.events)) {
		return 0, false
	}
	last := i.store.Group(i.file.events[n-1].Key)
	return int(n), last != nil && last.Sequence() == at
}

// part returns the next events to append.
func (i *Import) part(next int) []store.Event {
	rest := i.file.events[next:]
	size := 0
	for n := range rest {
		if n == i.batch || n > 0 && size > maxBatchBytes {
			return rest[:n]
		}
		for _, f := range rest[n].Families {
			size += len(f.Text) + len(f.Proto)
		}
	}
	return rest
}

// pause blocks for a time, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
