package ingest

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/route"

	"sluice/store"
)

// viaHTTP is the word for this way in metrics and origins.
const viaHTTP = "http"

// remoteWriteHeader is in all requests of Prometheus remote write, and in no
// other.
const remoteWriteHeader = "X-Prometheus-Remote-Write-Version"

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
		if err == nil {
			err = f.keys.bounded(key)
		}
		if err != nil {
			f.reply(w, r, op, store.Key{}, 0, err)
			return
		}
		if err := f.committer.ready(op); err != nil {
			f.reply(w, r, op, key, 0, err) // before a body is read for nothing
			return
		}
		asked, ttl, err := ttlOf(r)
		if err != nil {
			f.reply(w, r, op, key, 0, err)
			return
		}
		c, err := f.pushed(op, key, source{
			asked: asked, ttl: ttl, body: r.Body, encoding: r.Header.Get("Content-Encoding"), contentType: r.Header.Get("Content-Type"),
			remoteWrite: r.Header.Get(remoteWriteHeader) != "", origin: originHTTP(r),
		})
		if err != nil {
			f.reply(w, r, op, key, 0, err)
			return
		}
		f.reply(w, r, op, key, accepted, f.committer.Submit(r.Context(), c))
	}
}

// ttlOf reads the parameter ttl of a push. asked tells whether there is one.
func ttlOf(r *http.Request) (asked bool, ttl time.Duration, err error) {
	if r.URL.RawQuery == "" {
		return false, 0, nil // without the price of parsing it
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	given := query["ttl"]
	switch {
	case len(given) > 1:
		return false, 0, refuse(CodeInvalid, "the parameter ttl is given %d times", len(given)).because(reasonTTL)
	case len(given) == 1:
		ttl, err = ParseTTL(given[0])
		return true, ttl, err
	case err != nil && strings.Contains(r.URL.RawQuery, "ttl"):
		return false, 0, refuse(CodeInvalid, "the query of the URL cannot be read: %v", err).because(reasonTTL)
	}
	return false, 0, nil // Pushgateway takes no parameters, and lets any pass
}

// KeyOf returns what reads the grouping key of a request from the route
// parameters job and labels, as Push does. Its error is an *Error.
func (f *Front) KeyOf(jobBase64 bool) func(*http.Request) (store.Key, error) {
	return func(r *http.Request) (store.Key, error) {
		return f.keys.path(route.Param(r.Context(), "job"), jobBase64, route.Param(r.Context(), "labels"))
	}
}

// Delete returns the handler for DELETE: 202, as in Pushgateway, though here
// the group is gone by then.
func (f *Front) Delete(jobBase64 bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, err := f.keys.path(route.Param(r.Context(), "job"), jobBase64, route.Param(r.Context(), "labels"))
		if err == nil {
			err = f.deletable(key)
		}
		if err != nil {
			f.reply(w, r, store.OpDelete, store.Key{}, 0, err)
			return
		}
		c := Change{Op: store.OpDelete, Key: key, Time: f.now(), Origin: originHTTP(r)}
		f.reply(w, r, store.OpDelete, key, http.StatusAccepted, f.committer.Submit(r.Context(), c))
	}
}

// Wipe returns the handler that deletes all groups in one step: 202.
func (f *Front) Wipe() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := Change{Op: store.OpWipe, Time: f.now(), Origin: originHTTP(r)}
		f.reply(w, r, store.OpWipe, store.Key{}, http.StatusAccepted, f.committer.Submit(r.Context(), c))
	}
}

// reply settles and writes a verdict.
func (f *Front) reply(w http.ResponseWriter, r *http.Request, op store.Op, key store.Key, accepted int, err error) {
	f.settle(op, viaHTTP, key, err, func() string { return originHTTP(r) })
	if err == nil {
		w.WriteHeader(accepted)
		return
	}
	status := http.StatusInternalServerError
	var own *Error
	if errors.As(err, &own) {
		if f.options.Unchecked && own.Code == CodeInconsistent {
			// As there: nobody waits for the verdict on what could be read. It is in
			// the group's failure time and its last refusal.
			w.WriteHeader(accepted)
			return
		}
		status = own.Status()
		if own.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(own.RetryAfter.Seconds())))
		}
		if own.Code == CodeTimeout {
			w.Header().Set("Connection", "close") // the rest of the body is never read
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
			wire := &limitedReader{r: r.Body, left: f.bodies.limit, limit: f.bodies.limit}
			_, release, err := f.bodies.decompress(wire, encoding)
			if err != nil {
				http.Error(w, f.bodies.explain(err, encoding, wire).Error(), http.StatusBadRequest)
				return
			}
			release()
		}
		next.ServeHTTP(w, r)
	})
}

func originHTTP(r *http.Request) string { return originOf(r.RemoteAddr) }

// originOf is the origin of what a client at an address has sent over HTTP.
func originOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	return viaHTTP + " " + host
}
