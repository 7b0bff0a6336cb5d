package ingest

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"sluice/ingest/decode"
)

const (
	// smallBody is the most bytes of a body that does not wait for large ones: it
	// has decoders of its own, and its bytes are counted apart.
	smallBody = 64 << 10
	// smallDecoders is how many small bodies are decoded at once for each processor.
	// Each allocates 8 MB at worst.
	smallDecoders = 4
	// maxAdmissionWait is how long a push waits in all for memory and a decoder. It
	// leaves time for the stream within the usual timeout of clients, 10 s.
	maxAdmissionWait = 4 * time.Second
	// maxAdmissionWaitNATS is the same for a request over NATS, which others of its
	// endpoint wait behind.
	maxAdmissionWaitNATS = time.Second

	// trimPace is how often it is looked whether memory can be given back, and
	// trimPause the shortest time between two times that it is: it costs a
	// collection.
	trimPace  = time.Second
	trimPause = 15 * time.Second
)

// admission bounds the memory of all pushes that are being read and decoded. It is
// safe for concurrent use.
//
// A large push holds two things. While its bytes come, it holds its length of
// reading. Then it holds one of as many decoders as there are processors, and of
// decoding what the decoder says that it allocates. Whoever holds a decoder waits
// for nothing that a reader holds, and nobody waits for more of what he has: he
// gives it back first. So no push waits for one that waits for it.
type admission struct {
	limit    int64         // bytes; 0 is no limit
	small    budget        // of small bodies that are being read
	reading  pool          // of large bodies on the wire
	decoding pool          // of what is decompressed and decoded
	few      chan struct{} // decoders of small bodies
	large    chan struct{} // decoders of large bodies
	admitted atomic.Int64  // large bodies so far
}

// newAdmission divides a limit in bytes, of which the pushes that wait for their
// verdict have the fourth quarter.
func newAdmission(limit int64) *admission {
	processors := runtime.GOMAXPROCS(0)
	return &admission{
		limit:    limit,
		small:    budget{limit: (limit + 7) / 8},
		reading:  newPool((limit + 3) / 4),
		decoding: newPool((3*limit + 7) / 8),
		few:      make(chan struct{}, smallDecoders*processors),
		large:    make(chan struct{}, processors),
	}
}

// decoders are those of bodies of a size, as they came.
func (a *admission) decoders(size int) chan struct{} {
	if size < smallBody {
		return a.few
	}
	return a.large
}

// pool is a number of bytes that pushes take parts of, first come, first served.
type pool struct {
	size int64 // 0 is no limit
	free *semaphore.Weighted
}

func newPool(size int64) pool { return pool{size, semaphore.NewWeighted(size)} }

// claim is what one push holds. It belongs to one goroutine.
type claim struct {
	of      *admission
	wait    time.Duration // that is left
	read    int64         // bytes of reading
	decoded int64         // bytes of decoding
	plain   int64         // bytes of the decompressed body, which decoding counts in
	slot    chan struct{} // few or large, nil for none
}

// readLarge claims the bytes of a large body that is being read.
func (c *claim) readLarge(n int64) (err error) {
	c.read, err = c.take(c.of.reading, n)
	return err
}

// begin claims a decoder.
func (c *claim) begin(slot chan struct{}) error {
	if c.slot == slot {
		return nil
	}
	c.leave()
	select {
	case slot <- struct{}{}:
		c.slot = slot
		return nil
	default:
	}
	start := time.Now()
	timer := time.NewTimer(c.wait)
	defer timer.Stop()
	select {
	case slot <- struct{}{}:
		c.slot = slot
		c.wait -= time.Since(start)
		return nil
	case <-timer.C:
		return tooManyBytes(c.of.limit)
	}
}

// Admit claims a decoder of large bodies and bytes of decoding, instead of those
// that are held: see decode.Admitter. The error is an *Error.
func (c *claim) Admit(n int64) error {
	if limit := c.of.limit; limit > 0 && n > limit {
		return refuse(CodeTooLarge, "reading the push would take about %d bytes of memory, the limit is %d (--push.max-waiting-bytes)\nPush in several groups, or raise the limit.", n, limit).withReason(reasonMemory)
	}
	return c.decode(c.plain + n)
}

// decode is Admit without a bound on a single push.
func (c *claim) decode(n int64) (err error) {
	if err := c.begin(c.of.large); err != nil {
		return err
	}
	c.of.admitted.Add(1)
	c.release(c.of.decoding, &c.decoded)
	c.decoded, err = c.take(c.of.decoding, n)
	return err
}

// take waits for n bytes of a pool, or for all of it, and returns how many it has
// taken.
func (c *claim) take(from pool, n int64) (int64, error) {
	if from.size == 0 {
		return 0, nil
	}
	n = min(n, from.size)
	if from.free.TryAcquire(n) {
		return n, nil
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), c.wait)
	defer cancel()
	if err := from.free.Acquire(ctx, n); err != nil {
		return 0, tooManyBytes(c.of.limit)
	}
	c.wait -= time.Since(start)
	return n, nil
}

func (c *claim) release(to pool, held *int64) {
	if *held > 0 {
		to.free.Release(*held)
		*held = 0
	}
}

// leave gives the decoder back, if there is one.
func (c *claim) leave() {
	if c.slot != nil {
		<-c.slot
		c.slot = nil
	}
}

// end gives all back.
func (c *claim) end() {
	c.release(c.of.decoding, &c.decoded)
	c.release(c.of.reading, &c.read)
	c.leave()
}

var _ decode.Admitter = (*claim)(nil)

// trim gives memory back to the system when large bodies have been decoded and
// none has come for a while, until ctx ends. The runtime would keep it for minutes.
func (a *admission) trim(ctx context.Context) {
	tick := time.NewTicker(trimPace)
	defer tick.Stop()
	var returned, seen int64
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			admitted := a.admitted.Load()
			idle := admitted == seen && len(a.large) == 0
			seen = admitted
			if !idle || admitted == returned || now.Sub(last) < trimPause {
				continue
			}
			debug.FreeOSMemory()
			returned, last = admitted, now
		}
	}
}
