package gateway

import (
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// answerPiece is how many bytes of an answer the client must take within each
	// write timeout.
	answerPiece = 64 << 10
	// answerGrace is how long answers may still take when the gateway stops. It is
	// within stopTimeout.
	answerGrace = 10 * time.Second
	// headBuffer is what net/http holds back of an answer to count its length. Whoever
	// flushes earlier changes its headers.
	headBuffer = 2048
)

// answerDeadlines ends answers that clients do not read: scrapes, answers of the API
// and pages hold a view, and with it everything that has been replaced since. The
// deadline moves with each piece that was written. It is the twin of
// ingest.BodyDeadline; http.Server.WriteTimeout would be one time for answers of all
// sizes. It is safe for concurrent use.
type answerDeadlines struct {
	timeout time.Duration // for each piece; 0 is no limit
	grace   time.Duration // after stop

	mu      sync.Mutex
	end     time.Time            // of all answers, zero until stop
	answers map[*answer]struct{} // those that have begun
}

func newAnswerDeadlines(timeout time.Duration) *answerDeadlines {
	return &answerDeadlines{timeout: timeout, grace: answerGrace, answers: map[*answer]struct{}{}}
}

// wrap returns a handler whose answers have deadlines. A handler that sets write
// deadlines itself keeps those.
func (d *answerDeadlines) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &answer{ResponseWriter: w, deadlines: d}
		defer a.finish()
		next.ServeHTTP(a, r)
	})
}

// stop gives all answers the same, last deadline.
func (d *answerDeadlines) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end = time.Now().Add(d.grace)
	for a := range d.answers {
		if !a.own {
			a.set(d.end)
		}
	}
}

// answer is a response with a deadline.
type answer struct {
	http.ResponseWriter
	deadlines *answerDeadlines
	written   int
	own       bool // the handler sets deadlines itself; protected by deadlines.mu
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Write writes piece by piece.
func (a *answer) Write(text []byte) (n int, err error) {
	for {
		a.extend()
		m, err := a.ResponseWriter.Write(text[n:min(n+answerPiece, len(text))])
		n += m
		a.written += m
		if err != nil || n == len(text) {
			return n, err
		}
	}
}

// Flush sends what is buffered.
func (a *answer) Flush() { _ = a.FlushError() }

// FlushError is Flush for http.ResponseController.
func (a *answer) FlushError() error {
	a.extend()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// SetWriteDeadline is for http.ResponseController: the handler has its own deadlines.
func (a *answer) SetWriteDeadline(deadline time.Time) error {
	a.deadlines.mu.Lock()
	defer a.deadlines.mu.Unlock()
	a.own = true
	return a.set(deadline)
}

// set sets the deadline. Where deadlines are not supported, as in tests without a
// connection, there is none.
func (a *answer) set(deadline time.Time) error {
	return http.NewResponseController(a.ResponseWriter).SetWriteDeadline(deadline)
}

// extend moves the deadline before a write.
func (a *answer) extend() {
	d := a.deadlines
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[a] = struct{}{}
	switch {
	case a.own:
	case !d.end.IsZero():
		_ = a.set(d.end)
	case d.timeout > 0:
		_ = a.set(time.Now().Add(d.timeout))
	}
}

// finish sends the rest of a long answer while stop can still end it, and bounds what
// net/http sends afterwards.
func (a *answer) finish() {
	if a.written > headBuffer {
		_ = a.FlushError()
	}
	d := a.deadlines
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.answers, a)
	if a.written > 0 {
		_ = a.set(time.Now().Add(d.grace)) // until idle
	}
}

// idle takes the deadline of a connection away when its answer is complete: net/http
// may answer the next request, or ask for its body, before there is a handler. It is
// for http.Server.ConnState.
func (d *answerDeadlines) idle(conn net.Conn, state http.ConnState) {
	if state == http.StateIdle {
		_ = conn.SetWriteDeadline(time.Time{})
	}
}
