package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/bus/embed"
)

const (
	// migrateTimeout bounds the copying of a stream into the cluster. A million of
	// groups takes less than a minute.
	migrateTimeout = 15 * time.Minute
	// migratingKey is the entry of the stream's metadata that stands there until all of
	// it has arrived and embed.MigratedKey takes its place: what a restore that was cut
	// off leaves behind may look like an empty stream.
	migratingKey = "sluice-bringing"
)

// migration is what a gateway had stored when it was alone.
type migration struct {
	*embed.Standalone
	blocked int // times that the name of the stream was in use, one after the other
}

// migrate copies the stream of the time when the gateway was alone into the
// cluster, sequences and all. Until that is complete there is no such stream
// there; if it is cut off it is begun again.
func (u *setup) migrate(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, cancel := u.bounded(ctx, migrateTimeout)
	defer cancel()
	name := streamName(u.cfg.Prefix)
	started := time.Now()
	copyDir, removeCopy, err := u.migration.CopyDir()
	if err != nil {
		return nil, fmt.Errorf("cannot make room for the copy of stream %s: %w", name, err)
	}
	defer removeCopy()
	have, err := u.copyStandalone(ctx, copyDir)
	if err != nil {
		return nil, fmt.Errorf("cannot copy stream %s of the single gateway: %w", name, err)
	}
	if have == nil {
		u.logger.Info("there is no stream to bring along", "folder", u.migration.Dir)
		if err := u.putAway(); err != nil {
			return nil, err
		}
		return u.bootstrap(ctx)
	}
	want := have.Config
	u.cfg.applyTo(&want)
	if want.Metadata = maps.Clone(want.Metadata); want.Metadata == nil {
		want.Metadata = map[string]string{}
	}
	want.Metadata[migratingKey] = u.migration.ID
	for want.Replicas = u.wantedCopies(); ; want.Replicas-- {
		if err = u.restore(ctx, copyDir, want); err == nil {
			break
		}
		u.unblock(ctx, name, inUse(err))
		if want.Replicas == 1 || u.cfg.Replicas > 0 || !tooMany(err) {
			return nil, fmt.Errorf("cannot bring stream %s along: %w", name, err)
		}
	}
	info, err := u.confirm(ctx, want, have.State)
	if err != nil {
		return nil, fmt.Errorf("cannot bring stream %s along: %w", name, err)
	}
	u.logger.Info("brought the stream of the single gateway along", "events", info.State.Msgs,
		"last", info.State.LastSeq, "seconds", math.Round(time.Since(started).Seconds()*1000)/1000)
	return info, u.checkMigrated(info)
}

// copyStandalone starts a server on the files of the single gateway and copies the
// stream into a directory. It returns what that is, nil if there is none.
func (u *setup) copyStandalone(ctx context.Context, dir string) (*jetstream.StreamInfo, error) {
	files, stopFiles, err := u.migration.Serve()
	if err != nil {
		return nil, err
	}
	defer stopFiles()
	nc, manager, stop, err := u.manage(ctx, nats.InProcessServer(files))
	if err != nil {
		return nil, err
	}
	defer stop()
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	have, err := js.Stream(ctx, streamName(u.cfg.Prefix))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	stream, err := manager.LoadStream(streamName(u.cfg.Prefix))
	if err == nil {
		_, err = stream.SnapshotToDirectory(ctx, dir)
	}
	return have.CachedInfo(), err
}

// restore makes a stream of a copy.
func (u *setup) restore(ctx context.Context, dir string, want jetstream.StreamConfig) error {
	text, err := json.Marshal(want)
	if err != nil {
		return err
	}
	var cfg api.StreamConfig
	if err := json.Unmarshal(text, &cfg); err != nil {
		return err
	}
	options := append([]nats.Option{nats.InProcessServer(u.embedded)}, u.embedded.Login()...)
	_, manager, stop, err := u.manage(ctx, options...)
	if err != nil {
		return err
	}
	defer stop()
	_, _, err = manager.RestoreSnapshotFromDirectory(ctx, want.Name, dir, jsm.RestoreConfiguration(cfg))
	return err
}

// manage opens a connection of its own: what waits for an answer there for too
// long ends with ctx.
func (u *setup) manage(ctx context.Context, options ...nats.Option) (*nats.Conn, *jsm.Manager, func(), error) {
	if u.cfg.Creds != "" {
		options = append(options, nats.UserCredentials(u.cfg.Creds))
	}
	if u.cfg.NKey != "" {
		opt, err := nats.NkeyOptionFromSeed(u.cfg.NKey)
		if err != nil {
			return nil, nil, nil, err
		}
		options = append(options, opt)
	}
	nc, err := nats.Connect(nats.DefaultURL, options...)
	if err != nil {
		return nil, nil, nil, err
	}
	ended := context.AfterFunc(ctx, nc.Close)
	manager, err := jsm.New(nc)
	if err != nil {
		nc.Close()
		return nil, nil, nil, err
	}
	return nc, manager, func() { ended(); nc.Close() }, nil
}
