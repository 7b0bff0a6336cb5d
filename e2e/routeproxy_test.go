package e2e

import (
	"bytes"
	"encoding/json"
	"net"
	"sync"
	"testing"
	"time"
)

// A network stands between the members of a cluster: each is reached by the
// others at the address of a proxy. Who calls is seen by the name with which
// servers introduce themselves, so it can cut the link between two of them as if
// the cable was pulled: what is sent waits, and a new connection hears nothing.
// When the link is healed all goes on, where the members have not given up.
type network struct {
	t       *testing.T
	running sync.WaitGroup

	mu      sync.Mutex
	cuts    map[[2]string]bool // by the names of both ends, in both orders
	changed chan struct{}      // closed by the next change of the above
	conns   map[net.Conn]bool  // nil once the test is over
}

// introduction bounds what a server sends before its name.
const introduction = 64 << 10

func newNetwork(t *testing.T) *network {
	n := &network{t: t, cuts: map[[2]string]bool{}, changed: make(chan struct{}), conns: map[net.Conn]bool{}}
	t.Cleanup(n.close)
	return n
}

// close ends all connections. The listeners are closed already.
func (n *network) close() {
	n.mu.Lock()
	for c := range n.conns {
		c.Close()
	}
	n.conns = nil
	n.cuts = map[[2]string]bool{}
	close(n.changed)
	n.changed = make(chan struct{})
	n.mu.Unlock()
	n.running.Wait()
}

// proxy listens for what is meant for the member at an address. The address that
// it returns is to be the member's name.
func (n *network) proxy(to string) (name string) {
	n.t.Helper()
	l, err := net.Listen("tcp", freeAddress(n.t))
	if err != nil {
		n.t.Fatal(err)
	}
	name = l.Addr().String()
	n.running.Go(func() {
		for {
			caller, err := l.Accept()
			if err != nil {
				return
			}
			n.running.Go(func() { n.serve(caller, name, to) })
		}
	})
	n.t.Cleanup(func() { l.Close() })
	return name
}

// cut cuts the link between two members, or heals it.
func (n *network) cut(a, b string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts[[2]string{a, b}] = cut
	n.cuts[[2]string{b, a}] = cut
	close(n.changed)
	n.changed = make(chan struct{})
}

// pass waits until the link between two members is not cut.
func (n *network) pass(a, b string) {
	for {
		n.mu.Lock()
		cut, changed := n.cuts[[2]string{a, b}], n.changed
		n.mu.Unlock()
		if !cut {
			return
		}
		<-changed
	}
}

// serve connects a caller with a member, and returns when both have hung up.
func (n *network) serve(caller net.Conn, name, to string) {
	defer n.hold(caller)()
	member, err := net.DialTimeout("tcp", to, time.Second)
	if err != nil {
		return
	}
	defer n.hold(member)()
	// The member speaks first, and the caller tells its name then.
	hangUp := func() { caller.Close(); member.Close() }
	var back sync.WaitGroup
	defer back.Wait()
	defer hangUp()
	from := make(chan string, 1)
	back.Go(func() {
		defer hangUp()
		n.forward(caller, member, from, name)
	})
	defer close(from)
	called, said := readName(caller)
	if called == "" {
		return
	}
	from <- called
	n.pass(called, name)
	if _, err := member.Write(said); err != nil {
		return
	}
	named := make(chan string, 1)
	named <- called
	n.forward(member, caller, named, name)
}

// forward copies what one end sends to the other, while the link is not cut. It
// learns the name of the caller while it does.
func (n *network) forward(to, from net.Conn, caller <-chan string, name string) {
	buf := make([]byte, 1<<16)
	called := ""
	for {
		read, err := from.Read(buf)
		if called == "" {
			select {
			case called = <-caller:
			default:
			}
		}
		n.pass(called, name)
		if _, err := to.Write(buf[:read]); err != nil {
			return
		}
		if err != nil {
			return
		}
	}
}

// hold keeps a connection to be closed at the end, and returns what closes it.
func (n *network) hold(c net.Conn) (release func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conns == nil {
		c.Close()
		return func() {}
	}
	n.conns[c] = true
	return func() {
		c.Close()
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.conns, c)
	}
}

// readName reads until the caller has said its name, and returns what it has read.
func readName(caller net.Conn) (name string, said []byte) {
	buf := make([]byte, 4096)
	for len(said) < introduction {
		n, err := caller.Read(buf)
		said = append(said, buf[:n]...)
		for line := range bytes.Lines(said) {
			text, ok := bytes.CutPrefix(line, []byte("INFO "))
			var info struct {
				Name string `json:"server_name"`
			}
			if ok && json.Unmarshal(text, &info) == nil && info.Name != "" {
				return info.Name, said
			}
		}
		if err != nil {
			return "", said
		}
	}
	return "", said
}
