package ingest

import (
	"fmt"
	"net/http"
	"time"
)

// Code says why a change was not accepted. It decides the HTTP status and the
// code in a NATS reply.
type Code int

// The codes.
const (
	CodeInvalid      Code = iota + 1 // the request cannot be read: path, encoding, syntax
	CodeInconsistent                 // it can be read, but not accepted; recorded as the group's failure
	CodeTooLarge                     // a limit on one push is passed
	CodeBusy                         // too many pushes wait already
	CodeNotReady                     // the replay has not caught up yet, or an import goes on
	CodeUnavailable                  // the stream cannot be reached; the outcome may be unknown
	CodeFull                         // the stream takes no more
)

// httpStatus has the status of each code: those of Pushgateway where it has
// the case.
var httpStatus = map[Code]int{
	CodeInvalid:      http.StatusBadRequest,
	CodeInconsistent: http.StatusBadRequest,
	CodeTooLarge:     http.StatusRequestEntityTooLarge,
	CodeBusy:         http.StatusServiceUnavailable,
	CodeNotReady:     http.StatusServiceUnavailable,
	CodeUnavailable:  http.StatusServiceUnavailable,
	CodeFull:         http.StatusInsufficientStorage,
}

// reasons has the word for each code in the metric of refusals.
var reasons = map[Code]string{
	CodeInvalid:      "invalid",
	CodeInconsistent: "inconsistent",
	CodeTooLarge:     "too_large",
	CodeBusy:         "busy",
	CodeNotReady:     "not_ready",
	CodeUnavailable:  "unavailable",
	CodeFull:         "stream_full",
}

// Error is a refusal: its code for programs, its message for the client.
type Error struct {
	Code    Code
	Message string
	// RetryAfter tells the client when to try again; 0 where that is no help.
	RetryAfter time.Duration
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Status returns the HTTP status.
func (e *Error) Status() int { return httpStatus[e.Code] }

func refuse(code Code, format string, args ...any) *Error {
	e := &Error{Code: code, Message: fmt.Sprintf(format, args...)}
	switch code {
	case CodeBusy, CodeNotReady, CodeUnavailable:
		e.RetryAfter = time.Second
	case CodeFull:
		e.RetryAfter = time.Minute
	}
	return e
}
