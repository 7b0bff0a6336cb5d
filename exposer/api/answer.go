package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Answer is what a client reads: every answer of the API but those of
// /api/v1/targets and /api/v1/events has this form. If Status is not "success",
// Error says why, and Kind is a word for it.
type Answer struct {
	Status string          `json:"status"`
	Data   json.RawMessage `json:"data"`
	Kind   string          `json:"errorType"`
	Error  string          `json:"error"`
}

// success and failure are the forms in which answers are written.
type success struct {
	Status string `json:"status"`
	Data   any    `json:"data"`
}

type failure struct {
	Data   any    `json:"data,omitempty"`
	Error  string `json:"error"`
	Kind   string `json:"errorType"`
	Status string `json:"status"`
}

// The kinds of errors, as in the field errorType.
const (
	kindBadData     = "bad_data"    // a parameter cannot be used
	kindNotFound    = "not_found"   // there is no such group
	kindTimeout     = "timeout"     // the answer would take too long
	kindUnavailable = "unavailable" // the answer is not known now
	kindInternal    = "internal"
)

// Error is why a question has no answer.
type Error struct {
	// Status is the HTTP status. With 503 the client may try again soon.
	Status int
	// Kind is a word for programs: bad_data, not_found, timeout, unavailable or
	// internal.
	Kind string
	// Message is for people.
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// badParameter is the error of a parameter that cannot be used.
func badParameter(name, problem string) *Error {
	return &Error{http.StatusBadRequest, kindBadData, fmt.Sprintf("parameter %s: %s", name, problem)}
}

// notNow is the error of what can be asked again later.
func notNow(kind, reason string) *Error {
	return &Error{http.StatusServiceUnavailable, kind, reason}
}

// send answers with data.
func (a *API) send(w http.ResponseWriter, data any) {
	a.write(w, http.StatusOK, success{"success", data})
}

// answer sends what a method of the API returns: data, or why there is none.
func (a *API) answer(w http.ResponseWriter, data any, err error) {
	if err != nil {
		a.fail(w, err)
		return
	}
	a.send(w, data)
}

// fail answers with an error.
func (a *API) fail(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{http.StatusInternalServerError, kindInternal, err.Error()}
	}
	if e.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	a.write(w, e.Status, failure{Status: "error", Error: e.Message, Kind: e.Kind})
}

// write sends an answer. A client that has gone gets nothing.
func (a *API) write(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		a.logger.Debug("cannot send an answer of the API", "err", err)
	}
}
