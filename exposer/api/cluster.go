package api

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"sluice/bus"
)

// clusterTime bounds an answer. The stream and the gateways have 2 s each, at the
// same time.
const clusterTime = 3 * time.Second

// Cluster is where /api/v1/cluster finds what it tells.
type Cluster struct {
	// Name returns the name of the NATS cluster, "" for none.
	Name func() string
	// Stream asks the stream how it is doing, and Gateways all gateways. Both take
	// 2 s at most.
	Stream   func(context.Context) (*bus.StreamState, error)
	Gateways func(context.Context) ([]bus.Gateway, error)
}

// clusterAnswer is what /api/v1/cluster tells.
type clusterAnswer struct {
	Name      string           `json:"name"`
	Stream    *bus.StreamState `json:"stream"` // nil if it does not answer
	Error     string           `json:"error,omitempty"`
	Gateways  []bus.Gateway    `json:"gateways"`
	Agreement agreement        `json:"agreement"`
}

// agreement is whether gateways show the same.
type agreement struct {
	// Sequence is the last one at which all of them have a settled digest, 0 if
	// there is none.
	Sequence uint64 `json:"sequence"`
	// Agree tells whether these are the same, nil if there are none.
	Agree *bool `json:"agree"`
	// Gateways is how many are compared: those that have replayed the stream.
	Gateways int `json:"gateways"`
}

// serveCluster asks the stream and the other gateways, however many want to know
// at a time, once.
func (a *API) serveCluster(asked *singleflight.Group) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// The answer is for others, too, who may have more patience.
		ctx := context.WithoutCancel(r.Context())
		answer, _, _ := asked.Do("", func() (any, error) { return a.askCluster(ctx), nil })
		a.send(w, answer)
	}
}

func (a *API) askCluster(ctx context.Context) clusterAnswer {
	ctx, cancel := context.WithTimeout(ctx, clusterTime)
	defer cancel()
	answer := clusterAnswer{Name: a.cluster.Name()}
	var asking errgroup.Group
	var streamErr, gatewaysErr error
	asking.Go(func() error { answer.Stream, streamErr = a.cluster.Stream(ctx); return nil })
	asking.Go(func() error { answer.Gateways, gatewaysErr = a.cluster.Gateways(ctx); return nil })
	_ = asking.Wait() // what is missing is told in the answer
	switch {
	case streamErr != nil:
		answer.Error = streamErr.Error()
	case gatewaysErr != nil:
		answer.Error = gatewaysErr.Error()
	}
	answer.Agreement = agreementOf(answer.Gateways)
	for i := range answer.Gateways {
		answer.Gateways[i].Kept = nil
	}
	return answer
}

// agreementOf compares the gateways that are ready.
func agreementOf(gateways []bus.Gateway) agreement {
	var a agreement
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
