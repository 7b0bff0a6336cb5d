package gateway

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// maxRejecting bounds how many connections are answered at the same time that
	// there are too many. More than that are closed without an answer.
	maxRejecting = 64
	// rejectTimeout bounds each of these answers.
	rejectTimeout = time.Second
)

// limitConnections wraps listeners so that together they have at most that many
// open connections; 0 is no limit. A connection beyond the limit is closed at once,
// so that a load balancer takes another gateway. If plain is true the connections
// are HTTP without TLS, and such a connection is answered by 503 first.
func limitConnections(listeners []net.Listener, most int, plain bool) []net.Listener {
	if most == 0 {
		return listeners
	}
	slots := &connectionSlots{taken: make(chan struct{}, most), rejecting: make(chan struct{}, maxRejecting), plain: plain}
	limited := make([]net.Listener, len(listeners))
	for i, l := range listeners {
		limited[i] = &limitedListener{Listener: l, slots: slots}
	}
	return limited
}

// connectionSlots are shared by the listeners of a gateway.
type connectionSlots struct {
	taken     chan struct{} // one entry for each open connection
	rejecting chan struct{} // one entry for each connection that is being rejected
	plain     bool
}

type limitedListener struct {
	net.Listener
	slots *connectionSlots
}

// Accept returns the next connection for which a slot is free.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots.taken <- struct{}{}:
			return &limitedConn{Conn: conn, release: sync.OnceFunc(func() { <-l.slots.taken })}, nil
		default:
			l.slots.reject(conn)
		}
	}
}

// reject ends a connection for which no slot is free. The goroutine that answers
// it ends within rejectTimeout.
func (s *connectionSlots) reject(conn net.Conn) {
	select {
	case s.rejecting <- struct{}{}:
	default:
		conn.Close()
		return
	}
	go func() {
		defer func() { <-s.rejecting }()
		defer conn.Close()
		if s.plain {
			s.answer(conn)
		}
	}()
}

func (s *connectionSlots) answer(conn net.Conn) {
	if conn.SetDeadline(time.Now().Add(rejectTimeout)) != nil {
		return
	}
	text := fmt.Sprintf("%d connections are open already (--web.max-connections)\n", cap(s.taken))
	_, err := fmt.Fprintf(conn, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
	if err != nil {
		return
	}
	// Closing at once would reset the connection if the client has sent something,
	// and the answer might be lost.
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		io.CopyN(io.Discard, conn, 64<<10)
	}
}

// limitedConn releases its slot when it is closed.
type limitedConn struct {
	net.Conn
	release func()
}

func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
