package api

import (
	"net/http"

	"sluice/bus"
)

// Stream is where /api/v1/stream finds what it tells. Nothing of it blocks.
type Stream struct {
	Status func() bus.Status
	Known  func() bus.Known
	// Waiting returns why the gateway is not ready, "" if it is.
	Waiting func() string
}

// apiStream is what the gateway knows of its stream.
type apiStream struct {
	Ready     bool          `json:"ready"`
	Connected bool          `json:"connected"`
	Waiting   string        `json:"waiting"`
	Replaying *apiReplay    `json:"replaying"` // nil while there is no replay
	Sequence  uint64        `json:"sequence"`
	Applied   uint64        `json:"applied"`
	Lag       uint64        `json:"lag"`
	Bytes     uint64        `json:"bytes"`
	Events    uint64        `json:"events"`
	History   int           `json:"history"`
	Conflicts uint64        `json:"conflicts"`
	Damaged   uint64        `json:"damaged"`
	Holes     uint64        `json:"holes"`
	Missing   uint64        `json:"missing"`
	Server    string        `json:"server"`
	URL       string        `json:"url,omitempty"`
	Cluster   *apiOfCluster `json:"cluster"` // nil for none
}

// apiReplay is how far a replay is, in events.
type apiReplay struct {
	Done  uint64 `json:"done"`
	Total uint64 `json:"total"`
}

type apiOfCluster struct {
	Name string `json:"name"`
}

// serveStream tells how the stream and its replay are doing, from memory.
func (a *API) serveStream(w http.ResponseWriter, _ *http.Request) {
	status, known := a.stream.Status(), a.stream.Known()
	answer := apiStream{
		Ready: a.ready(), Connected: status.Connected, Waiting: a.stream.Waiting(),
		Sequence: status.Last, Applied: status.Applied, Lag: status.Last - min(status.Applied, status.Last),
		Bytes: known.Bytes, Events: known.Events, History: known.History,
		Conflicts: status.Conflicts, Damaged: status.Damaged, Holes: status.Holes, Missing: status.Missing,
		Server: "embedded", URL: known.URL,
	}
	if status.Replaying {
		answer.Replaying = &apiReplay{status.ReplayDone, status.ReplayTotal}
	}
	if known.External {
		answer.Server = "external"
	}
	if name := a.cluster.Name(); name != "" {
		answer.Cluster = &apiOfCluster{name}
	}
	a.send(w, answer)
}
