package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// bootstrapPatience is how long a gateway waits for all members before it creates the stream.
	// After that a majority is enough.
	bootstrapPatience = 30 * time.Second
	// bootstrapPause is the pause before it checks again whether it may create the stream.
	bootstrapPause = 200 * time.Millisecond
	// helloPatience is how long the members may take to say whether they bring a
	// stream along.
	helloPatience = 500 * time.Millisecond
)

// hello is what a member says of itself before a stream is created.
type hello struct {
	Node     string `json:"node"`
	Migrates bool   `json:"brings"` // the stream of the gateway that it was alone
}

// openMember lets the other members ask whether this one brings a stream along.
func (u *setup) openMember() (err error) {
	standalone, err := u.embedded.Standalone()
	if err != nil {
		return err
	}
	if standalone != nil {
		u.migration = &migration{Standalone: standalone}
	}
	u.opened = time.Now()
	text, err := json.Marshal(hello{Node: u.embedded.Name(), Migrates: u.migration != nil})
	if err != nil {
		return err
	}
	_, err = u.nc.Subscribe(u.cfg.Prefix+membersPart, func(m *nats.Msg) {
		_ = m.Respond(text) // after an error the other member asks again
	})
	if err != nil {
		return fmt.Errorf("cannot listen for the other members: %w", err)
	}
	return nil
}

// membersPart is the rest of the subject on which members say hello.
const membersPart = ".members"

// routed tells whether a majority of the members is connected, this one included.
func (s *stream) routed() bool {
	return !s.cfg.Server.Cluster.On() || 2*s.embedded.MembersConnected() > s.cfg.Server.Cluster.Size
}

// bootstrap creates the stream, or brings the one along that this gateway had
// when it was alone.
func (u *setup) bootstrap(ctx context.Context) (*jetstream.StreamInfo, error) {
	if u.cfg.Server.Cluster.On() {
		if err := u.mayBootstrap(ctx); err != nil {
			return nil, err
		}
		if u.migration != nil {
			return u.migrate(ctx)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, u.cfg.ConnectTimeout)
	defer cancel()
	var want jetstream.StreamConfig
	u.cfg.applyTo(&want)
	want.FirstSeq = u.firstSequence()
	want.Description = "Sluice: the state of metrics groups"
	for want.Replicas = u.wantedCopies(); ; want.Replicas-- {
		s, err := u.js.CreateStream(ctx, want)
		if u.embedded != nil && (err == nil || want.Replicas <= 1) {
			err = u.embedded.ConfirmStream(err == nil && s.CachedInfo().State.Msgs == 0, err)
		}
		if err == nil {
			return s.CachedInfo(), nil
		}
		if want.Replicas == 1 || u.cfg.Replicas > 0 || !tooMany(err) {
			return nil, fmt.Errorf("cannot create stream %s: %w", want.Name, streamError(err))
		}
	}
}

// mayBootstrap returns the reason why the stream must not be created yet: a member that is not
// there, or has not said so, may bring one along.
func (u *setup) mayBootstrap(ctx context.Context) error {
	size := u.cfg.Server.Cluster.Size
	members, err := u.askMembers(ctx, size)
	if err != nil {
		return err
	}
	var holders []string
	for _, m := range members {
		if m.Migrates {
			holders = append(holders, m.Node)
		}
	}
	slices.Sort(holders)
	own := u.embedded.Name()
	switch {
	case len(holders) > 1 && u.migration != nil:
		return &foreignError{fmt.Sprintf("members %s each have a stream of the time when they were alone, and only one can be brought along: move the data directories of the others away", strings.Join(holders, " and "))}
	case len(holders) > 0 && u.migration == nil:
		return fmt.Errorf("waiting for member %s, which brings its stream along", holders[0])
	case len(members) < size && time.Since(u.opened) < bootstrapPatience:
		return fmt.Errorf("waiting for the other members: %d of %d are here", len(members), size)
	case 2*len(members) <= size:
		return fmt.Errorf("waiting for a majority of the members: %d of %d are here", len(members), size)
	case u.migration == nil && len(members) == size && slices.MinFunc(members, compareNodes).Node != own && time.Since(u.opened) < bootstrapPatience:
		return errors.New("waiting for the first member to create the stream")
	}
	return nil
}

func compareNodes(a, b hello) int { return strings.Compare(a.Node, b.Node) }

// askMembers returns the members that answer, this one included.
func (u *setup) askMembers(ctx context.Context, size int) ([]hello, error) {
	ctx, cancel := context.WithTimeout(ctx, helloPatience)
	defer cancel()
	inbox := u.nc.NewInbox()
	sub, err := u.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the other members: %w", err)
	}
	defer sub.Unsubscribe()
	if err := u.nc.PublishRequest(u.cfg.Prefix+membersPart, inbox, nil); err != nil {
		return nil, fmt.Errorf("cannot ask the other members: %w", err)
	}
	var members []hello
	for len(members) < size {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			break // those that do not answer are not there
		}
		var h hello
		if json.Unmarshal(m.Data, &h) == nil && !slices.ContainsFunc(members, func(o hello) bool { return o.Node == h.Node }) {
			members = append(members, h)
		}
	}
	return members, nil
}

// foreignError says that this gateway's data and the cluster's do not go together.
type foreignError struct{ text string }

// Error says what to do.
func (e *foreignError) Error() string { return e.text }

// fatal tells whether waiting cannot help.
func fatal(err error) bool {
	var foreign *foreignError
	return errors.As(err, &foreign)
}

// explain adds to the reason why the stream cannot be used how many members are
// connected, and what keeps the others away.
func (s *stream) explain(err error) error {
	if !s.cfg.Server.Cluster.On() || fatal(err) {
		return err
	}
	trouble := s.embedded.RouteTrouble()
	connected, size := s.embedded.MembersConnected(), s.cfg.Server.Cluster.Size
	switch {
	case connected >= size:
		return err
	case trouble != "":
		return fmt.Errorf("%d of %d members are connected: %s: %w", connected, size, trouble, err)
	default:
		return fmt.Errorf("%d of %d members are connected, and the first start needs all: %w", connected, size, err)
	}
}
