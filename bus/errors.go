package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What Append fails with. They are matched with errors.Is.
var (
	// ErrConflict means that the stream had another last sequence than
	// expected: what Append did not report as landed will never land.
	ErrConflict = errors.New("the stream has changed meanwhile")
	// ErrStreamFull means that the stream takes no more bytes: what Append did
	// not report as landed will never land.
	ErrStreamFull = errors.New("no room left in the stream")
	// ErrTooLarge means that an event is larger than the stream takes, and that
	// nothing has landed. The error is a *TooLargeError.
	ErrTooLarge = errors.New("event too large")
	// ErrUnavailable means that the stream did not tell in time what became of
	// the events: what Append did not report as landed may still land.
	ErrUnavailable = errors.New("the stream does not answer")
)

// ErrClosed is returned by all methods that wait, once Close has been called.
var ErrClosed = errors.New("bus is closed")

// Unreachable tells whether Open has failed because no NATS server, or no JetStream,
// has answered. Both may come up later, while other failures need somebody to change
// something.
func Unreachable(err error) bool {
	var network *net.OpError
	var answer *jetstream.APIError
	return errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, errNoLeader) ||
		errors.As(err, &network) && network.Op == "dial" ||
		errors.As(err, &answer) && answer.ErrorCode == codeNoClusterLeader
}

// TooLargeError says which event was too large. It is an ErrTooLarge.
type TooLargeError struct {
	// Index is the place of the event in what was to be appended.
	Index int
	// Size is what it takes and Limit is what the stream takes, in bytes.
	Size, Limit int
	// Setting names what sets the limit, for people; "" if nothing can raise it.
	Setting string
}

// Error names the sizes.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("event %d has %d bytes, and the stream takes %d", e.Index, e.Size, e.Limit)
}

// Is makes it an ErrTooLarge.
func (e *TooLargeError) Is(target error) bool { return target == ErrTooLarge }

// Error codes of the server that nats.go has no constant for (nats-server,
// server/errors.json).
const (
	codeNoResources       jetstream.ErrorCode = 10023 // memory or disk of the server
	codeNoAccountStorage  jetstream.ErrorCode = 10047 // storage of the account or server
	codeNoClusterLeader   jetstream.ErrorCode = 10008 // JetStream of a cluster that is starting
	codeAccountExceeded   jetstream.ErrorCode = 10002 // limits of the account
	codeWrongLastMsgID    jetstream.ErrorCode = 10070 // the chain has been broken
	codeWrongLastSequence jetstream.ErrorCode = 10071 // compare-and-swap lost
	codeStoreFailed       jetstream.ErrorCode = 10077 // the description tells why
	// codeWrongLastConstant is what a replicated stream says instead of 10071.
	codeWrongLastConstant jetstream.ErrorCode = 10164
)

// maxBytesText is how the server describes a full stream under code 10077,
// which it also uses for other failures of its store.
const maxBytesText = "maximum bytes exceeded"

// refusal turns the server's refusal of one event into one of Append's errors,
// or nil if it does not settle whether the event can land.
func refusal(e *jetstream.APIError) error {
	switch e.ErrorCode {
	case codeWrongLastSequence, codeWrongLastConstant, codeWrongLastMsgID:
		return ErrConflict
	case codeNoResources, codeNoAccountStorage, codeAccountExceeded:
		return fmt.Errorf("%w: %s", ErrStreamFull, e.Description)
	case codeStoreFailed:
		if e.Description == maxBytesText {
			return fmt.Errorf("%w: %s", ErrStreamFull, e.Description)
		}
	}
	return nil
}
