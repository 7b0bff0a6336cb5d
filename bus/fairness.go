package bus

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// turnPatience bounds how long a gateway lets another one go first that has
	// asked for it. It needs some 10 ms to catch up, judge and append; one that has
	// died meanwhile must not cost more than an fsync does.
	turnPatience = 50 * time.Millisecond
	// maxTurns bounds how many gateways are waited for.
	maxTurns = 64
	// turnPart is the rest of the subject on which gateways ask for their turn.
	turnPart = ".turn"
)

// fairness makes gateways that write one stream take turns. Compare-and-swap alone is
// correct but not fair: the gateway that is next to the leader of the stream has
// its next batch under way before the others know of its last one, and they lose
// again and again (measured with three on one machine: 451, 10 and 14 pushes/s).
// So a gateway that has lost says so, and the others let it go first if it has waited
// longer than they. Only fairness depends on these messages.
type fairness struct {
	own string // instance of this gateway

	mu      sync.Mutex
	since   time.Time       // when the batch that this gateway tries to append was first tried
	asked   map[string]turn // by instance
	changed chan struct{}   // closed when somebody has had his turn; nil if nobody waits
}

// turn is what another gateway has asked for.
type turn struct {
	since   time.Time // since when it has waited
	expires time.Time
}

func newFairness(instance string) *fairness {
	return &fairness{own: instance, asked: map[string]turn{}}
}

// listen subscribes to what others ask, for as long as the connection lives.
func (t *fairness) listen(nc *nats.Conn, prefix string) error {
	_, err := nc.Subscribe(prefix+turnPart, func(m *nats.Msg) { t.note(string(m.Data), time.Now()) })
	if err != nil {
		return fmt.Errorf("cannot listen for other gateways: %w", err)
	}
	return nil
}

// ask is what a gateway says that has lost: who it is, and for how long, in
// nanoseconds, it has been waiting. Clocks of machines differ.
func (t *fairness) ask(now time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.own + " " + strconv.FormatInt(int64(now.Sub(t.since)), 10)
}

// note takes what another gateway has asked for. Nonsense is passed over.
func (t *fairness) note(text string, now time.Time) {
	instance, waited, _ := strings.Cut(text, " ")
	n, err := strconv.ParseInt(waited, 10, 64)
	if err != nil || n < 0 || instance == t.own || len(instance) > 64 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.asked[instance]; !known && len(t.asked) >= maxTurns {
		return
	}
	t.asked[instance] = turn{now.Add(-time.Duration(n)), now.Add(turnPatience)}
}

// seen notes whose event has come.
func (t *fairness) seen(id string) {
	instance, _, _ := strings.Cut(id, ".")
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.asked[instance]; !ok {
		return
	}
	delete(t.asked, instance)
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

// begin notes that a batch is to be appended, unless that has been tried before.
func (t *fairness) begin(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since.IsZero() {
		t.since = now
	}
}

// end notes that nothing is to be appended any more.
func (t *fairness) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.since = time.Time{}
}

// first returns a channel that is closed when a gateway that has waited longer has had its
// turn, and until when to wait for it. The channel is nil if there is no such gateway.
func (t *fairness) first(now time.Time) (<-chan struct{}, time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var until time.Time
	for instance, other := range t.asked {
		switch {
		case !now.Before(other.expires):
			delete(t.asked, instance)
		case other.since.Before(t.since) && other.expires.After(until):
			until = other.expires
		}
	}
	if until.IsZero() {
		return nil, until
	}
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return t.changed, until
}

// AwaitTurn lets those gateways go first that have waited longer to append
// something. It is called before a batch is judged, and takes a few milliseconds
// where several gateways write, else no time.
func (b *Bus) AwaitTurn(ctx context.Context) {
	b.fairness.begin(time.Now())
	limit := time.Now().Add(2 * turnPatience) // a gateway that keeps asking does not delay this one for ever
	for time.Now().Before(limit) {
		changed, until := b.fairness.first(time.Now())
		if changed == nil {
			return
		}
		timer := time.NewTimer(time.Until(until))
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// took notes the end of an Append. Whoever has lost asks for his turn.
func (a *appender) took(lost bool) {
	if !lost {
		a.fairness.end()
		return
	}
	// Without it the next try may lose again.
	_ = a.nc.Publish(a.cfg.Prefix+turnPart, []byte(a.fairness.ask(time.Now())))
}
