package embed

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// troublePatience is how long a trouble counts after its last line in the log. The
// server tries each route again after a second.
const troublePatience = 10 * time.Second

// routeTrouble is why a member could not be connected last. Only the server's
// log tells that.
type routeTrouble struct {
	mu   sync.Mutex
	at   time.Time
	text string
}

// note looks at a line of the server's log.
func (t *routeTrouble) note(line string) {
	hint := routeHint(line)
	if hint == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at, t.text = time.Now(), fmt.Sprintf("%s (%s)", hint, line)
}

// last returns the trouble that there is, "" for none.
func (t *routeTrouble) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.at) > troublePatience {
		return ""
	}
	return t.text
}

// routeHint says in the words of our flags what a line of the server's log means
// that is about a route; "" if it is about anything else (nats-server,
// server/client.go and server/route.go).
func routeHint(line string) string {
	switch {
	case !strings.Contains(line, " - rid:"):
		return ""
	case strings.HasSuffix(line, "authentication error"), strings.Contains(line, "does not look like a TLS handshake"):
		return "--cluster.tls-cert or --cluster.secret-file is set on some members only"
	case strings.Contains(line, "Authorization Violation"), strings.Contains(line, "authentication error"):
		return "--cluster.secret-file is not the same on all members"
	case strings.Contains(line, "TLS route handshake error"):
		return "a member does not trust the certificate of another one: --cluster.tls-cert has to be signed by the --cluster.tls-ca of all and to name the address in --cluster.peers"
	case strings.Contains(line, "Rejecting connection, cluster name"):
		return "--cluster.name is not the same on all members"
	case strings.Contains(line, "duplicate name"):
		return "two members have the same name: they have one --cluster.advertise, or the data directory of one is a copy"
	}
	return ""
}
