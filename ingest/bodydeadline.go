package ingest

import (
	"io"
	"net/http"
	"time"
)

// minRate is the average rate in bytes a second that a body must keep once its
// first timeout is over. The slowest lines in use, GPRS and satellite, are
// several times as fast.
const minRate = 512

// BodyDeadline returns a handler that gives each request body time in proportion
// to its size: the timeout, and one second more for each 512 bytes received. A
// slow but steady line is not cut off. A body that never ends is: its reader gets
// os.ErrDeadlineExceeded. The deadline also holds for the rest of a body, which
// the server reads if the handler has not. 0 is no limit.
//
// http.Server.ReadTimeout does not do this: it is one time for bodies of all
// sizes, and it ends the context of a handler that takes longer to answer.
func BodyDeadline(next http.Handler, timeout time.Duration) http.Handler {
	if timeout <= 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			body := &deadlineBody{ReadCloser: r.Body, controller: http.NewResponseController(w), start: time.Now(), timeout: timeout}
			body.set(body.start.Add(timeout))
			// The body is replaced in a copy: the server looks at the body of its own
			// request to see whether a client that expects 100 Continue still has it.
			bounded := *r
			bounded.Body = body
			r = &bounded
		}
		next.ServeHTTP(w, r)
	})
}

// deadlineBody moves the read deadline of its connection as it is read.
type deadlineBody struct {
	io.ReadCloser
	controller *http.ResponseController
	start      time.Time
	timeout    time.Duration
	read       int64     // bytes so far
	deadline   time.Time // as set, zero for none
}

func (b *deadlineBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	switch {
	case err == io.EOF:
		// The deadline is over with the body. Until the next request the server
		// reads to notice that the client hangs up, which has no deadline.
		b.set(time.Time{})
	case b.read >= minRate && !b.deadline.IsZero():
		earned := b.start.Add(b.timeout + time.Duration(b.read/minRate)*time.Second)
		if earned.Sub(b.deadline) >= time.Second {
			b.set(earned)
		}
	}
	return n, err
}

// set sets the deadline. Where deadlines are not supported, as in tests without a
// connection, there is no limit.
func (b *deadlineBody) set(deadline time.Time) {
	b.deadline = deadline
	if err := b.controller.SetReadDeadline(deadline); err != nil {
		b.deadline = time.Time{}
	}
}
