package exposer

import (
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// zstdWindow is how far back an encoder looks, in bytes. With it an encoder holds some
// 600 kB. Similar lines stand close together, so a larger window finds hardly more.
const zstdWindow = 128 << 10

// zstds makes zstd streams (RFC 8878). Unlike those of gzip their pieces are
// not kept, since few clients ask for zstd.
type zstds struct {
	encoders sync.Pool // of *zstd.Encoder
}

func newZstds() *zstds {
	return &zstds{encoders: sync.Pool{New: func() any {
		z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(zstdWindow),
			zstd.WithEncoderConcurrency(1), // starts no goroutines
			zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic("BUG: bad options for zstd: " + err.Error())
		}
		return z
	}}}
}

// stream sends as one zstd stream what write writes.
func (z *zstds) stream(w io.Writer, write func(io.Writer) error) error {
	encoder := z.encoders.Get().(*zstd.Encoder)
	defer func() {
		encoder.Reset(nil) // holds on to the connection otherwise
		z.encoders.Put(encoder)
	}()
	encoder.Reset(w)
	if err := write(encoder); err != nil {
		return err // without its end the client sees that the stream is broken
	}
	return encoder.Close()
}
