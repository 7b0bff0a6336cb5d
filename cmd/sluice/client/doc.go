// Package client talks to gateways as the client commands do: over HTTP to one
// of several addresses, or over NATS to whichever gateway takes the request.
//
// It does not judge pushes. A body is sent as it is, and the gateway says what is
// wrong with it. The package decides when to try again. A change is sent to one
// gateway at a time. The next gateway is asked when the one before has refused for
// the moment, or has not answered. Trying ends with the first verdict, or when the
// time is over. A push is the state of its group and no increment, so it is safe to
// send a push again whose answer was lost.
package client

import "time"

const (
	// minAttempt is the shortest time an attempt gets while there is that much.
	minAttempt = time.Second
	// dialTimeout bounds a connection attempt. A host that is down does not answer at
	// all, and the other addresses need the time. It is enough for a SYN that is sent
	// twice.
	dialTimeout = 3 * time.Second
	// firstPause is the wait before an address is asked again that did not tell
	// when. It doubles from try to try, up to maxPause.
	firstPause = 200 * time.Millisecond
	maxPause   = 2 * time.Second
	// lastPause is the shortest of the pauses that shrink as the time runs out.
	lastPause = 50 * time.Millisecond
	// maxText bounds the bytes that are read of a refusal. Those of Sluice are below
	// 1 kB; the page of a proxy can have any size.
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
