package api

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/bus"
)

// clusterTime bounds an answer. The stream and the gateways have 2 s each, at the
// same time.
const clusterTime = 3 * time.Second

// ClusterSource is where the API finds what it tells of the cluster.
type ClusterSource struct {
	// Name returns the name of the NATS cluster, "" for none. It must not block.
	Name func() string
	// Members counts the members of the cluster that the embedded server belongs to:
	// those that are connected, itself included, and all. Size is 0 without one. It
	// must not block; nil is no cluster.
	Members func() (connected, size int)
	// Stream asks the stream how it is doing, and Gateways asks all gateways. Both
	// take 2 s at most.
	Stream   func(context.Context) (*bus.StreamState, error)
	Gateways func(context.Context) ([]bus.Gateway, error)
}

// Cluster is the answer of /api/v1/cluster.
type Cluster struct {
	Name      string           `json:"name"`   // "" without a cluster
	Stream    *bus.StreamState `json:"stream"` // nil if it does not answer
	Error     string           `json:"error,omitempty"`
	Members   *Members         `json:"members,omitempty"` // nil without a cluster of embedded servers
	Gateways  []bus.Gateway    `json:"gateways"`
	Agreement Agreement        `json:"agreement"`
}

// Members are those of the cluster of embedded servers, as the gateway that was asked
// sees them.
type Members struct {
	Connected int `json:"connected"` // itself included
	Size      int `json:"size"`
}

// Agreement tells whether gateways show the same.
type Agreement struct {
	// Sequence is the last one at which all gateways have a settled digest, 0 if
	// there is none.
	Sequence uint64 `json:"sequence"`
	// Agree tells whether these digests are the same, nil if there are none.
	Agree *bool `json:"agree"`
	// Gateways is how many are compared: those that have replayed the stream.
	Gateways int `json:"gateways"`
}

// Cluster asks the stream and all gateways, and tells in the answer what could
// not be asked. It blocks for three seconds at most, whatever becomes of ctx.
// Calls at the same time share one question and its answer, which must not be
// changed.
func (a *API) Cluster(ctx context.Context) Cluster {
	// The answer is for others, too, who may have more patience.
	ctx = context.WithoutCancel(ctx)
	answer, _, _ := a.asking.Do("", func() (any, error) { return a.askCluster(ctx), nil })
	return answer.(Cluster)
}

func (a *API) serveCluster(w http.ResponseWriter, r *http.Request) {
	a.send(w, a.Cluster(r.Context()))
}

func (a *API) askCluster(ctx context.Context) Cluster {
	ctx, cancel := context.WithTimeout(ctx, clusterTime)
	defer cancel()
	answer := Cluster{Name: a.cfg.Cluster.Name()}
	if members := a.cfg.Cluster.Members; members != nil {
		if connected, size := members(); size > 0 {
			answer.Members = &Members{Connected: connected, Size: size}
		}
	}
	var asking errgroup.Group
	var streamErr, gatewaysErr error
	asking.Go(func() error { answer.Stream, streamErr = a.cfg.Cluster.Stream(ctx); return nil })
	asking.Go(func() error { answer.Gateways, gatewaysErr = a.cfg.Cluster.Gateways(ctx); return nil })
	_ = asking.Wait() // the functions return none
	switch {
	case streamErr != nil:
		answer.Error = streamErr.Error()
	case gatewaysErr != nil:
		answer.Error = gatewaysErr.Error()
	}
	answer.Agreement = agreementOf(answer.Gateways)
	for i := range answer.Gateways {
		answer.Gateways[i].Kept = nil // only needed to compare
	}
	return answer
}

// agreementOf compares the gateways that are ready.
func agreementOf(gateways []bus.Gateway) Agreement {
	var a Agreement
	sums := map[uint64]map[bus.Sum]int{} // by sequence: how many gateways have which
	for _, g := range gateways {
		if !g.Ready {
			continue
		}
		a.Gateways++
		points := map[uint64]bus.Sum{} // each sequence once, whatever a gateway says
		for _, k := range g.Kept {
			points[k.Sequence] = k.Digest
		}
		if g.Settled {
			points[g.Applied] = g.Digest
		}
		for sequence, sum := range points {
			if sums[sequence] == nil {
				sums[sequence] = map[bus.Sum]int{}
			}
			sums[sequence][sum]++
		}
	}
	for _, sequence := range slices.Backward(slices.Sorted(maps.Keys(sums))) {
		have := 0
		for _, n := range sums[sequence] {
			have += n
		}
		if have == a.Gateways {
			agree := len(sums[sequence]) == 1
			a.Sequence, a.Agree = sequence, &agree
			return a
		}
	}
	return a
}
