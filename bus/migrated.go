package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/bus/embed"
)

// confirm marks a stream as brought along, if all of it is there.
func (u *setup) confirm(ctx context.Context, cfg jetstream.StreamConfig, want jetstream.StreamState) (*jetstream.StreamInfo, error) {
	s, err := u.js.Stream(ctx, cfg.Name)
	if err != nil {
		return nil, fmt.Errorf("cannot look for stream %s: %w", cfg.Name, streamError(err))
	}
	have := s.CachedInfo()
	// A shorter history than before may have fewer events, but not another last one.
	if have.Config.Metadata[migratingKey] != u.migration.ID || have.State.LastSeq != want.LastSeq || (have.State.Msgs == 0) != (want.Msgs == 0) {
		return nil, fmt.Errorf("it has arrived with %d events up to sequence %d, and had %d up to %d", have.State.Msgs, have.State.LastSeq, want.Msgs, want.LastSeq)
	}
	delete(cfg.Metadata, migratingKey)
	cfg.Metadata[embed.MigratedKey] = u.migration.ID
	if s, err = u.js.UpdateStream(ctx, cfg); err != nil {
		return nil, fmt.Errorf("cannot mark stream %s as complete: %w", cfg.Name, streamError(err))
	}
	return s.CachedInfo(), nil
}

// inUse tells whether a restore was refused since there is a stream of that name.
func inUse(err error) bool {
	return jsm.IsNatsError(err, codeNameInUse)
}

// codeNameInUse is how the server refuses to restore a stream that there is
// already (nats-server, server/errors.json).
const codeNameInUse = 10130

// maxBlocked is how often a restore may find the name of the stream in use by one
// that nobody can look at, until it is taken for what a restore that was cut off
// has left behind.
const maxBlocked = 5

// unblock removes what a restore that failed has left behind: a stream that is
// not complete, or one of which the server says that there is none, and refuses
// to make it. If the restore found the name in use, it may be one that another
// member founds right now, which shows before long.
func (u *setup) unblock(ctx context.Context, name string, taken bool) {
	ask, cancel := context.WithTimeout(ctx, u.patience())
	defer cancel()
	s, err := u.js.Stream(ask, name)
	switch {
	case err == nil && s.CachedInfo().Config.Metadata[migratingKey] == u.migration.ID:
	case errors.Is(err, jetstream.ErrStreamNotFound):
		if u.migration.blocked++; taken && u.migration.blocked < maxBlocked {
			return
		}
	default:
		u.migration.blocked = 0
		return
	}
	u.migration.blocked = 0
	if err := u.js.DeleteStream(ask, name); err == nil {
		u.logger.Warn("removed what was left of an attempt to bring the stream along", "stream", name)
	}
}

// migrating tells whether the stream is on its way and not complete. What an
// earlier process of this member has left behind is removed.
func (u *setup) migrating(ctx context.Context, info *jetstream.StreamInfo) error {
	id := info.Config.Metadata[migratingKey]
	switch {
	case id == "":
		return nil
	case u.migration == nil || u.migration.ID != id:
		return fmt.Errorf("waiting for the member that brings stream %s along: it is not complete", info.Config.Name)
	}
	u.unblock(ctx, info.Config.Name, false)
	return fmt.Errorf("stream %s was not brought along completely: beginning again", info.Config.Name)
}

// checkMigrated checks that a stream of the cluster is the one that this gateway has
// brought along, if it had one, and puts the files of that away then.
func (u *setup) checkMigrated(info *jetstream.StreamInfo) error {
	switch {
	case u.migration == nil:
		return nil
	case info.Config.Metadata[embed.MigratedKey] != u.migration.ID:
		return &foreignError{fmt.Sprintf("the cluster has a stream already, and %s has another one of the time when this gateway was alone: move the folder away to join without it, or start this gateway before the others have a stream", u.migration.Dir)}
	}
	return u.putAway()
}

// putAway takes the files of the single gateway out of the way. They are kept:
// an operator who needs the room deletes them.
func (u *setup) putAway() error {
	away, err := u.migration.MoveAside()
	if err != nil {
		return fmt.Errorf("cannot put the files of the single gateway away: %w", err)
	}
	u.logger.Info("the files of the single gateway are not used any more", "folder", away)
	u.migration = nil
	return nil
}
