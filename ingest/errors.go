package ingest

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"sluice/bus"
	"sluice/ingest/decode"
	"sluice/ingest/quote"
)

// Code says why a change was refused. It determines the HTTP status and the code
// in a NATS reply.
type Code int

// The codes.
const (
	CodeInvalid       Code = iota + 1 // the request cannot be read: path, encoding, syntax
	CodeInconsistent                  // it can be read but not accepted; recorded as the failure of the group
	CodeTooLarge                      // one push exceeds a limit
	CodeTimeout                       // the body did not arrive in time
	CodeTooManyGroups                 // the limit on groups is reached
	CodeBusy                          // too many pushes are waiting
	CodeNotReady                      // the replay or an import is not complete; nothing was taken
	CodeUnavailable                   // the stream cannot be reached; the outcome may be unknown
	CodeFull                          // the stream is full
	CodeInternal                      // a fault of the gateway
)

// httpStatus has the HTTP status of each code: that of Pushgateway where it knows
// the case.
var httpStatus = map[Code]int{
	CodeInvalid:       http.StatusBadRequest,
	CodeInconsistent:  http.StatusBadRequest,
	CodeTooLarge:      http.StatusRequestEntityTooLarge,
	CodeTimeout:       http.StatusRequestTimeout,
	CodeTooManyGroups: http.StatusTooManyRequests,
	CodeBusy:          http.StatusServiceUnavailable,
	CodeNotReady:      http.StatusServiceUnavailable,
	CodeUnavailable:   http.StatusServiceUnavailable,
	CodeFull:          http.StatusInsufficientStorage,
	CodeInternal:      http.StatusInternalServerError,
}

// The reasons of refusals, the label reason of sluice_changes_refused_total.
// Package decode has more: timestamp, duplicate_series,
// invalid_series, too_many_series, too_many_labels, label_too_long and
// text_too_large.
const (
	reasonSyntax       = "syntax"           // the body cannot be parsed
	reasonEncoding     = "bad_encoding"     // the body cannot be decompressed
	reasonIncomplete   = "incomplete"       // the body ended too early
	reasonKey          = "bad_key"          // the grouping key cannot be read
	reasonInconsistent = "inconsistent"     // with stored families, or with those of the gateway itself
	reasonTTL          = "bad_ttl"          // an invalid time to live
	reasonBody         = "body_too_large"   // --push.max-bytes
	reasonMemory       = "memory_too_large" // --push.max-waiting-bytes, for one push
	reasonEvent        = "event_too_large"
	reasonSlow         = "body_too_slow"   // --web.read-timeout
	reasonGroups       = "too_many_groups" // --push.max-groups
	reasonBusy         = "busy"            // --push.max-waiting, --push.max-waiting-bytes
	reasonNotReady     = "not_ready"
	reasonUnavailable  = "unavailable" // the stream
	reasonGone         = "client_gone"
	reasonFull         = "stream_full"
	reasonInternal     = "internal"
)

// reasons has the reason of each code if withReason gives no finer one.
var reasons = map[Code]string{
	CodeInvalid:       reasonSyntax,
	CodeInconsistent:  reasonInconsistent,
	CodeTooLarge:      reasonBody,
	CodeTimeout:       reasonSlow,
	CodeTooManyGroups: reasonGroups,
	CodeBusy:          reasonBusy,
	CodeNotReady:      reasonNotReady,
	CodeUnavailable:   reasonUnavailable,
	CodeFull:          reasonFull,
	CodeInternal:      reasonInternal,
}

// maxMessage bounds the text of a refusal in bytes: with a line feed it stays below
// 1 kB.
const maxMessage = 990

// Error is a refusal: its code for programs, its message for the client.
type Error struct {
	Code Code
	// Reason is the label value in the metric of refusals, finer than the code.
	Reason string
	// Message is what the client gets. Its first line says what is wrong, the lines
	// below say what to do. It is valid UTF-8, with no control characters except
	// line feeds.
	Message string
	// RetryAfter tells the client when to try again; 0 if that does not help.
	RetryAfter time.Duration
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Status returns the HTTP status.
func (e *Error) Status() int { return httpStatus[e.Code] }

// Retry returns when the client may try again: RetryAfter.
func (e *Error) Retry() time.Duration { return e.RetryAfter }

// isClients tells whether the client has caused the refusal, not the state of the
// gateway.
func (e *Error) isClients() bool {
	switch e.Code {
	case CodeInvalid, CodeInconsistent, CodeTooLarge, CodeTimeout, CodeTooManyGroups:
		return true
	}
	return false
}

// withReason gives a refusal a finer reason.
func (e *Error) withReason(reason string) *Error {
	e.Reason = reason
	return e
}

func refuse(code Code, format string, args ...any) *Error {
	e := &Error{Code: code, Reason: reasons[code], Message: printable(fmt.Sprintf(format, args...))}
	switch code {
	case CodeBusy, CodeNotReady, CodeUnavailable:
		e.RetryAfter = time.Second
	case CodeFull, CodeTooManyGroups:
		e.RetryAfter = time.Minute
	}
	return e
}

// refuseBody is the refusal of a body that cannot be decoded.
func refuseBody(err error) *Error {
	if refused, ok := errors.AsType[*Error](err); ok {
		return refused // it was not admitted
	}
	var limit *decode.LimitError
	if errors.As(err, &limit) {
		return refuse(CodeTooLarge, "%v", limit).withReason(limit.Reason)
	}
	return refuse(CodeInvalid, "%v", err)
}

// eventTooLarge is the refusal of a push whose group would be too large for one event.
func eventTooLarge(err *bus.TooLargeError) *Error {
	const text = "the group would have an event of %d bytes, and the stream takes %d bytes"
	if err.Setting == "" {
		return refuse(CodeTooLarge, text+"\nPush less to one group.", err.Size, err.Limit).withReason(reasonEvent)
	}
	return refuse(CodeTooLarge, text+" (%s)\nPush less to one group, or raise the limit.", err.Size, err.Limit, err.Setting).withReason(reasonEvent)
}

// printable makes a message safe to print, and bounds it. Our own texts quote what
// clients send; those of libraries may not.
func printable(message string) string {
	message = quote.PrintableLines(message)
	if len(message) <= maxMessage {
		return message
	}
	return quote.Clip(message, maxMessage-len("..."))
}
