package ingest

import (
	"io"
	"net/http"
	"time"
)

// minRate is what a body must bring on average in bytes a second, once its first
// timeout is over. The slowest lines that people push over, GPRS and satellite,
// bring several times as much.
const minRate = 512

// Paced returns a handler that gives each request body time in proportion to
// what it has brought: the timeout, and a second more for each 512 bytes. So a
// slow but steady line is not cut, and a body that never ends is: its reader
// gets os.ErrDeadlineExceeded. That holds for the rest of a body, too, which the
// server reads when the handler has not. 0 is no limit.
//
// http.Server.ReadTimeout would not do: it is one time for bodies of all sizes,
// and it ends the context of a handler that takes longer to write its answer.
func Paced(next http.Handler, timeout time.Duration) http.Handler {
	if timeout <= 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			body := &pacedBody{ReadCloser: r.Body, controller: http.NewResponseController(w), start: time.Now(), timeout: timeout}
			body.set(body.start.Add(timeout))
			// In a copy: the server looks at the body of its own request to see
			// whether a client that expects 100 Continue still has it.
			paced := *r
			paced.Body = body
			r = &paced
		}
		next.ServeHTTP(w, r)
	})
}

// pacedBody moves the deadline of its connection as it is read.
type pacedBody struct {
	io.ReadCloser
	controller *http.ResponseController
	start      time.Time
	timeout    time.Duration
	read       int64     // bytes so far
	deadline   time.Time // as set, zero for none
}

func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	switch {
	case err == io.EOF:
		// What comes next on the connection is another matter, and until then the
		// server reads to see whether the client goes away.
		b.set(time.Time{})
	case b.read >= minRate && !b.deadline.IsZero():
		earned := b.start.Add(b.timeout + time.Duration(b.read/minRate)*time.Second)
		if earned.Sub(b.deadline) >= time.Second {
			b.set(earned)
		}
	}
	return n, err
}

// set sets the deadline. Where there is none, as in tests without a connection,
// there is nothing to bound.
func (b *pacedBody) set(deadline time.Time) {
	b.deadline = deadline
	if err := b.controller.SetReadDeadline(deadline); err != nil {
		b.deadline = time.Time{}
	}
}
