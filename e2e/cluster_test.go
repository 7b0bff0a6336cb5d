package e2e

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/e2e/testkit"
)

// clusterBound is how long a cluster may take to become healthy, on a busy machine.
const clusterBound = 3 * time.Minute

// A cluster is three gateways on one clustered stream.
type cluster struct {
	site    *site
	t       *testing.T
	network *network // nil if they reach each other directly
	members []*member
	client  *http.Client // for those who give up after 10 s, as most do
}

// A member is one member of the cluster. Its addresses and data stay when its process
// is replaced.
type member struct {
	*sluice
	number       int
	name         string // among the others: where they reach it
	listen       string
	web, nats    string
	dir          string
	flags        []string
	alive, awake bool
}

// newCluster prepares three members. If there is a network, their links can be cut.
func newCluster(s *site, network *network, flags ...string) *cluster {
	c := &cluster{site: s, t: s.t, network: network, client: impatientClient(s.t)}
	var names []string
	for i := range 3 {
		m := &member{number: i, listen: testkit.FreeAddress(s.t), web: testkit.FreeAddress(s.t), nats: testkit.FreeAddress(s.t)}
		m.dir = filepath.Join(s.dir, fmt.Sprintf("data-%d", i))
		m.name = m.listen
		if network != nil {
			m.name = network.proxy(m.listen)
		}
		names = append(names, m.name)
		c.members = append(c.members, m)
	}
	for _, m := range c.members {
		m.flags = append([]string{
			"--web.listen-address=" + m.web, "--bus.listen=" + m.nats, "--bus.data-dir=" + m.dir,
			"--cluster.listen=" + m.listen, "--cluster.advertise=" + m.name, "--cluster.peers=" + strings.Join(names, ","),
		}, flags...)
	}
	return c
}

// impatientClient gives up after 10 s, as the clients of Pushgateway do.
func impatientClient(t *testing.T) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Timeout: 10 * time.Second, Transport: transport}
}

// start starts all members that do not run, at the same time, and waits until they are
// ready.
func (c *cluster) start() {
	c.t.Helper()
	for _, m := range c.members {
		if !m.alive {
			c.launch(m)
		}
	}
	for _, m := range c.members {
		c.waitReady(m)
	}
}

// launch starts a member and waits for nothing.
func (c *cluster) launch(m *member) {
	c.t.Helper()
	m.sluice = c.site.run(m.flags...)
	m.sluice.url = c.site.before + m.web
	if c.network != nil {
		c.network.runs(m.name, m.PID())
	}
	m.alive, m.awake = true, true
}

// waitReady waits until a member is ready.
func (c *cluster) waitReady(m *member) {
	c.t.Helper()
	if err := m.WaitReady(c.t.Context(), c.client, m.url); err != nil {
		c.t.Fatal(err)
	}
}

// restart starts a member where it was, and waits until it is ready.
func (c *cluster) restart(m *member) {
	c.t.Helper()
	c.launch(m)
	c.waitReady(m)
}

// kill is kill -9.
func (c *cluster) kill(m *member) {
	c.t.Helper()
	m.kill()
	m.alive = false
}

// stop is an orderly end.
func (c *cluster) stop(m *member) {
	c.t.Helper()
	m.alive = false
	if code, err := m.Terminate(); err != nil || code != 0 {
		c.t.Errorf("member %d ended with code %d, %v", m.number, code, err)
	}
}

// pause freezes a member's process, as happens to a virtual machine that is moved, or
// continues it.
func (c *cluster) pause(m *member, pause bool) {
	c.t.Helper()
	signal := syscall.SIGCONT
	if pause {
		signal = syscall.SIGSTOP
	}
	if err := syscall.Kill(m.PID(), signal); err != nil {
		c.t.Fatal(err)
	}
	m.awake = !pause
}

// isolate cuts the links between a member and both others, or restores them.
func (c *cluster) isolate(m *member, cut bool) {
	for _, o := range c.members {
		if o != m {
			c.network.cut(m.name, o.name, cut)
		}
	}
}

// natsURLs are all addresses for clients of NATS.
func (c *cluster) natsURLs() string {
	var urls []string
	for _, m := range c.members {
		urls = append(urls, "nats://"+m.nats)
	}
	return strings.Join(urls, ",")
}

// leader returns the member that leads the stream, as the server says.
func (c *cluster) leader() *member {
	c.t.Helper()
	nc := connect(c.t, c.natsURLs())
	defer nc.Close()
	var leader *member
	testkit.Within(c.t, clusterBound, "the stream has a leader", func() bool {
		info, err := streamInfo(nc)
		if err != nil || info.Cluster == nil {
			return false
		}
		i := slices.IndexFunc(c.members, func(m *member) bool { return m.name == info.Cluster.Leader })
		if i >= 0 {
			leader = c.members[i]
		}
		return i >= 0
	})
	return leader
}

func streamInfo(nc *nats.Conn) (*jetstream.StreamInfo, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	s, err := js.Stream(ctx, "SLUICE")
	if err != nil {
		return nil, err
	}
	return s.CachedInfo(), nil
}

// current waits until all replicas of the stream are current, as the server says.
func (c *cluster) current() {
	c.t.Helper()
	nc := connect(c.t, c.natsURLs())
	defer nc.Close()
	testkit.Within(c.t, clusterBound, "all three copies of the stream are current", func() bool {
		info, err := streamInfo(nc)
		return err == nil && info.Cluster != nil && len(info.Cluster.Replicas) == 2 && info.Config.Replicas == 3 &&
			!slices.ContainsFunc(info.Cluster.Replicas, func(p *jetstream.PeerInfo) bool { return !p.Current || p.Offline })
	})
}

// follower returns a member that does not lead.
func (c *cluster) follower() *member {
	c.t.Helper()
	return c.others(c.leader())[0]
}

// others returns all members but one.
func (c *cluster) others(not *member) []*member {
	return slices.DeleteFunc(slices.Clone(c.members), func(m *member) bool { return m == not })
}
