package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds the window of a zstd frame in bytes, which its decoder keeps in
// memory. RFC 8878, section 3.1.1.1.2, recommends that decoders support 8 MB.
const maxWindow = 8 << 20

// zstdMagic begins a zstd frame; a skippable frame begins with another one.
var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// newZstd returns a decoder that works in the goroutine of its reader.
func newZstd() any {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		panic(fmt.Sprintf("BUG: cannot make a zstd decoder: %v", err))
	}
	return z
}

// isKnown tells whether bodies with an encoding can be decompressed.
func isKnown(encoding string) bool {
	switch strings.ToLower(encoding) {
	case "gzip", "snappy", "zstd":
		return true
	}
	return false
}

// decompress returns the reader for an encoding, and a function that releases it.
// It may read the header of the compressed data at once.
//
// Pushgateway supports gzip and framed snappy, and reads a body of any other
// encoding as it is. Sluice also supports zstd, if the body begins like zstd.
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
		z := b.snaps.Get().(*snappy.Reader)
		z.Reset(r)
		return z, func() {
			z.Reset(nil)
			b.snaps.Put(z)
		}, nil
	case "zstd":
		head := make([]byte, len(zstdMagic))
		n, err := io.ReadFull(r, head)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, nil, err
		}
		r = io.MultiReader(bytes.NewReader(head[:n]), r)
		if !isZstd(head[:n]) {
			return r, func() {}, nil
		}
		z := b.zstds.Get().(*zstd.Decoder)
		release := func() {
			z.Reset(nil) // drops the reference to the body; the error says that there is none
			b.zstds.Put(z)
		}
		if err := z.Reset(r); err != nil {
			release()
			return nil, nil, err
		}
		return z, release, nil
	default:
		return r, func() {}, nil
	}
}

func isZstd(head []byte) bool {
	skippable := len(head) == 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:], []byte{0x2a, 0x4d, 0x18})
	return bytes.Equal(head, zstdMagic) || skippable
}

// undecodable is the refusal of a body that does not have its encoding. head is
// the beginning of the body.
func (b *bodies) undecodable(err error, encoding string, head []byte) *Error {
	switch {
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrWindowSizeTooSmall):
		return refuse(CodeTooLarge, "a zstd frame of the body asks for a window of more than %d bytes, the limit\nCompress it without --long or --ultra.", maxWindow)
	case errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return tooLargeBody(b.limit)
	}
	name := strings.ToLower(encoding)
	cure := "The body was damaged or cut off on its way: send it again, all of it, and do not convert it as text."
	switch looks := looksLike(head); {
	case looks == name:
	case looks == "nothing":
		cure = "The body is empty: leave the header out."
	case looks == "text":
		cure = "The body is not compressed: leave the header Content-Encoding out, or compress the body."
	case looks == "gzip" || looks == "zstd" || looks == "snappy":
		cure = fmt.Sprintf("The body looks like %s: send the header Content-Encoding: %s.", looks, looks)
	case name == "snappy":
		cure = "Only the framed (stream) format of snappy is read here. Remote write and many libraries make the block format: use their stream or writer functions, or gzip."
	default:
		cure = fmt.Sprintf("The body is not %s.", name)
	}
	return refuse(CodeInvalid, "cannot read the body as %s, which the header Content-Encoding says: %v\n%s", name, err, cure).withReason(reasonEncoding)
}

// looksLike tells what a body is by its first bytes.
func looksLike(head []byte) string {
	printable := 0
	for _, c := range head {
		if c >= ' ' && c < 0x7f || c == '\n' || c == '\r' || c == '\t' {
			printable++
		}
	}
	switch {
	case len(head) == 0:
		return "nothing"
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return "gzip"
	case bytes.HasPrefix(head, zstdMagic):
		return "zstd"
	case bytes.HasPrefix(head, []byte("\xff\x06\x00\x00sNaPpY")):
		return "snappy"
	case printable == len(head):
		return "text"
	}
	return "binary"
}
