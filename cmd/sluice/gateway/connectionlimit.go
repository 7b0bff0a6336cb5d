package gateway

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// maxTurnedAway is how many connections may be told at once that there is no
	// room; more than that are closed without a word.
	maxTurnedAway = 64
	// turnAwayTime bounds the telling of each.
	turnAwayTime = time.Second
)

// limitConnections wraps listeners so that together they have at most so many
// connections open; 0 is no limit. One more is answered by 503 and closed, if
// its protocol is plain HTTP, else just closed. It does not wait, so that a
// balancer learns at once to go elsewhere.
func limitConnections(listeners []net.Listener, most int, plain bool) []net.Listener {
	if most == 0 {
		return listeners
	}
	room := &connectionRoom{tokens: make(chan struct{}, most), away: make(chan struct{}, maxTurnedAway), plain: plain}
	limited := make([]net.Listener, len(listeners))
	for i, l := range listeners {
		limited[i] = &limitedListener{Listener: l, room: room}
	}
	return limited
}

// connectionRoom is what the listeners of a gateway share.
type connectionRoom struct {
	tokens chan struct{} // one for each open connection
	away   chan struct{} // one for each that is being turned away
	plain  bool
}

type limitedListener struct {
	net.Listener
	room *connectionRoom
}

// Accept returns the next connection for which there is room.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.room.tokens <- struct{}{}:
			return &limitedConn{Conn: conn, free: sync.OnceFunc(func() { <-l.room.tokens })}, nil
		default:
			l.room.turnAway(conn)
		}
	}
}

// turnAway ends a connection for which there is no room. The goroutine for it
// ends by itself within turnAwayTime.
func (r *connectionRoom) turnAway(conn net.Conn) {
	select {
	case r.away <- struct{}{}:
	default:
		conn.Close()
		return
	}
	go func() {
		defer func() { <-r.away }()
		defer conn.Close()
		if r.plain {
			r.answer(conn)
		}
	}()
}

func (r *connectionRoom) answer(conn net.Conn) {
	if conn.SetDeadline(time.Now().Add(turnAwayTime)) != nil {
		return
	}
	text := fmt.Sprintf("%d connections are open already (--web.max-connections)\n", cap(r.tokens))
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

// limitedConn gives its room back when it is closed.
type limitedConn struct {
	net.Conn
	free func()
}

func (c *limitedConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}
