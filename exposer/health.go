package exposer

import (
	"fmt"
	"net/http"
)

// Healthy answers that the process is alive: always 200.
func Healthy(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, "OK")
}

// Ready answers 200 once the replay has caught up and the stream can be
// reached, else 503 with the reason.
// notReady returns the reason, "" for none.
func Ready(notReady func() string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if reason := notReady(); reason != "" {
			w.Header().Set("Retry-After", "1")
			http.Error(w, reason, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "OK")
	}
}
