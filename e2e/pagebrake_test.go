package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A brake passes the first messages of a consumer at once, and then one after each
// pause, so that the gateway does not take its server for dead.
const (
	brakeFree  = 1000
	brakePause = 20 * time.Millisecond
)

// A brake is a proxy between a gateway and its NATS server. It slows what consumers
// deliver so much that a replay does not end before the brake is released. All else
// passes.
type brake struct {
	listener net.Listener
	control  *httptest.Server
	server   string // address
	running  sync.WaitGroup
	released chan struct{}
	release  func() // may be called twice

	mu    sync.Mutex
	conns []net.Conn
}

func startBrake(t *testing.T, serverURL string) *brake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &brake{listener: l, server: strings.TrimPrefix(serverURL, "nats://"), released: make(chan struct{})}
	b.release = sync.OnceFunc(func() { close(b.released) })
	b.control = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { b.release() }))
	b.running.Go(b.accept)
	t.Cleanup(b.close)
	return b
}

// url is the address of the server for the gateway.
func (b *brake) url() string { return "nats://" + b.listener.Addr().String() }

// releaseURL is the URL that releases the brake.
func (b *brake) releaseURL() string { return b.control.URL }

func (b *brake) accept() {
	for {
		gateway, err := b.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", b.server)
		if err != nil {
			gateway.Close()
			continue
		}
		b.mu.Lock()
		b.conns = append(b.conns, gateway, server)
		b.mu.Unlock()
		hangUp := func() { gateway.Close(); server.Close() }
		b.running.Go(func() {
			defer hangUp()
			io.Copy(server, gateway)
		})
		b.running.Go(func() {
			defer hangUp()
			b.deliver(gateway, bufio.NewReader(server))
		})
	}
}

// deliver passes on what the server sends: lines, some of them followed by a body
// (docs.nats.io, client protocol). Messages of a consumer's subscription go through a
// queue.
func (b *brake) deliver(gateway net.Conn, server *bufio.Reader) {
	var writing sync.Mutex
	write := func(text []byte) {
		writing.Lock()
		defer writing.Unlock()
		gateway.Write(text) // an error shows where it is read from
	}
	var queues sync.WaitGroup
	defer queues.Wait()
	held := map[string]chan []byte{} // by subscription
	defer func() {
		for _, queue := range held {
			close(queue)
		}
	}()
	for {
		line, err := server.ReadString('\n')
		if err != nil {
			return
		}
		text := []byte(line)
		words := strings.Fields(line)
		if words[0] != "MSG" && words[0] != "HMSG" {
			write(text)
			continue
		}
		size, err := strconv.Atoi(words[len(words)-1])
		if err != nil {
			return
		}
		body := make([]byte, size+len("\r\n"))
		if _, err := io.ReadFull(server, body); err != nil {
			return
		}
		text = append(text, body...)
		queue := held[words[2]]
		if queue == nil && strings.HasPrefix(words[3], "$JS.ACK.") {
			queue = make(chan []byte, 2*pageGroups)
			held[words[2]] = queue
			queues.Go(func() { b.hold(queue, write) })
		}
		if queue == nil {
			write(text)
		} else {
			queue <- text
		}
	}
}

// hold passes on the messages of a queue.
func (b *brake) hold(queue <-chan []byte, write func([]byte)) {
	passed := 0
	for message := range queue {
		if passed++; passed > brakeFree {
			select {
			case <-b.released:
			case <-time.After(brakePause):
			}
		}
		write(message)
	}
}

func (b *brake) close() {
	b.release()
	b.control.Close()
	b.listener.Close()
	b.mu.Lock()
	for _, c := range b.conns {
		c.Close()
	}
	b.mu.Unlock()
	b.running.Wait()
}
