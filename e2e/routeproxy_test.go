package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/e2e/testkit"
)

// A network is a proxy in front of each member of a cluster. It finds out which member
// has the other end of a connection, so it can cut the link between two members as if a
// cable was pulled: data waits, and a new connection gets no answer. When the link is
// restored, connections go on that the members have not given up.
type network struct {
	t       *testing.T
	running sync.WaitGroup

	mu      sync.Mutex
	pids    map[string]int     // by name: the process that is this member now
	cuts    map[[2]string]bool // by the names of both ends, in both orders
	changed chan struct{}      // closed by the next change of the above
	conns   map[net.Conn]bool  // nil once the test is over
}

// callerPatience bounds the search for the process of a caller, which may have been
// started a moment ago.
const callerPatience = 20 * time.Second

func newNetwork(t *testing.T) *network {
	n := &network{t: t, pids: map[string]int{}, cuts: map[[2]string]bool{}, changed: make(chan struct{}), conns: map[net.Conn]bool{}}
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

// proxy listens for connections to the member at an address. The address that it
// returns is the name of the member.
func (n *network) proxy(to string) (name string) {
	n.t.Helper()
	l, err := net.Listen("tcp", testkit.FreeAddress(n.t))
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

// runs notes the process id of a member.
func (n *network) runs(name string, pid int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pids[name] = pid
}

// cut cuts the link between two members, or restores it.
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
	from, err := n.caller(caller)
	if err != nil {
		n.t.Log(err)
		return
	}
	n.pass(from, name)
	member, err := net.DialTimeout("tcp", to, time.Second)
	if err != nil {
		return
	}
	defer n.hold(member)()
	hangUp := func() { caller.Close(); member.Close() }
	var back sync.WaitGroup
	defer back.Wait()
	back.Go(func() {
		defer hangUp()
		n.forward(caller, member, from, name)
	})
	defer hangUp()
	n.forward(member, caller, from, name)
}

// forward copies what one end sends to the other, while their link is not cut.
func (n *network) forward(to, from net.Conn, a, b string) {
	buf := make([]byte, 1<<16)
	for {
		read, err := from.Read(buf)
		n.pass(a, b)
		if _, err := to.Write(buf[:read]); err != nil {
			return
		}
		if err != nil {
			return
		}
	}
}

// caller returns the name of the member that has the other end of a connection.
func (n *network) caller(conn net.Conn) (string, error) {
	port := conn.RemoteAddr().(*net.TCPAddr).Port
	for limit := time.Now().Add(callerPatience); time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
		socket, err := socketOf(port)
		if err != nil {
			return "", err
		}
		n.mu.Lock()
		for name, pid := range n.pids {
			if has(pid, socket) {
				n.mu.Unlock()
				return name, nil
			}
		}
		n.mu.Unlock()
	}
	return "", fmt.Errorf("nobody is known who calls from port %d", port)
}

// socketOf returns what /proc/PID/fd calls the socket with a port on loopback, if
// there is one: "socket:[inode]" (proc_pid_net(5)).
func socketOf(port int) (string, error) {
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		return "", err
	}
	defer f.Close()
	local := fmt.Sprintf("0100007F:%04X", port)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 9 && fields[1] == local && fields[9] != "0" {
			return "socket:[" + fields[9] + "]", nil
		}
	}
	return "", lines.Err()
}

// has reports whether a process has a socket open.
func has(pid int, socket string) bool {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || socket == "" {
		return false
	}
	for _, file := range files {
		if to, err := os.Readlink(file); err == nil && to == socket {
			return true
		}
	}
	return false
}

// hold keeps a connection, which close closes at the end, and returns a function that
// closes it earlier.
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
