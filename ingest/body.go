package ingest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
)

// bodies reads request bodies within a bound.
type bodies struct {
	limit int64     // bytes, on the wire and after decompression
	held  budget    // bytes of the bodies that are being read and decoded
	pool  sync.Pool // of *bytes.Buffer; the decoder copies what it keeps of a body
	gzips sync.Pool // of *gzip.Reader: one has tables of some 40 kB
	snaps sync.Pool // of *snappy.Reader: one has some 140 kB
	zstds sync.Pool // of *zstd.Decoder
}

// maxPooled is the largest buffer in bytes that is kept for the next body, so that
// one large push does not hold its memory for ever.
const maxPooled = 1 << 20

func newBodies(limit, maxHeld int64) *bodies {
	return &bodies{
		limit: limit,
		held:  budget{limit: maxHeld},
		pool:  sync.Pool{New: func() any { return new(bytes.Buffer) }},
		gzips: sync.Pool{New: func() any { return new(gzip.Reader) }},
		snaps: sync.Pool{New: func() any { return snappy.NewReader(nil) }},
		zstds: sync.Pool{New: newZstd},
	}
}

// read returns the decompressed body and a function that frees its memory. The
// encoding is that of a Content-Encoding header. As in Pushgateway, an unknown
// encoding means none. The error is an *Error.
func (b *bodies) read(body io.Reader, encoding string) ([]byte, func(), error) {
	wire := &limitedReader{r: body, left: b.limit, limit: b.limit}
	decoded, release, err := b.decompress(wire, encoding)
	if err != nil {
		return nil, nil, b.refusal(err, encoding, wire)
	}
	defer release()
	buf := b.pool.Get().(*bytes.Buffer)
	buf.Reset()
	plain := &limitedReader{r: decoded, left: b.limit, limit: b.limit, held: &b.held}
	free := func() {
		b.held.release(plain.taken)
		if buf.Cap() <= maxPooled {
			b.pool.Put(buf)
		}
	}
	if _, err := buf.ReadFrom(plain); err != nil {
		free()
		return nil, nil, b.refusal(err, encoding, wire)
	}
	return buf.Bytes(), free, nil
}

// refusal turns an error from reading into a refusal.
func (b *bodies) refusal(err error, encoding string, wire *limitedReader) error {
	var refused *Error
	if errors.As(err, &refused) {
		return refused
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return tooLargeBody(b.limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(CodeTimeout, "the body did not come in time: %d bytes have been read (--web.read-timeout)\nSend it faster, or raise the limit.", wire.limit-wire.left)
	case wire.failed == nil && isKnown(encoding):
		return b.undecodable(err, encoding, wire.head[:wire.headLen])
	}
	return refuse(CodeInvalid, "cannot read the body: %v, after %d bytes\nThe connection broke, or the body is shorter than the header Content-Length says.", err, wire.limit-wire.left).withReason(reasonIncomplete)
}

func tooLargeBody(limit int64) *Error {
	return refuse(CodeTooLarge, "the body has more than %d bytes, on the wire or after decompression (--push.max-bytes)\nPush in several requests or groups, or raise the limit.", limit)
}

// limitedReader fails when the body has more bytes than the limit.
type limitedReader struct {
	r           io.Reader
	left, limit int64
	failed      error    // other than io.EOF
	head        [16]byte // the first bytes, to tell what the body looks like
	headLen     int
	held        *budget // for what has been read, nil for none
	taken       int64   // bytes reserved in it
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1] // one more byte tells too large from just fitting
	}
	n, err := l.r.Read(p)
	if l.headLen < len(l.head) {
		l.headLen += copy(l.head[l.headLen:], p[:n])
	}
	if l.left -= int64(n); l.left < 0 {
		return n, tooLargeBody(l.limit)
	}
	if l.held != nil {
		if !l.held.reserve(int64(n), l.taken) {
			return n, tooManyBytes(l.held.limit)
		}
		l.taken += int64(n)
	}
	if err != nil && err != io.EOF {
		l.failed = err
	}
	return n, err
}
