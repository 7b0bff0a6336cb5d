package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/bus/event"
	"sluice/store"
)

const (
	// heartbeat is how often the server says that a subscription without news is alive,
	// and silence how long it may be silent until it is taken for dead.
	heartbeat = time.Second
	silence   = 3*heartbeat + heartbeat/2
	// orphaned is when the server removes a consumer that nobody listens to.
	orphaned = time.Minute
	// subscriptionEvents and subscriptionBytes bound what is decoded but not yet applied.
	subscriptionEvents = 4096
	subscriptionBytes  = 16 << 20
)

// errLost means that a subscription has missed events, so that it is of no use any more.
var errLost = errors.New("the subscription has missed events")

// item is one message of the stream, decoded.
type item struct {
	seq      uint64
	delivery uint64 // its number in the subscription, from 1
	time     int64  // when it came into the stream, in nanoseconds since 1970
	pending  uint64 // what the server has to deliver after it, by its own count
	id       string // message id
	subject  string
	event    store.Event
	marker   bool // the server itself has written it
	apply    bool // the event is to be applied, else only its sequence counts
	err      error
	bytes    int
}

// subscription receives the stream's messages from one consumer. They are decoded in
// the order of arrival by the goroutine that receives them, while the follower
// applies those before.
//
// It is a push consumer with flow control: measured with 100,000 events of 2 KB
// it delivers as fast as a pull consumer or faster, and the server itself bounds
// what is under way (32 MiB), as the goroutine does not receive while the subscription is
// full.
type subscription struct {
	codec    *event.Codec
	inFlight *inFlight
	nc       *nats.Conn
	consumer jetstream.PushConsumer
	sub      *nats.Subscription
	total    uint64        // what the server had to deliver at the start
	raw      bool          // do not decode: for measurements only
	ended    chan struct{} // closed once the goroutine has ended

	mu        sync.Mutex
	room      sync.Cond // signalled when items are taken, or on stop
	items     []item
	bytes     int
	delivered uint64    // number of the last message that has come
	contact   time.Time // when the server was heard last
	idle      time.Time // when it was heard last with nothing to deliver
	err       error     // why there will be no more
	stopped   bool
	news      chan struct{} // of capacity 1: something of the above has changed
}

// openSubscription makes a consumer that delivers from a sequence on, or with 0 the last
// message of each subject first.
func (b *Bus) openSubscription(ctx context.Context, from uint64) (*subscription, error) {
	b.inFlight.clear()
	f := &subscription{codec: b.codec, inFlight: b.inFlight, nc: b.nc, ended: make(chan struct{}), news: make(chan struct{}, 1)}
	f.room.L = &f.mu
	f.contact = time.Now()
	inbox := b.nc.NewInbox()
	var err error
	// The subscription first, or the server would find nobody there.
	if f.sub, err = b.nc.Subscribe(inbox, f.receive); err != nil {
		return nil, err
	}
	f.sub.SetClosedHandler(func(string) { close(f.ended) })
	if err = f.sub.SetPendingLimits(-1, -1); err == nil { // flow control bounds it
		cfg := jetstream.ConsumerConfig{
			DeliverSubject: inbox, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
			FilterSubject: event.Subjects(b.cfg.Prefix),
			AckPolicy:     jetstream.AckNonePolicy, ReplayPolicy: jetstream.ReplayInstantPolicy,
			FlowControl: true, IdleHeartbeat: heartbeat,
			MemoryStorage: true, Replicas: 1, InactiveThreshold: orphaned,
		}
		if from > 0 {
			cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, from
		}
		ctx, cancel := context.WithTimeout(ctx, b.patience())
		defer cancel()
		f.consumer, err = b.js.CreatePushConsumer(ctx, streamName(b.cfg.Prefix), cfg)
	}
	if err != nil {
		f.stop()
		return nil, fmt.Errorf("cannot make a consumer: %w", streamError(err))
	}
	f.total = f.consumer.CachedInfo().NumPending + f.consumer.CachedInfo().Delivered.Consumer
	return f, nil
}

// closeSubscription stops a subscription, waits for its goroutine, and removes the consumer if
// the server can be reached.
func (b *Bus) closeSubscription(f *subscription) {
	f.stop()
	if f.consumer == nil || b.nc.IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if connected, _ := b.link.state(); connected {
		// The server forgets it anyway after orphaned.
		_ = b.js.DeleteConsumer(ctx, streamName(b.cfg.Prefix), f.consumer.CachedInfo().Name)
	}
}

// came returns the number of the last message that has come.
func (f *subscription) came() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.delivered
}

func (f *subscription) stop() {
	f.mu.Lock()
	f.stopped = true
	f.mu.Unlock()
	f.room.Broadcast()
	// It fails if the connection is closed, which ends the goroutine, too.
	_ = f.sub.Unsubscribe()
	<-f.ended
}

// receive takes one message, in a goroutine of the subscription. It blocks
// while the subscription is full.
func (f *subscription) receive(m *nats.Msg) {
	if len(m.Data) == 0 && event.Header(m, "Status") != "" {
		f.status(m)
		return
	}
	it := item{bytes: len(m.Data)}
	lost := f.position(m, &it)
	if lost == nil && !f.raw {
		it.id, it.subject = strings.Clone(event.Header(m, headerMsgID)), m.Subject
		if it.event, it.apply = f.inFlight.take(it.id); it.apply {
			f.codec.Note(m.Subject, it.event)
		} else {
			it.event, it.apply, it.err = f.codec.Decode(m)
			it.marker = event.IsMarker(m)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.stopped && len(f.items) > 0 && (len(f.items) >= subscriptionEvents || f.bytes >= subscriptionBytes) {
		f.room.Wait()
	}
	if f.stopped || f.err != nil {
		return
	}
	if lost == nil && it.delivery != f.delivered+1 {
		lost = fmt.Errorf("%w: number %d follows %d", errLost, it.delivery, f.delivered)
	}
	if lost != nil {
		f.fail(lost)
		return
	}
	f.delivered = it.delivery
	f.heard(it.pending == 0)
	f.items = append(f.items, it)
	f.bytes += it.bytes
	f.tell()
}

// position reads where in the stream and in the subscription a message stands.
func (f *subscription) position(m *nats.Msg, it *item) error {
	at, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("%w: message without a position, reply %q: %w", errLost, m.Reply, err)
	}
	it.seq, it.delivery, it.pending, it.time = at.Sequence.Stream, at.Sequence.Consumer, at.NumPending, at.Timestamp.UnixNano()
	return nil
}

// status takes a heartbeat or a question of flow control.
func (f *subscription) status(m *nats.Msg) {
	reply := m.Reply
	if stalled := event.Header(m, "Nats-Consumer-Stalled"); stalled != "" {
		reply = stalled
	}
	if reply != "" {
		// An error shows as silence.
		_ = f.nc.Publish(reply, nil)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if status := event.Header(m, "Status"); status != "100" {
		f.fail(fmt.Errorf("%w: the server says %s %s", errLost, status, event.Header(m, "Description")))
		return
	}
	text := event.Header(m, "Nats-Last-Consumer")
	if text == "" { // flow control alone
		f.heard(false)
		return
	}
	if n, err := strconv.ParseUint(text, 10, 64); err != nil || n != f.delivered {
		f.fail(fmt.Errorf("%w: the server has sent %s of them, and %d have come", errLost, text, f.delivered))
		return
	}
	f.heard(event.Header(m, "Nats-Consumer-Stalled") == "")
	f.tell()
}

// heard notes that the server lives. The lock is held.
func (f *subscription) heard(idle bool) {
	f.contact = time.Now()
	if idle {
		f.idle = f.contact
	}
}

// fail ends the subscription. The lock is held.
func (f *subscription) fail(err error) {
	if f.err == nil {
		f.err = err
	}
	f.tell()
}

// tell makes the follower look. The lock is held.
func (f *subscription) tell() {
	select {
	case f.news <- struct{}{}:
	default:
	}
}

// batch is what a follower takes from a subscription at once.
type batch struct {
	items []item
	idle  time.Time // when the server had nothing to deliver last
	err   error     // why nothing comes after these
}

// take returns what has come, and gives the subscription the memory of an earlier batch.
func (f *subscription) take(reuse []item) batch {
	clear(reuse)
	f.mu.Lock()
	defer f.mu.Unlock()
	got := batch{items: f.items, idle: f.idle, err: f.err}
	if got.err == nil && time.Since(f.contact) > silence {
		got.err = fmt.Errorf("%w: the server has been silent for %s", errLost, time.Since(f.contact).Round(time.Second))
	}
	f.items, f.bytes = reuse[:0], 0
	f.room.Broadcast()
	return got
}
