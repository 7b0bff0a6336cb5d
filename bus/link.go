package bus

import "sync"

// link is the state of the connection, which others wait for.
type link struct {
	mu        sync.Mutex
	connected bool
	changed   chan struct{} // closed by the next change
}

func newLink() *link { return &link{changed: make(chan struct{})} }

func (l *link) up()   { l.set(true) }
func (l *link) down() { l.set(false) }

func (l *link) set(connected bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.connected == connected {
		return
	}
	l.connected = connected
	close(l.changed)
	l.changed = make(chan struct{})
}

// state returns whether the connection is up and a channel that is closed once
// that is no longer so.
func (l *link) state() (bool, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connected, l.changed
}
