package api

import (
	"context"
	"net/http"
	"time"
)

const (
	// watchTime is how long one request may watch events. watchPace is how often
	// it is written to at most, with watchBatch events at most: nobody could read
	// more, and it would cost the gateway's time.
	watchTime  = time.Hour
	watchPace  = 100 * time.Millisecond
	watchBatch = 256
	// writeTime is how long one write may take. endTime is how long one may take
	// that is under way when the gateway stops.
	writeTime = 10 * time.Second
	endTime   = time.Second
	// pingTicks is after how many seconds a comment is sent, so that a connection
	// that is gone is noticed.
	pingTicks = 15
)

// serveEvents sends the events of the groups that match[] and search choose as
// they happen, as server-sent events (WHATWG HTML, section 9.2), and once a second
// how many there were of all groups.
func (a *API) serveEvents(w http.ResponseWriter, r *http.Request) {
	filter, err := readFilter(r.URL.Query())
	if err != nil {
		a.fail(w, err)
		return
	}
	watching, err := a.cfg.Events.watch()
	if err != nil {
		a.fail(w, notNow(kindUnavailable, err.Error()))
		return
	}
	defer watching.stop()
	ctx, cancel := context.WithTimeout(r.Context(), watchTime)
	defer cancel()
	out := newEventWriter(w, a.cfg.Events.closed)
	defer out.end()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // tells nginx not to collect events
	if err := out.write([]byte("retry: 2000\n\n")); err != nil {
		return
	}
	if err := watching.send(ctx, out, filter); err != nil {
		a.logger.Debug("cannot send events", "client", r.RemoteAddr, "err", err)
	}
}

// send sends events until ctx ends, the broadcaster is closed, or a write fails.
func (w *watcher) send(ctx context.Context, out *eventWriter, filter Filter) error {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	pace := time.NewTimer(0)
	defer pace.Stop()
	var events []*broadcast
	var text []byte
	var news <-chan struct{} // nil until the pace allows
	for ticks := 1; ; {
		text = text[:0]
		select {
		case <-ctx.Done():
			return nil
		case <-w.from.closed:
			return nil
		case <-pace.C:
			news = w.news()
			continue
		case <-news:
			news = nil
			pace.Reset(watchPace)
			text, events = w.collect(ctx, text, events, filter)
		case <-second.C:
			text = appendEvent(text, "rate", 0, w.rate())
			if ticks++; ticks%pingTicks == 0 {
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

// collect appends the events that have come and that the filter chooses, and before
// them how many the client has lost. It returns the memory of the list for the next
// call. A filter may take its time with each event, so the search ends when ctx
// ends or the broadcaster is closed.
func (w *watcher) collect(ctx context.Context, text []byte, memory []*broadcast, filter Filter) ([]byte, []*broadcast) {
	events, lost := w.take(memory[:0])
	fit := events[:0]
	for _, ev := range events {
		if ctx.Err() != nil || w.from.ended() {
			break
		}
		if ev.key.IsZero() || filter.matches(ev.key) {
			fit = append(fit, ev)
		}
	}
	if n := len(fit) - watchBatch; n > 0 {
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
