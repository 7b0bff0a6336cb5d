package decode

import (
	"fmt"

	"sluice/ingest/quote"
)

// SyntaxError says that a body cannot be read. Nothing is known of what it
// should have changed, so the push leaves no trace.
type SyntaxError struct {
	// Line of a text body at which reading ended, from 1, or 0 if there is none.
	Line int
	// Message is the whole text, with the line. Its first line is expfmt's for a
	// text body; package explain says more.
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

	// Metric is the name of the family, and Labels are the labels of the series
	// that is there twice, in canonical form; empty where they are not known.
	Metric, Labels string
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
	return &RefusedError{Message: quote.Message(fmt.Sprintf(format, args...)), Reason: InvalidSeries}
}
