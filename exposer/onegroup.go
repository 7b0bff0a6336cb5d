package exposer

import (
	"fmt"
	"net/http"
	"time"

	"sluice/store"
)

// Group returns the handler that serves one group alone, as a separate target. It
// answers 404 if there is no such group, and 410 if it has expired and is not yet
// forgotten. So the metric up of that target tells whether its host still pushes.
// keyOf reads the grouping key from a request; its error is answered by 400.
func (s *Scraper) Group(keyOf func(*http.Request) (store.Key, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, err := keyOf(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if !s.ready() {
			s.refuse(w)
			return
		}
		g := s.store.Group(key)
		switch {
		case g == nil:
			http.Error(w, fmt.Sprintf("there is no group %s", key), http.StatusNotFound)
		case g.Dead():
			http.Error(w, fmt.Sprintf("group %s has expired at %s, and is forgotten at %s",
				key, timeText(g.Expires()), timeText(g.Forget())), http.StatusGone)
		default:
			s.send(w, r, merge(nil, g.View()))
		}
	}
}

// timeText writes a time for people.
func timeText(nanos int64) string { return time.Unix(0, nanos).UTC().Format(time.RFC3339) }
