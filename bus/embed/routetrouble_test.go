package embed

import (
	"log/slog"
	"strings"
	"testing"

	"sluice/bus/limitlog"
)

// The lines are what nats-server 2.15.2 has logged.
func TestTheServersLogTellsWhyMembersStayApart(t *testing.T) {
	for _, test := range []struct{ line, hint string }{
		{`127.0.0.1:26421 - rid:79 - Route Error 'Authorization Violation'`, "--cluster.secret-file"},
		{`127.0.0.1:48442 - rid:13 - authentication error - User "sluice"`, "--cluster.secret-file"},
		{`127.0.0.1:35064 - rid:617 - authentication error`, "--cluster.tls-cert or --cluster.secret-file"},
		{`127.0.0.1:39524 - rid:394 - TLS route handshake error: tls: first record does not look like a TLS handshake`, "--cluster.tls-cert or --cluster.secret-file"},
		{`127.0.0.1:41104 - rid:86 - TLS route handshake error: remote error: tls: bad certificate`, "--cluster.tls-cert"},
		{`127.0.0.1:26423 - rid:41 - TLS route handshake error: tls: failed to verify certificate: x509: certificate signed by unknown authority (CN=m SHA-256: 2086)`, "--cluster.tls-cert"},
		{`127.0.0.1:58710 - rid:40 - Rejecting connection, cluster name "other" does not match "sluice"`, "--cluster.name"},
		{`127.0.0.1:26423 - rid:39 - Route Error 'Rejecting connection, cluster name "sluice" does not match "other"'`, "--cluster.name"},
		{`127.0.0.1:26423 - rid:7 - Remote server has a duplicate name: "127.0.0.1:26421"`, "--cluster.advertise"},
		{`127.0.0.1:48442 - cid:13 - authentication error - User "somebody"`, ""}, // a client
		{`Error trying to connect to route (attempt 1): dial tcp 127.0.0.1:26423: connect: connection refused`, ""},
		{`127.0.0.1:26423 - rid:24 - Error flushing: writev: broken pipe`, ""},
	} {
		var trouble routeTrouble
		trouble.note(test.line)
		have := trouble.last()
		if test.hint == "" && have != "" || test.hint != "" && !(strings.Contains(have, test.hint) && strings.Contains(have, test.line)) {
			t.Errorf("%s: %q, want %q", test.line, have, test.hint)
		}
	}
}

func TestAPeerDoesNotFillTheLog(t *testing.T) {
	var logged strings.Builder
	l := newServerLog(slog.New(slog.NewTextHandler(&logged, nil)))
	l.start()
	for range 100 * limitlog.Burst {
		l.Errorf("%s - Route Error %s", "127.0.0.1:1 - rid:1", "'Authorization Violation'")
	}
	if lines := strings.Count(logged.String(), "\n"); lines == 0 || lines > 3*limitlog.Burst {
		t.Errorf("%d lines", lines)
	}
}
