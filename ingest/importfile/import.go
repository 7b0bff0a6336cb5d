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
	// sharedPatience is how long the import of another gateway may stand still
	// until it is taken to be dead. Being wrong costs no more than its work: the
	// first of the two to append wins, and the other one sees that.
	sharedPatience = 10 * time.Second
)

// Config says what to import.
type Config struct {
	// Path is the persistence file. Empty means none.
	Path string
	// Settings are those of the gateway's store: the file is judged by them.
	Settings store.Settings
	// TTL returns the time to live that a group gets, from the import on, 0 for
	// none; nil for none of all. What was dead already when Pushgateway ended dies
	// then, too.
	TTL func(store.Key) time.Duration
	// Shared says that other gateways may be importing into the stream at the
	// same time, so that an import which is not complete may be theirs.
	Shared bool
}

// Import is one gateway's import. Begin comes first, then Run.
type Import struct {
	cfg      Config
	bus      *bus.Bus
	store    *store.Store
	logger   *slog.Logger
	patience time.Duration
	batch    int // events at once; fewer after the stream did not answer in time

	file    *loaded // nil until it is read, or if there is none
	mine    uint64  // sequence of the event that began this import, 0 for none
	ended   bool    // its end has been appended, or may have been
	started time.Time

	watched uint64    // the sequence at which another import was seen last
	since   time.Time // since when
}

// New returns an import into the stream that the bus follows into the store.
func New(b *bus.Bus, s *store.Store, cfg Config, logger *slog.Logger) *Import {
	i := &Import{cfg: cfg, bus: b, store: s, logger: logger, batch: maxBatch}
	if cfg.Shared {
		i.patience = sharedPatience
	}
	return i
}

// Begin reads the file if nothing has ever been written to the stream, and
// begins the import there, so that no push can come first. It must be called
// before the bus is followed. Without a file there is nothing to do; with one it
// waits until the stream is there.
//
// The error is one line that names the file and what is wrong with it. Then
// nothing has been written.
func (i *Import) Begin(ctx context.Context) error {
	if i.cfg.Path == "" {
		return nil
	}
	if err := i.bus.WaitStream(ctx); err != nil {
		return i.failed(err)
	}
	if i.bus.Status().Last > 0 {
		return nil // Run looks whether there is an import to be completed
	}
	if err := i.read(); err != nil || i.file == nil {
		return err
	}
	if len(i.file.events) == 0 {
		i.logger.Info("the persistence file has no groups: nothing to import", "file", i.cfg.Path)
		return nil
	}
	if err := i.begin(ctx, 0); err != nil {
		return i.failed(err)
	}
	return nil
}

// failed names the file in an error.
func (i *Import) failed(err error) error {
	return fmt.Errorf("cannot import --persistence.file %s: %w", i.cfg.Path, err)
}

// read loads the file, if it is there.
func (i *Import) read() error {
	i.started = time.Now()
	file, err := load(i.cfg.Path, i.cfg.Settings, i.cfg.TTL, i.bus.Fits)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		i.logger.Info("there is no persistence file: nothing to import", "file", i.cfg.Path)
		return nil
	case err != nil:
		return i.failed(err)
	}
	i.file = file
	return nil
}

// Run completes the import, or one that was begun by a gateway that has ended
// since. It blocks until there is nothing more to do, or until ctx ends, which is
// no error. With an error the import remains incomplete, and is begun again by
// the next start.
func (i *Import) Run(ctx context.Context) error {
	if i.cfg.Path == "" || i.bus.WaitReady(ctx) != nil {
		return nil
	}
	defer func() { i.file = nil }() // the store has it now
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
			i.logger.Debug("cannot go on with the import yet", "file", i.cfg.Path, "err", err) // the bus tells about its link
		}
		pause(ctx, retryPause)
	}
	return nil
}

// step does what is next, according to what the stream says.
func (i *Import) step(ctx context.Context) (done bool, err error) {
	if _, err := i.bus.CatchUp(ctx); err != nil {
		return false, err
	}
	begun, at := i.store.Importing()
	switch {
	case begun == 0:
		i.report(at)
		return true, nil
	case begun != i.mine:
		return i.takeOver(ctx, at)
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

// report logs how it has ended.
func (i *Import) report(at uint64) {
	switch {
	case i.ended:
		i.logger.Info("imported the persistence file", "file", i.cfg.Path, "groups", len(i.file.events), "series", i.file.series,
			"seconds", math.Round(time.Since(i.started).Seconds()*1000)/1000)
	case i.mine != 0 || i.file != nil && len(i.file.events) > 0:
		i.logger.Warn("the persistence file was not imported: the stream is not empty any more", "file", i.cfg.Path, "last", at)
	case at > 0:
		i.logger.Info("the stream is not empty: the persistence file is not imported", "file", i.cfg.Path, "last", at)
	}
}

// takeOver waits while another import goes on, and begins again if it does not.
func (i *Import) takeOver(ctx context.Context, at uint64) (done bool, err error) {
	if i.since.IsZero() || at != i.watched {
		i.watched, i.since = at, time.Now()
	}
	if time.Since(i.since) < i.patience {
		pause(ctx, retryPause)
		return false, nil
	}
	if i.file == nil {
		if err := i.read(); err != nil {
			return true, err
		}
		if i.file == nil {
			i.logger.Warn("the import of a persistence file was begun and is not complete: it needs the file, or a wipe", "file", i.cfg.Path)
			return true, nil
		}
	}
	i.logger.Info("beginning an incomplete import again", "file", i.cfg.Path)
	return false, i.begin(ctx, at)
}

// begin appends the event that begins the import behind a sequence. With it all
// that the stream may have of an earlier one is gone.
func (i *Import) begin(ctx context.Context, after uint64) error {
	i.ended = false
	seqs, err := i.bus.Append(ctx, after, []store.Event{{Op: store.OpImport, Origin: i.origin()}})
	if errors.Is(err, bus.ErrConflict) {
		return nil // whose it is then, Run sees
	}
	if len(seqs) == 1 {
		i.mine = seqs[0]
	}
	return err
}

func (i *Import) origin() string { return "persistence file " + i.cfg.Path }

// landed returns how many events of this import, which was begun at a sequence,
// are in the stream, and whether the last event there is the last of these.
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

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
