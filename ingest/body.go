package ingest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
)

// bodies reads request bodies within a bound.
type bodies struct {
	limit int64     // bytes, on the wire and after decompression
	pool  sync.Pool // of *bytes.Buffer: a body is copied by its decoder
	gzips sync.Pool // of *gzip.Reader: one has tables of some 40 kB
}

// maxPooled is the largest buffer that is kept for the next body, so that one
// large push does not hold its memory for ever.
const maxPooled = 1 << 20

func newBodies(limit int64) *bodies {
	return &bodies{
		limit: limit,
		pool:  sync.Pool{New: func() any { return new(bytes.Buffer) }},
		gzips: sync.Pool{New: func() any { return new(gzip.Reader) }},
	}
}

// read returns the decompressed body and a function that takes its memory
// back. The encoding is a Content-Encoding header; one that Pushgateway does
// not know is taken for none, as there.
func (b *bodies) read(body io.Reader, encoding string) ([]byte, func(), error) {
	limited := &limitedReader{r: body, left: b.limit, limit: b.limit}
	decoded, release, err := b.decompress(limited, encoding)
	if err != nil {
		return nil, nil, b.explain(err)
	}
	defer release()
	buf := b.pool.Get().(*bytes.Buffer)
	buf.Reset()
	free := func() {
		if buf.Cap() <= maxPooled {
			b.pool.Put(buf)
		}
	}
	if _, err := buf.ReadFrom(&limitedReader{r: decoded, left: b.limit, limit: b.limit}); err != nil {
		free()
		return nil, nil, b.explain(err)
	}
	return buf.Bytes(), free, nil
}

// decompress returns the reader for an encoding. It may read the header of the
// compressed data already.
func (b *bodies) decompress(r io.Reader, encoding string) (io.Reader, func(), error) {
	switch strings.ToLower(encoding) {
	case "gzip":
		z := b.gzips.Get().(*gzip.Reader)
		if err := z.Reset(r); err != nil {
			b.gzips.Put(z)
			return nil, nil, err
		}
		return z, func() { b.gzips.Put(z) }, nil
	case "snappy":
		return snappy.NewReader(r), func() {}, nil
	default:
		return r, func() {}, nil
	}
}

// explain turns an error from reading into a refusal.
func (b *bodies) explain(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return tooLargeBody(b.limit)
	}
	return refuse(CodeInvalid, "cannot read the body: %v", err)
}

func tooLargeBody(limit int64) *Error {
	return refuse(CodeTooLarge, "the body has more than %d bytes, on the wire or after decompression (--push.max-bytes)", limit)
}

// limitedReader fails once more than the limit would be read.
type limitedReader struct {
	r           io.Reader
	left, limit int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1] // one more than allowed tells too large from just fitting
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return n, tooLargeBody(l.limit)
	}
	return n, err
}
