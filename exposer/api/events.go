package api

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	// liveTime is how long one request may read events, and livePace how often it
	// is written to, at most, with liveBatch events at most: more would not be
	// read by anybody, and cost the gateway's time.
	liveTime  = time.Hour
	livePace  = 100 * time.Millisecond
	liveBatch = 256
	// liveWrite is how long one write may take, and liveEnd how long what is still
	// to be written when the gateway stops.
	liveWrite = 10 * time.Second
	liveEnd   = time.Second
	// livePing is how often a comment is sent, in seconds.
	livePing = 15
)

// serveEvents sends the events of the groups that match[] and search choose as
// they happen, as server-sent events, and once a second how many there were of
// all groups.
func (a *API) serveEvents(w http.ResponseWriter, r *http.Request) {
	filter, ok := readFilter(w, r)
	if !ok {
		return
	}
	reader, err := a.live.join()
	if err != nil {
		notNow(w, "unavailable", err.Error())
		return
	}
	defer reader.leave()
	ctx, cancel := context.WithTimeout(r.Context(), liveTime)
	defer cancel()
	out := newLiveWriter(w, a.live.closed)
	defer out.end()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // of nginx, which would keep them back
	if err := out.write([]byte("retry: 2000\n\n")); err != nil {
		return
	}
	if err := reader.send(ctx, out, filter); err != nil {
		a.logger.Debug("a reader of events is gone", "client", r.RemoteAddr, "err", err)
	}
}

// send sends events until ctx ends, nobody may watch any more, or a write fails.
func (r *liveReader) send(ctx context.Context, out *liveWriter, filter groupFilter) error {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	pace := time.NewTimer(0)
	defer pace.Stop()
	var events []*liveEvent
	var text []byte
	var news <-chan struct{} // nil until the pace allows
	for ticks := 1; ; {
		text = text[:0]
		select {
		case <-ctx.Done():
			return nil
		case <-r.live.closed:
			return nil
		case <-pace.C:
			news = r.news()
			continue
		case <-news:
			news = nil
			pace.Reset(livePace)
			text, events = r.collect(ctx, text, events, filter)
		case <-second.C:
			text = appendEvent(text, "rate", 0, r.rate())
			if ticks++; ticks%livePing == 0 {
				text = append(text, ": ping\n\n"...)
			}
		}
		if len(text) == 0 {
			continue
		}
		if err := out.write(text); err != nil {
			return err
		}
	}
}

// collect appends the events that have come and fit, and before them how many
// there were too many. It returns the memory of the list, too. A filter may take
// its time with each event: what has ended is not looked for any longer.
func (r *liveReader) collect(ctx context.Context, text []byte, memory []*liveEvent, filter groupFilter) ([]byte, []*liveEvent) {
	events, lost := r.take(memory[:0])
	fit := events[:0]
	for _, ev := range events {
		if ctx.Err() != nil || r.live.ended() {
			break
		}
		if ev.key.IsZero() || filter.matches(ev.key) {
			fit = append(fit, ev)
		}
	}
	if n := len(fit) - liveBatch; n > 0 {
		lost += uint64(n)
		fit = fit[n:]
	}
	if lost > 0 {
		text = appendEvent(text, "lost", 0, map[string]uint64{"events": lost})
	}
	for _, ev := range fit {
		text = append(text, ev.text()...)
	}
	clear(events)
	return text, events
}

// liveWriter writes to one who watches. A write that takes too long fails, and one
// that is under way when the gateway stops has little time left.
type liveWriter struct {
	w          http.ResponseWriter
	controller *http.ResponseController
	closed     <-chan struct{}
	mu         sync.Mutex // of the deadline
	ended      chan struct{}
	cutting    sync.WaitGroup
}

func newLiveWriter(w http.ResponseWriter, closed <-chan struct{}) *liveWriter {
	out := &liveWriter{w: w, controller: http.NewResponseController(w), closed: closed, ended: make(chan struct{})}
	out.cutting.Go(func() {
		select {
		case <-closed:
			out.mu.Lock()
			defer out.mu.Unlock()
			_ = out.controller.SetWriteDeadline(time.Now().Add(liveEnd)) // see allow
		case <-out.ended:
		}
	})
	return out
}

// end waits for what might still set a deadline.
func (out *liveWriter) end() {
	close(out.ended)
	out.cutting.Wait()
}

func (out *liveWriter) write(text []byte) error {
	if !out.allow(time.Now().Add(liveWrite)) {
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

// allow sets the deadline of what is written, and returns false if it is all
// over. Where there is no deadline, as in tests without a connection, there is
// nothing to bound.
func (out *liveWriter) allow(deadline time.Time) bool {
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
