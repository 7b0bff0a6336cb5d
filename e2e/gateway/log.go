package gateway

import (
	"bytes"
	"io"
	"sync"
)

// logBuffer keeps what a process writes and passes it on.
type logBuffer struct {
	next io.Writer

	mu  sync.Mutex // protects all below and next
	all bytes.Buffer
}

func newLogBuffer(next io.Writer) *logBuffer {
	if next == nil {
		next = io.Discard
	}
	return &logBuffer{next: next}
}

// Write implements io.Writer.
func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all.Write(p)
	return b.next.Write(p)
}

// Bytes returns a copy of what was written so far.
func (b *logBuffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.all.Bytes())
}

// String is Bytes as a string.
func (b *logBuffer) String() string { return string(b.Bytes()) }
