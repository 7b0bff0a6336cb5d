package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"sluice/bus/event"
	"sluice/store"
)

const (
	// gatewaysPart follows the prefix in the subject on which every gateway says
	// how it is doing.
	gatewaysPart = ".gateways"
	// gatherQuiet is for how long no answer may come until there are taken to be no
	// more, and gatherTime how long they are waited for at most.
	gatherQuiet = 500 * time.Millisecond
	gatherTime  = 2 * time.Second
	// maxGateways and maxAnswer (bytes) bound what others may send. An answer has
	// about 4 KB.
	maxGateways = 64
	maxAnswer   = 64 << 10
	// maxQuestions and maxQuestionBytes bound the questions that wait for an answer.
	maxQuestions     = 64
	maxQuestionBytes = 64 << 10
)

// gateways tells other gateways how this one is doing, and asks them.
type gateways struct {
	*stream
	instance   string
	status     func() Status
	introduced atomic.Pointer[Introduction] // nil if this gateway does not answer
}

// Introduction is what a gateway says of itself that the bus does not know.
type Introduction struct {
	// Store is what it shows.
	Store *store.Store
	// Version of the program.
	Version string
	// Started is when the process was started.
	Started time.Time
	// Ready tells whether it answers scrapes.
	Ready func() bool
}

// Gateway is what one says when it is asked, as JSON.
type Gateway struct {
	// ID tells it from the others. It is a new one with each start.
	ID string `json:"id"`
	// Server is the name of its embedded server, "" with an external one.
	Server string `json:"server"`
	// Version is that of the program.
	Version string `json:"version"`
	// Self tells that it is the one that has asked.
	Self bool `json:"self"`
	// Ready tells whether it answers scrapes, and Connected whether it can reach
	// the stream.
	Ready     bool `json:"ready"`
	Connected bool `json:"connected"`
	// Applied is the sequence that it has applied, and Digest that of its state
	// there. If Settled, others that are settled there have the same.
	Applied uint64 `json:"applied_sequence"`
	Digest  Sum    `json:"digest"`
	Settled bool   `json:"settled"`
	// Restoring is what it has seen of a stream that was changed from outside and that
	// it restores, Restored what it had seen of the one that it restored last. They are
	// nil if there is none.
	Restoring *Seen `json:"restoring,omitempty"`
	Restored  *Seen `json:"restored,omitempty"`
	// Started is when the process was started.
	Started time.Time `json:"started"`
	// Kept are settled digests of earlier sequences.
	Kept []KeptDigest `json:"kept,omitempty"`
}

// Seen is how much a gateway has seen of a stream: the sequence that it has applied, and
// when the last message that was delivered to it had come into the stream, in nanoseconds
// since 1970.
type Seen struct {
	Sequence uint64 `json:"sequence"`
	Time     int64  `json:"time"`
}

// covers tells whether all that others have seen is known, too.
func (s Seen) covers(other Seen) bool { return s.Sequence >= other.Sequence && s.Time >= other.Time }

// KeptDigest is the digest of a settled state at a sequence of the stream.
type KeptDigest struct {
	Sequence uint64 `json:"sequence"`
	Digest   Sum    `json:"digest"`
}

// Sum is the digest of a state (store.Digest), in JSON 16 hexadecimal digits.
type Sum uint64

// String returns the digits.
func (s Sum) String() string { return fmt.Sprintf("%016x", uint64(s)) }

// MarshalText writes the digits.
func (s Sum) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads them.
func (s *Sum) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 64)
	if err != nil || len(text) != 16 {
		return fmt.Errorf("digest %.40q is not 16 hexadecimal digits", text)
	}
	*s = Sum(n)
	return nil
}

// Introduce lets this gateway answer when it or another one asks for all
// gateways, until Close. It is called once.
func (b *Bus) Introduce(i Introduction) error {
	b.gateways.introduced.Store(&i)
	sub, err := b.nc.Subscribe(b.cfg.Prefix+gatewaysPart, b.gateways.answer)
	if err == nil {
		err = sub.SetPendingLimits(maxQuestions, maxQuestionBytes)
	}
	if err != nil {
		return fmt.Errorf("cannot listen for other gateways: %w", err)
	}
	return nil
}

// answer answers a gateway that asks how this one is doing.
func (gs *gateways) answer(m *nats.Msg) {
	// Nobody gets us to publish where he may not do so himself.
	if m.Reply == "" || strings.HasPrefix(m.Reply, "$") || strings.HasPrefix(m.Reply, gs.cfg.Prefix+".") {
		return
	}
	text, err := json.Marshal(gs.self())
	if err == nil {
		err = gs.nc.Publish(m.Reply, text)
	}
	if err != nil {
		gs.limited.Warn("cannot answer another gateway", "err", err)
	}
}

// self says how this gateway is doing. It has been introduced.
func (gs *gateways) self() Gateway {
	i, status := gs.introduced.Load(), gs.status()
	present, kept := i.Store.Digests()
	g := Gateway{
		ID: gs.instance, Version: i.Version, Started: i.Started.UTC(), Ready: i.Ready(), Connected: status.Connected,
		Applied: present.Sequence, Digest: Sum(present.Sum), Settled: present.Settled,
		Kept: make([]KeptDigest, len(kept)),
	}
	g.Restored = gs.gate.last()
	if why, _, seen := gs.gate.state(); why != "" {
		g.Restoring = &seen
	}
	if gs.embedded != nil {
		g.Server = gs.embedded.Name()
	}
	for i, d := range kept {
		g.Kept[i] = KeptDigest{d.Sequence, Sum(d.Sum)}
	}
	return g
}

// Gateways asks all gateways on the stream how they are doing, and returns who
// has answered, sorted by server and id: at most 64. It waits until no answer
// comes for half a second, for two seconds at most, or until ctx ends. This gateway
// is among them if it has been introduced, whatever the connection does; the
// error says why no other one could be asked.
func (b *Bus) Gateways(ctx context.Context) ([]Gateway, error) {
	gateways := []Gateway{}
	if b.gateways.introduced.Load() != nil {
		self := b.gateways.self()
		self.Self = true
		gateways = append(gateways, self)
	}
	others, err := b.gateways.ask(ctx, maxGateways-len(gateways))
	gateways = append(gateways, others...)
	slices.SortFunc(gateways, func(a, b Gateway) int {
		return cmp.Or(cmp.Compare(a.Server, b.Server), cmp.Compare(a.ID, b.ID))
	})
	return gateways, err
}

// ask returns the answers of other gateways, at most so many.
func (gs *gateways) ask(ctx context.Context, most int) ([]Gateway, error) {
	ctx, cancel := gs.bounded(ctx, gatherTime)
	defer cancel()
	if connected, _ := gs.link.state(); !connected {
		return nil, fmt.Errorf("cannot ask the other gateways: %w", nats.ErrDisconnected)
	}
	answers := make(chan Gateway, most)
	inbox := gs.nc.NewInbox()
	sub, err := gs.nc.Subscribe(inbox, func(m *nats.Msg) {
		if g, ok := gs.parse(m); ok {
			select {
			case answers <- g:
			case <-ctx.Done():
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("cannot ask the other gateways: %w", err)
	}
	defer sub.Unsubscribe() // it fails if the connection is closed
	if err := sub.SetPendingLimits(maxGateways, maxGateways*maxAnswer); err != nil {
		return nil, fmt.Errorf("cannot ask the other gateways: %w", err)
	}
	if err := gs.nc.PublishRequest(gs.cfg.Prefix+gatewaysPart, inbox, nil); err != nil {
		return nil, fmt.Errorf("cannot ask the other gateways: %w", err)
	}
	return gather(ctx, answers, most), nil
}

// gather takes answers, one a gateway, until no more come.
func gather(ctx context.Context, answers <-chan Gateway, most int) (gateways []Gateway) {
	quiet := time.NewTimer(gatherQuiet)
	defer quiet.Stop()
	for len(gateways) < most {
		select {
		case g := <-answers:
			if !slices.ContainsFunc(gateways, func(have Gateway) bool { return have.ID == g.ID }) {
				gateways = append(gateways, g)
				quiet.Reset(gatherQuiet)
			}
		case <-quiet.C:
			return gateways
		case <-ctx.Done():
			return gateways
		}
	}
	return gateways
}

// parse reads an answer of another gateway, or of anybody who may publish:
// what is shown to people is cut and made printable.
func (gs *gateways) parse(m *nats.Msg) (g Gateway, ok bool) {
	if len(m.Data) == 0 || len(m.Data) > maxAnswer || json.Unmarshal(m.Data, &g) != nil {
		return g, false
	}
	g.ID, g.Server, g.Version, g.Self = event.HeaderText(g.ID), event.HeaderText(g.Server), event.HeaderText(g.Version), false
	return g, g.ID != "" && g.ID != gs.instance
}
