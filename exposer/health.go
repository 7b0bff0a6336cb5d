package exposer

import (
	"fmt"
	"net/http"
)

// Healthy answers that the process is alive: always 200.
func Healthy(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, "OK")
}

// Ready answers 200 if the gateway is ready for what the parameter "for" names, else
// 503 with the reason. "push", the default, needs the stream. "scrape" needs a replay
// that has caught up once. Any other value is 400. Both functions return the reason,
// "" for none.
func Ready(notForPush, notForScrape func() string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		notReady := notForPush
		for _, purpose := range r.URL.Query()["for"] {
			switch purpose {
			case "push":
			case "scrape":
				notReady = notForScrape
			default:
				http.Error(w, fmt.Sprintf("parameter for: %.40q is neither \"push\" nor \"scrape\"", purpose), http.StatusBadRequest)
				return
			}
		}
		if reason := notReady(); reason != "" {
			w.Header().Set("Retry-After", "1")
			http.Error(w, reason, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "OK")
	}
}
