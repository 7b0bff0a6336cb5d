package api

import (
	"net/http"

	"sluice/bus"
)

// StreamSource is where the API finds what it tells of the stream. None of its
// functions may block.
type StreamSource struct {
	Status func() bus.Status
	Known  func() bus.Known
	// NotReady returns why the gateway is not ready, "" if it is.
	NotReady func() string
}

// Stream is the answer of /api/v1/stream: what the gateway knows of the stream
// without asking anybody.
type Stream struct {
	Ready     bool           `json:"ready"`     // scrapes are answered
	Connected bool           `json:"connected"` // the stream can be reached
	Waiting   string         `json:"waiting"`   // why the gateway is not ready
	Replaying *Replay        `json:"replaying"` // nil while there is no replay
	Sequence  uint64         `json:"sequence"`  // the last one of the stream
	Applied   uint64         `json:"applied"`   // the last one that the store has
	Lag       uint64         `json:"lag"`       // between both
	Bytes     uint64         `json:"bytes"`     // size of the stream
	Events    uint64         `json:"events"`    // events in the stream
	History   int            `json:"history"`   // events kept of a group (--bus.history)
	Conflicts uint64         `json:"conflicts"` // appends that lost against another gateway
	Damaged   uint64         `json:"damaged"`   // events that could not be read
	Holes     uint64         `json:"holes"`     // parts of the stream that could not be read
	Missing   uint64         `json:"missing"`   // events that replays did not bring
	Server    string         `json:"server"`    // embedded or external
	URL       string         `json:"url,omitempty"`
	Cluster   *StreamCluster `json:"cluster"` // nil without a cluster
}

// Replay is how far a replay is, in events.
type Replay struct {
	Done  uint64 `json:"done"`
	Total uint64 `json:"total"`
}

// StreamCluster is the NATS cluster that the stream is in.
type StreamCluster struct {
	Name string `json:"name"`
}

// Stream returns how the stream and its replay are doing. It does not block.
func (a *API) Stream() Stream {
	status, known := a.cfg.Stream.Status(), a.cfg.Stream.Known()
	s := Stream{
		Ready: a.cfg.Ready(), Connected: status.Connected, Waiting: a.cfg.Stream.NotReady(),
		Sequence: status.Last, Applied: status.Applied, Lag: status.Last - min(status.Applied, status.Last),
		Bytes: known.Bytes, Events: known.Events, History: known.History,
		Conflicts: status.Conflicts, Damaged: status.Damaged, Holes: status.Holes, Missing: status.Missing,
		Server: "embedded", URL: known.URL,
	}
	if status.Replaying {
		s.Replaying = &Replay{status.ReplayDone, status.ReplayTotal}
	}
	if known.External {
		s.Server = "external"
	}
	if name := a.cfg.Cluster.Name(); name != "" {
		s.Cluster = &StreamCluster{name}
	}
	return s
}

func (a *API) serveStream(w http.ResponseWriter, _ *http.Request) {
	a.send(w, a.Stream())
}
