// Package client talks to gateways as the client commands do: over HTTP to one
// of several addresses, or over NATS to whichever gateway takes the request.
//
// It judges nothing: what is pushed goes out as it is, and the gateway says
// what is wrong with it. What it decides is when to try again. A change is sent
// to one gateway at a time, and the next one is asked when that has refused for
// the moment, or has not answered; trying ends with the first verdict, or with
// the time. Since a push is the state of its group and no increment, one that
// was taken without an answer may be sent again.
package client

import "time"

const (
	// minAttempt is the shortest time an attempt gets while there is that much.
	minAttempt = time.Second
	// dialTimeout bounds a connection attempt: a host that is not there does not
	// answer at all, and the others shall have their turn. It leaves room for a
	// SYN that is sent twice.
	dialTimeout = 3 * time.Second
	// firstPause is the wait before an address is asked again that did not tell
	// when. It doubles from try to try, up to maxPause.
	firstPause = 200 * time.Millisecond
	maxPause   = 2 * time.Second
	// lastPause is the shortest of the pauses that shrink as the time runs out.
	lastPause = 50 * time.Millisecond
	// maxText bounds in bytes what is read of a refusal; those of Sluice are
	// below 1 kB, a proxy's page may be anything.
	maxText = 4096
)

// Change is a push or a delete of one group.
type Change struct {
	// Method is put (replace the group), post (replace families of the same
	// name) or delete.
	Method string
	// Group is the grouping key as in the URL, /job/<job>{/<label>/<value>},
	// percent-encoded where need be.
	Group string
	// TTL is the time to live, written as the gateway reads it; "" is not sent.
	TTL string
	// ContentType and ContentEncoding say what Body is; "" is not sent.
	ContentType, ContentEncoding string
	// Body is the metrics of a push, none in a delete. It is only read.
	Body []byte
}
