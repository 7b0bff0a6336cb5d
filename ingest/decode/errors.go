package decode

import (
	"fmt"
	"strings"
)

// maxMessage bounds an error's text in bytes. It may quote what was pushed, and
// it goes into an answer and perhaps into a log.
const maxMessage = 1000

// SyntaxError says that a body cannot be read. Nothing is known of what it
// should have changed, so the push leaves no trace.
type SyntaxError struct {
	// Line of a text body at which reading ended, from 1, or 0 if there is none.
	Line int
	// Message is the whole text, with the line. That of a text body is expfmt's.
	Message string
}

// Error returns the message.
func (e *SyntaxError) Error() string { return e.Message }

// RefusedError says that a body can be read, but not be taken: the group notes
// the failure.
type RefusedError struct {
	// Message is the reason.
	Message string
}

// Error returns the message.
func (e *RefusedError) Error() string { return e.Message }

func refusef(format string, args ...any) *RefusedError {
	return &RefusedError{Message: shorten(fmt.Sprintf(format, args...))}
}

func shorten(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + "..."
}
