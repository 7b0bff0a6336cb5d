package api

import (
	"net/http"
	"sync"
	"time"
)

// eventWriter writes to one client. A write that takes too long fails, and one that
// is under way when the gateway stops has endTime left.
type eventWriter struct {
	w          http.ResponseWriter
	controller *http.ResponseController
	closed     <-chan struct{}
	mu         sync.Mutex // of the deadline
	ended      chan struct{}
	cutting    sync.WaitGroup
}

func newEventWriter(w http.ResponseWriter, closed <-chan struct{}) *eventWriter {
	out := &eventWriter{w: w, controller: http.NewResponseController(w), closed: closed, ended: make(chan struct{})}
	out.cutting.Go(func() {
		select {
		case <-closed:
			out.mu.Lock()
			defer out.mu.Unlock()
			_ = out.controller.SetWriteDeadline(time.Now().Add(endTime)) // see allow
		case <-out.ended:
		}
	})
	return out
}

// end stops the goroutine that watches for the gateway's end, and waits for it.
func (out *eventWriter) end() {
	close(out.ended)
	out.cutting.Wait()
}

func (out *eventWriter) write(text []byte) error {
	if !out.allow(time.Now().Add(writeTime)) {
		return errClosed
	}
	if _, err := out.w.Write(text); err != nil {
		return err
	}
	if err := out.controller.Flush(); err != nil {
		return err
	}
	out.allow(time.Time{})
	return nil
}

// allow sets the deadline of the next write. It returns false if the gateway is
// stopping. A writer without a connection, as in tests, has no deadline and needs
// none.
func (out *eventWriter) allow(deadline time.Time) bool {
	out.mu.Lock()
	defer out.mu.Unlock()
	select {
	case <-out.closed:
		return false
	default:
	}
	_ = out.controller.SetWriteDeadline(deadline)
	return true
}
