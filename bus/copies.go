package bus

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// Error codes of the server for more copies than there can be.
const (
	codeReplicasAlone jetstream.ErrorCode = 10074 // the server is in no cluster
	codeNoPeers       jetstream.ErrorCode = 10005 // too few of them are there
)

// copies returns how many copies of the stream a cluster of a size is to have.
// One less than an odd number protects against nothing more.
func copies(size int) int {
	switch {
	case size <= 3:
		return max(size, 1)
	case size == 4:
		return 3
	default:
		return 5
	}
}

// wantedCopies returns how many copies the stream is to have.
func (u *setup) wantedCopies() int {
	switch {
	case u.cfg.Replicas > 0:
		return u.cfg.Replicas
	case u.cfg.Server.Cluster.On():
		return copies(u.cfg.Server.Cluster.Size)
	case u.embedded != nil:
		return 1
	}
	// The servers that are known need not be all that there are. More copies than
	// servers are refused, and then fewer are asked for.
	return copies(max(len(u.nc.Servers()), 3))
}

// tooMany tells whether there can be no such number of copies, now or ever.
func tooMany(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == codeReplicasAlone || api.ErrorCode == codeNoPeers)
}

// moreCopies gives the stream the copies that it is to have, if there are
// members for them now. It takes none away: fewer members than there were may
// be missing for the moment only.
func (u *setup) moreCopies(ctx context.Context, info *jetstream.StreamInfo) *jetstream.StreamInfo {
	if u.cfg.Replicas > 0 {
		return info // has them, or the stream could not be set up
	}
	for want := u.wantedCopies(); want > info.Config.Replicas; want-- {
		cfg := info.Config
		cfg.Replicas = want
		s, err := u.js.UpdateStream(ctx, cfg)
		if err == nil {
			u.logger.Info("the stream gets more copies", "stream", cfg.Name, "copies", want, "before", info.Config.Replicas)
			return s.CachedInfo()
		}
		if !tooMany(err) {
			u.limited.Warn("cannot give the stream more copies", "stream", cfg.Name, "copies", want, "err", streamError(err))
			break
		}
	}
	return info
}

// keepCopies does so while the stream is used: members join later.
func (u *setup) keepCopies(ctx context.Context, info *jetstream.StreamInfo) {
	if !u.cfg.Server.Cluster.On() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, u.cfg.ConnectTimeout)
	defer cancel()
	u.moreCopies(ctx, info)
}

// currentCopies returns how many copies of the stream have all of it, by the word
// of its leader.
func currentCopies(info *jetstream.StreamInfo) int {
	if info.Cluster == nil {
		return 1
	}
	n := 0
	if info.Cluster.Leader != "" {
		n++
	}
	for _, p := range info.Cluster.Replicas {
		if p.Current && !p.Offline {
			n++
		}
	}
	return n
}
