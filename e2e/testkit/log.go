package testkit

import (
	"bytes"
	"sync"
)

// A Log keeps what is written to it. The zero Log is empty and ready. Its methods
// may be called concurrently, so a test can read it while a server writes.
type Log struct {
	mu   sync.Mutex // protects text
	text bytes.Buffer
}

// Write implements io.Writer. It never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns all that was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
