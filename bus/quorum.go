package bus

import (
	"sync"
	"time"
)

const (
	// quorumPatience is how long it may be silent until it is reported as out of
	// reach. The election of a leader takes 9 s at most (nats-server,
	// server/raft.go), and pushes wait for it.
	quorumPatience = 10 * time.Second
	// routePatience is how long a member may be without a majority of the
	// members until it says so: there is nothing to wait for then, but a route may
	// be made anew.
	routePatience = 2 * time.Second
)

// quorum is whether the stream can be reached, which the link to a server does
// not tell where the stream has several of them.
type quorum struct {
	watched bool // else the link tells

	mu      sync.Mutex
	heard   time.Time // when the stream has answered last
	routed  time.Time // when a majority of the members was connected last
	waiting string    // what stands in the way of a replay
	broken  string    // why the embedded server writes no more
	seen    sighting
}

// sighting is what the stream had at a time.
type sighting struct {
	at   time.Time // zero if the store has reached it
	last uint64
}

func newQuorum(cfg Config) *quorum {
	now := time.Now()
	return &quorum{watched: cfg.URL != "" || cfg.Server.Cluster.On(), heard: now, routed: now}
}

// answered notes that the stream has answered, and its last sequence.
func (r *quorum) answered(last uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = time.Now()
	r.waiting = ""
	if r.seen.at.IsZero() {
		r.seen = sighting{r.heard, last}
	}
}

// current returns when the stream had, by its own word, no more than what has
// been applied; zero if that is not known anew.
func (r *quorum) current(applied uint64) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.seen.at
	if at.IsZero() || applied < r.seen.last {
		return time.Time{}
	}
	r.seen = sighting{}
	return at
}

// majority notes that a majority of the members is connected.
func (r *quorum) majority() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.routed = time.Now()
}

// wait notes why the stream cannot be used yet.
func (r *quorum) wait(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = err.Error()
}

// breaks notes why the embedded server writes no more; "" means that it does.
func (r *quorum) breaks(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = why
}

// isBroken tells whether breaks has said why.
func (r *quorum) isBroken() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken != ""
}

// state returns whether the stream can be reached, and what a replay waits for.
func (r *quorum) state() (ok bool, waiting string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != "" {
		return false, r.broken
	}
	ok = !r.watched || time.Since(r.heard) < quorumPatience && time.Since(r.routed) < routePatience
	return ok, r.waiting
}
