package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// stateTime is how long StreamState waits for an answer.
const stateTime = 2 * time.Second

// StreamState is how the stream is doing, by its own word. It is shown as JSON.
type StreamState struct {
	Name string `json:"name"`
	// Replicas is how many copies it is to have.
	Replicas int `json:"replicas"`
	// Leader is the server whose copy takes what is appended, "" while there is
	// none.
	Leader string `json:"leader"`
	// Last is its last sequence.
	Last uint64 `json:"last_sequence"`
	// Copies are sorted by server.
	Copies []StreamCopy `json:"copies"`
}

// StreamCopy is one copy of the stream as its leader sees it.
type StreamCopy struct {
	// Server is the name of the server that has it.
	Server string `json:"server"`
	Leader bool   `json:"leader"`
	// Current tells whether the copy has all that the leader has, but for what is
	// under way.
	Current bool `json:"current"`
	// Offline tells whether the server is taken to be gone.
	Offline bool `json:"offline"`
	// Lag is how many entries of the leader's log the copy does not have yet.
	Lag uint64 `json:"lag"`
	// ActiveSeconds is how long ago the leader heard of the server, 0 for itself.
	ActiveSeconds float64 `json:"active_seconds"`
}

// StreamState asks the stream how it and its copies are doing. It waits for two
// seconds at most, or until ctx ends: while there is no leader, nobody answers.
func (b *Bus) StreamState(ctx context.Context) (*StreamState, error) {
	ctx, cancel := b.bounded(ctx, stateTime)
	defer cancel()
	for {
		if connected, _ := b.link.state(); !connected {
			return nil, fmt.Errorf("cannot ask for the state of the stream: %w", nats.ErrDisconnected)
		}
		info, err := b.streamInfo(ctx)
		if err == nil {
			return b.state(info), nil
		}
		if errors.Is(err, jetstream.ErrStreamNotFound) || !pause(ctx, askAgain) {
			return nil, fmt.Errorf("cannot ask for the state of the stream: %w", streamError(err))
		}
	}
}

// state says what information on the stream tells.
func (s *stream) state(info *jetstream.StreamInfo) *StreamState {
	found := &StreamState{Name: info.Config.Name, Replicas: info.Config.Replicas, Last: info.State.LastSeq, Copies: []StreamCopy{}}
	if info.Cluster == nil { // one server, which is in no cluster
		found.Leader = s.nc.ConnectedServerName()
	} else {
		found.Leader = info.Cluster.Leader
		for _, p := range info.Cluster.Replicas {
			found.Copies = append(found.Copies, StreamCopy{
				Server: p.Name, Current: p.Current, Offline: p.Offline, Lag: p.Lag, ActiveSeconds: max(p.Active, 0).Seconds(),
			})
		}
	}
	if found.Leader != "" {
		found.Copies = append(found.Copies, StreamCopy{Server: found.Leader, Leader: true, Current: true})
	}
	slices.SortFunc(found.Copies, func(a, b StreamCopy) int { return cmp.Compare(a.Server, b.Server) })
	return found
}

// Members counts the members of the cluster that the embedded server belongs to: those
// that are connected, itself included, and all. Size is 0 without such a cluster. It
// does not block.
func (b *Bus) Members() (connected, size int) {
	if !b.cfg.Server.Cluster.On() {
		return 0, 0
	}
	return b.embedded.MembersConnected(), b.cfg.Server.Cluster.Size
}

// ClusterName returns the name of the cluster that the embedded server belongs to,
// or the external one. It is "" if there is none, or if it is not known since the
// server is away.
func (b *Bus) ClusterName() string {
	switch {
	case b.cfg.Server.Cluster.On():
		return b.cfg.Server.Cluster.Name
	case b.embedded != nil:
		return ""
	}
	return b.nc.ConnectedClusterName()
}
