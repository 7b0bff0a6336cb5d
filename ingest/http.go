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

	"sluice/ingest/quote"
	"sluice/store"
)

// viaHTTP stands for HTTP in metrics and origins.
const viaHTTP = "http"

// remoteWriteHeader is in every request of Prometheus remote write, and in no
// other request.
const remoteWriteHeader = "X-Prometheus-Remote-Write-Version"

// Push returns the handler for PUT (replace) and POST. It reads the
// route parameters job and labels. The answers are those of Pushgateway: 200
// without a body, or 202 if consistency is not checked.
func (f *Front) Push(op store.Op, jobBase64 bool) http.HandlerFunc {
	accepted := http.StatusOK
	if f.options.Unchecked {
		accepted = http.StatusAccepted
	}
	return func(w http.ResponseWriter, r *http.Request) {
		defer f.metrics.observe(f.metrics.viaHTTP, time.Now())
		key, err := f.keys.path(route.Param(r.Context(), "job"), jobBase64, route.Param(r.Context(), "labels"))
		if err == nil {
			err = f.keys.checkLimits(key)
		}
		if err != nil {
			f.reply(w, r, op, store.Key{}, 0, err)
			return
		}
		if err := f.committer.ready(op); err != nil {
			f.reply(w, r, op, key, 0, err) // without reading the body
			return
		}
		hasTTL, ttl, err := ttlOf(r)
		if err != nil {
			f.reply(w, r, op, key, 0, err)
			return
		}
		c, err := f.readPush(op, key, source{
			hasTTL: hasTTL, ttl: ttl, body: r.Body, length: r.ContentLength, wait: maxAdmissionWait, encoding: r.Header.Get("Content-Encoding"), contentType: r.Header.Get("Content-Type"),
			remoteWrite: r.Header.Get(remoteWriteHeader) != "", origin: originHTTP(r),
		})
		if err != nil {
			f.reply(w, r, op, key, 0, err)
			return
		}
		f.reply(w, r, op, key, accepted, f.committer.Submit(r.Context(), c))
	}
}

// ttlOf reads the parameter ttl of a push. hasTTL tells whether there is one.
func ttlOf(r *http.Request) (hasTTL bool, ttl time.Duration, err error) {
	if r.URL.RawQuery == "" {
		return false, 0, nil // saves parsing it
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	given := query["ttl"]
	switch {
	case len(given) > 1:
		return false, 0, refuse(CodeInvalid, "the parameter ttl is given %d times", len(given)).withReason(reasonTTL)
	case len(given) == 1:
		ttl, err = ParseTTL(given[0])
		return true, ttl, err
	case err != nil && strings.Contains(r.URL.RawQuery, "ttl"):
		return false, 0, refuse(CodeInvalid, "the query of the URL cannot be read: %v", err).withReason(reasonTTL)
	}
	return false, 0, nil // Pushgateway has no parameters, and ignores any
}

// KeyOf returns a function that reads the grouping key of a request from the route
// parameters job and labels, as Push does. Its error is an *Error.
func (f *Front) KeyOf(jobBase64 bool) func(*http.Request) (store.Key, error) {
	return func(r *http.Request) (store.Key, error) {
		return f.keys.path(route.Param(r.Context(), "job"), jobBase64, route.Param(r.Context(), "labels"))
	}
}

// Delete returns the handler for DELETE. It answers 202, as Pushgateway does; here
// the group has been deleted by then.
func (f *Front) Delete(jobBase64 bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, err := f.keys.path(route.Param(r.Context(), "job"), jobBase64, route.Param(r.Context(), "labels"))
		if err == nil {
			err = f.checkDeletable(key)
		}
		if err != nil {
			f.reply(w, r, store.OpDelete, store.Key{}, 0, err)
			return
		}
		c := Change{Op: store.OpDelete, Key: key, Time: f.now(), Origin: originHTTP(r)}
		f.reply(w, r, store.OpDelete, key, http.StatusAccepted, f.committer.Submit(r.Context(), c))
	}
}

// Wipe returns the handler that deletes all groups in one step. It answers 202.
func (f *Front) Wipe() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := Change{Op: store.OpWipe, Time: f.now(), Origin: originHTTP(r)}
		f.reply(w, r, store.OpWipe, store.Key{}, http.StatusAccepted, f.committer.Submit(r.Context(), c))
	}
}

// reply records and writes a verdict.
func (f *Front) reply(w http.ResponseWriter, r *http.Request, op store.Op, key store.Key, accepted int, err error) {
	f.record(op, viaHTTP, key, err, func() string { return originHTTP(r) })
	if err == nil {
		w.WriteHeader(accepted)
		return
	}
	status := http.StatusInternalServerError
	var refused *Error
	if errors.As(err, &refused) {
		if f.options.Unchecked && refused.Code == CodeInconsistent {
			// Pushgateway does not let a client wait for this verdict. The group has it
			// as its failure time and its last refusal.
			w.WriteHeader(accepted)
			return
		}
		status = refused.Status()
		if refused.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(refused.RetryAfter.Seconds())))
		}
		if refused.Code == CodeTimeout {
			w.Header().Set("Connection", "close") // the rest of the body is not read
		}
	}
	http.Error(w, err.Error(), status)
}

// CheckEncoding returns a handler that answers 400 to a request whose body does
// not have the encoding of its Content-Encoding header. Pushgateway does so for
// every method, on all paths except those of its API.
func (f *Front) CheckEncoding(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if encoding := r.Header.Get("Content-Encoding"); encoding != "" && r.Method != http.MethodPut && r.Method != http.MethodPost {
			wire := &limitedReader{r: r.Body, left: f.bodies.limit, limit: f.bodies.limit}
			_, release, err := f.bodies.decompress(wire, encoding)
			if err != nil {
				http.Error(w, f.bodies.refusal(err, encoding, wire).Error(), http.StatusBadRequest)
				return
			}
			release()
		}
		next.ServeHTTP(w, r)
	})
}

func originHTTP(r *http.Request) string { return originOf(r.RemoteAddr, userOf(r.Context())) }

// originOf is the origin of what a client at an address has sent over HTTP, as a user or,
// with "", as nobody. A user whose name is not one plain word is quoted.
func originOf(address, user string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	origin := viaHTTP + " " + host
	switch quoted := quote.Excerpt(user); {
	case user == "":
		return origin
	case quoted == `"`+user+`"` && !strings.Contains(user, " "):
		return origin + " " + user
	default:
		return origin + " " + quoted
	}
}
