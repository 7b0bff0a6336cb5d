package e2e

import (
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"sluice/e2e/testkit"
)

// A natsServer is an external NATS server with JetStream. It runs inside the
// test process, but gateways reach it over TCP only.
type natsServer struct {
	t       *testing.T
	address string // stays the same across stop and start
	dir     string
	server  *server.Server
}

func startNATSServer(s *site) *natsServer {
	s.t.Helper()
	n := &natsServer{t: s.t, address: testkit.FreeAddress(s.t), dir: filepath.Join(s.dir, "nats")}
	n.start()
	s.t.Cleanup(n.stop)
	return n
}

func (n *natsServer) url() string { return "nats://" + n.address }

func (n *natsServer) start() {
	n.t.Helper()
	host, port, err := net.SplitHostPort(n.address)
	if err != nil {
		n.t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		n.t.Fatal(err)
	}
	n.server, err = server.NewServer(&server.Options{
		ServerName: "external", Host: host, Port: number,
		JetStream: true, StoreDir: n.dir,
		NoLog: true, NoSigs: true,
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.server.Start()
	if !n.server.ReadyForConnections(requestBound) {
		n.t.Fatalf("the NATS server does not listen on %s within %s", n.address, requestBound)
	}
}

// stop ends the server and its connections. It may be called twice.
func (n *natsServer) stop() {
	n.server.Shutdown()
	n.server.WaitForShutdown()
}

// connect returns a client that reconnects for ever.
func connect(t *testing.T, url string) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}
