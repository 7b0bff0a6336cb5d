package ingest

import (
	"errors"
	"net"
	"net/http"
	"strconv"

	"github.com/prometheus/common/route"

	"sluice/store"
)

// viaHTTP is the word for this way in metrics and origins.
const viaHTTP = "http"

// Push returns the handler for PUT (replace) and POST. It wants the route
// parameters job and labels. The answers are those of Pushgateway: 200 without
// a body, or 202 where consistency is not checked.
func (f *Front) Push(op store.Op, jobBase64 bool) http.HandlerFunc {
	accepted := http.StatusOK
	if f.options.Unchecked {
		accepted = http.StatusAccepted
	}
	return func(w http.ResponseWriter, r *http.Request) {
		key, err := f.keys.path(route.Param(r.Context(), "job"), jobBase64, route.Param(r.Context(), "labels"))
		if err != nil {
			f.reply(w, op, 0, err)
			return
		}
		if err := f.ledger.ready(op); err != nil {
			f.reply(w, op, 0, err) // before a body is read for nothing
			return
		}
		c, err := f.pushed(op, key, r.Body, r.Header.Get("Content-Encoding"), r.Header.Get("Content-Type"), originHTTP(r))
		if err != nil {
			f.reply(w, op, 0, err)
			return
		}
		f.reply(w, op, accepted, f.ledger.Submit(r.Context(), c))
	}
}

// Delete returns the handler for DELETE: 202, as in Pushgateway, though here
// the group is gone by then.
func (f *Front) Delete(jobBase64 bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, err := f.keys.path(route.Param(r.Context(), "job"), jobBase64, route.Param(r.Context(), "labels"))
		if err != nil {
			f.reply(w, store.OpDelete, 0, err)
			return
		}
		c := Change{Op: store.OpDelete, Key: key, Time: f.now(), Origin: originHTTP(r)}
		f.reply(w, store.OpDelete, http.StatusAccepted, f.ledger.Submit(r.Context(), c))
	}
}

// Wipe returns the handler that deletes all groups in one step: 202.
func (f *Front) Wipe() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := Change{Op: store.OpWipe, Time: f.now(), Origin: originHTTP(r)}
		f.reply(w, store.OpWipe, http.StatusAccepted, f.ledger.Submit(r.Context(), c))
	}
}

// reply counts and writes a verdict.
func (f *Front) reply(w http.ResponseWriter, op store.Op, accepted int, err error) {
	f.metrics.count(op.String(), viaHTTP, err)
	if err == nil {
		w.WriteHeader(accepted)
		return
	}
	status := http.StatusInternalServerError
	var own *Error
	if errors.As(err, &own) {
		status = own.Status()
		if own.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(own.RetryAfter.Seconds())))
		}
	}
	http.Error(w, err.Error(), status)
}

// CheckEncoding returns a handler that refuses with 400 a request whose
// Content-Encoding its body does not have, as Pushgateway does for all of its
// paths but the API, whatever the method.
func (f *Front) CheckEncoding(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if encoding := r.Header.Get("Content-Encoding"); encoding != "" && r.Method != http.MethodPut && r.Method != http.MethodPost {
			_, release, err := f.bodies.decompress(r.Body, encoding)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			release()
		}
		next.ServeHTTP(w, r)
	})
}

func originHTTP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return viaHTTP + " " + host
}
