package decode

import (
	"fmt"
	"strings"
)

// maxMessage bounds an error's text in bytes. It may quote what was pushed, and
// it goes into an answer and perhaps into a log.
const maxMessage = 900

// SyntaxError says that a body cannot be read. Nothing is known of what it
// should have changed, so the push leaves no trace.
type SyntaxError struct {
	// Line of a text body at which reading ended, from 1, or 0 if there is none.
	Line int
	// Message is the whole text, with the line. Its first line is expfmt's for a
	// text body; Explain says more.
	Message string
}

// Error returns the message.
func (e *SyntaxError) Error() string { return e.Message }

// RefusedError says that a body can be read, but not be taken: the group notes
// the failure.
type RefusedError struct {
	// Message is the text.
	Message string
	// Reason is one of the constants below.
	Reason string

	name, labels string // of the series that is there twice, to find its lines
}

// The reasons of a RefusedError.
const (
	HasTimestamp    = "timestamp"
	DuplicateSeries = "duplicate_series"
	InvalidSeries   = "invalid_series"
)

// Error returns the message.
func (e *RefusedError) Error() string { return e.Message }

func refusef(format string, args ...any) *RefusedError {
	return &RefusedError{Message: shorten(fmt.Sprintf(format, args...)), Reason: InvalidSeries}
}

func shorten(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + "..."
}
