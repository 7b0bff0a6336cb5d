package bus

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// setup creates the stream or takes the one that exists, and gives it its settings.
type setup struct {
	*stream
	migration *migration // what is to be brought into the cluster; nil for nothing
	opened    time.Time  // when a member of a cluster has come up
}

// ensureStream creates the stream, or checks the one that exists and brings
// its settings up to date, and returns its state.
func (u *setup) ensureStream(ctx context.Context) (*jetstream.StreamInfo, error) {
	name := streamName(u.cfg.Prefix)
	unbound := ctx // creating a stream may take longer than looking one up
	ctx, cancel := context.WithTimeout(ctx, u.cfg.ConnectTimeout)
	defer cancel()
	ask, cancelAsk := context.WithTimeout(ctx, u.patience())
	defer cancelAsk()
	s, err := u.js.Stream(ask, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return u.bootstrap(unbound)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look for stream %s: %w", name, streamError(err))
	}
	info := s.CachedInfo()
	if leaderless(info) {
		return nil, fmt.Errorf("cannot use stream %s: %w", name, errNoLeader)
	}
	if err := u.migrating(ctx, info); err != nil {
		return nil, err
	}
	if err := u.checkMigrated(info); err != nil {
		return nil, err
	}
	if err := unusable(info.Config); err != nil {
		return nil, fmt.Errorf("cannot use stream %s: %w", name, err)
	}
	want := info.Config
	u.cfg.applyTo(&want)
	if reflect.DeepEqual(want, info.Config) {
		return u.moreCopies(ctx, info), nil
	}
	if s, err = u.js.UpdateStream(ctx, want); err != nil {
		return nil, fmt.Errorf("cannot change the settings of stream %s: %w", name, streamError(err))
	}
	u.logger.Info("changed the settings of the stream", "stream", name)
	return u.moreCopies(ctx, s.CachedInfo()), nil
}
