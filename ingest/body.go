package ingest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
)

// bodies reads request bodies within a bound.
type bodies struct {
	limit     int64 // bytes, on the wire and after decompression
	admission *admission
	pool      sync.Pool // of *bytes.Buffer; the decoder copies what it keeps of a body
	gzips     sync.Pool // of *gzip.Reader: one has tables of some 40 kB
	snaps     sync.Pool // of *snappy.Reader: one has some 140 kB
	zstds     sync.Pool // of *zstd.Decoder
}

// maxPooled is the largest buffer in bytes that is kept for the next body, so that
// one large push does not hold its memory for ever.
const maxPooled = 1 << 20

// newBodies returns bodies of up to limit bytes each. held bounds the memory of all
// pushes that are being read, decoded or wait; 0 is no limit.
func newBodies(limit, held int64) *bodies {
	return &bodies{
		limit:     limit,
		admission: newAdmission(held),
		pool:      sync.Pool{New: func() any { return new(bytes.Buffer) }},
		gzips:     sync.Pool{New: func() any { return new(gzip.Reader) }},
		snaps:     sync.Pool{New: func() any { return snappy.NewReader(nil) }},
		zstds:     sync.Pool{New: newZstd},
	}
}

// incoming is a body with the memory that it holds.
type incoming struct {
	claim
	bodies *bodies
	wire   limitedReader
	raw    *bytes.Buffer // as it came
	body   *bytes.Buffer // decompressed: the same, if there is no encoding
}

// read reads a body whole, and then decompresses it. So a client that sends slowly
// keeps no decoder, and one of many bombs that wait holds little. length is that of
// the header Content-Length, -1 if it is not known, and wait bounds the time that
// the push may wait for memory. The encoding is that of a Content-Encoding header.
// As in Pushgateway, an unknown encoding means none.
//
// The caller frees what is returned. It holds a decoder until then. The error is an
// *Error.
func (b *bodies) read(body io.Reader, encoding string, length int64, wait time.Duration) (*incoming, error) {
	in := &incoming{bodies: b, wire: limitedReader{r: body, left: b.limit, limit: b.limit}}
	in.of, in.wait = b.admission, wait
	in.raw = b.buffer()
	in.body = in.raw
	err := in.receive(length)
	if err == nil {
		err = in.begin(b.admission.decoders(in.raw.Len()))
	}
	if err == nil && isKnown(encoding) {
		err = in.decompress(encoding)
	}
	if err != nil {
		defer in.free()
		return nil, b.refusal(err, encoding, &in.wire)
	}
	return in, nil
}

// bytes returns the decompressed body. It is valid until free.
func (in *incoming) bytes() []byte { return in.body.Bytes() }

// free gives all memory back.
func (in *incoming) free() {
	in.wire.held.release(in.wire.taken)
	if in.body != in.raw {
		in.bodies.recycle(in.body)
	}
	in.bodies.recycle(in.raw)
	in.end()
}

func (b *bodies) buffer() *bytes.Buffer {
	buf := b.pool.Get().(*bytes.Buffer)
	buf.Reset()
	return buf
}

func (b *bodies) recycle(buf *bytes.Buffer) {
	if buf.Cap() <= maxPooled {
		b.pool.Put(buf)
	}
}

// receive reads what is on the wire. What is more than a small body is claimed
// before it is read: whole, so that no two bodies wait for the rest of each other.
func (in *incoming) receive(length int64) error {
	in.wire.held = &in.bodies.admission.small
	if _, err := in.raw.ReadFrom(&io.LimitedReader{R: &in.wire, N: smallBody}); err != nil {
		return err
	}
	if in.raw.Len() < smallBody {
		return nil
	}
	size := min(length, in.bodies.limit)
	if length < 0 {
		size = growing * in.bodies.limit
	}
	if err := in.readLarge(size); err != nil {
		return err
	}
	in.wire.held.release(in.wire.taken)
	in.wire.held, in.wire.taken = nil, 0
	if rest := size - smallBody; length >= 0 && rest > 0 {
		in.raw.Grow(int(rest) + bytes.MinRead) // ReadFrom wants room to see the end
	}
	_, err := in.raw.ReadFrom(&in.wire)
	return err
}

// growing is how many times its contents a bytes.Buffer holds at most when it
// grows: it doubles, and the old one is still there.
const growing = 3

// decompress reads the raw body into another one. A large one needs a decoder of
// large bodies.
func (in *incoming) decompress(encoding string) error {
	decoded, release, err := in.bodies.decompress(bytes.NewReader(in.raw.Bytes()), encoding)
	if err != nil {
		return err
	}
	defer release()
	in.body = in.bodies.buffer()
	plain := &limitedReader{r: decoded, left: in.bodies.limit, limit: in.bodies.limit}
	if _, err := in.body.ReadFrom(&io.LimitedReader{R: plain, N: smallBody}); err != nil || in.body.Len() < smallBody {
		return err
	}
	if err := in.decode(growing * in.bodies.limit); err != nil {
		return err
	}
	if _, err := in.body.ReadFrom(plain); err != nil {
		return err
	}
	in.plain = growing * int64(in.body.Len())
	return nil
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
