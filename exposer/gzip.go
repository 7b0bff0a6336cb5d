package exposer

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"

	"sluice/store"
)

const (
	// gzipLevel is the fastest one: Prometheus mostly scrapes from nearby, where
	// processor time matters more than the last bytes.
	gzipLevel = flate.BestSpeed
	// minPiece is the least text, in bytes, that is compressed by itself and kept.
	// Ending a piece costs some 5 bytes, and the next one cannot refer to it.
	minPiece = 4 << 10
	// maxLoose bounds the text that waits to be compressed.
	maxLoose = 64 << 10
)

// gzips makes gzip streams (RFC 1952) of one member out of pieces: deflate
// blocks (RFC 1951) that end at a byte and refer to nothing before them. If a chunk
// has not changed since the last scrape, its piece is sent again as it is, and only
// its checksum is combined with the others.
type gzips struct {
	writers sync.Pool // of *flate.Writer: one has tables of some hundred kB
	crc     crcCombiner
}

func newGzips() *gzips {
	return &gzips{crc: newCRCCombiner(), writers: sync.Pool{New: func() any {
		z, err := flate.NewWriter(nil, gzipLevel)
		if err != nil {
			panic("BUG: bad compression level: " + err.Error())
		}
		return z
	}}}
}

// gzipWriter is one gzip stream.
type gzipWriter struct {
	gzips *gzips
	w     io.Writer
	loose []byte // text that has not been compressed yet
	crc   uint32 // of all text so far, without loose
	size  uint32 // of the same, modulo 2^32
	err   error
}

// The fixed parts of a stream: a header without name and time, and an empty
// last block.
const (
	gzipHead  = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
	lastBlock = "\x01\x00\x00\xff\xff"
)

func (g *gzips) writer(w io.Writer) *gzipWriter {
	z := &gzipWriter{gzips: g, w: w}
	_, z.err = io.WriteString(w, gzipHead)
	return z
}

// Write takes text that is not kept.
func (z *gzipWriter) Write(text []byte) (int, error) {
	z.loose = append(z.loose, text...)
	if len(z.loose) >= maxLoose {
		z.flush()
	}
	return len(text), z.err
}

// chunk writes the blocks of a chunk, from its memo if it has one.
func (z *gzipWriter) chunk(c *store.Chunk) error {
	if memo := c.Memo(); memo != nil {
		z.flush()
		z.piece(memo)
		return z.err
	}
	start := len(z.loose)
	for block := range c.Blocks() {
		z.loose = append(z.loose, block...)
	}
	if len(z.loose)-start < minPiece {
		if len(z.loose) >= maxLoose {
			z.flush()
		}
		return z.err
	}
	text := z.loose[start:]
	z.loose = z.loose[:start]
	memo, err := z.gzips.compress(text)
	if err != nil {
		return err
	}
	c.SetMemo(memo)
	z.flush()
	z.piece(memo)
	return z.err
}

// flush compresses the loose text.
func (z *gzipWriter) flush() {
	if len(z.loose) == 0 || z.err != nil {
		return
	}
	memo, err := z.gzips.compress(z.loose)
	z.loose = z.loose[:0]
	if err != nil {
		z.err = err
		return
	}
	z.piece(memo)
}

// piece sends a compressed piece and counts its text in.
func (z *gzipWriter) piece(memo []byte) {
	if z.err != nil {
		return
	}
	crc, size := binary.LittleEndian.Uint32(memo), binary.LittleEndian.Uint32(memo[4:])
	z.crc = z.gzips.crc.combine(z.crc, crc, size)
	z.size += size
	_, z.err = z.w.Write(memo[pieceHead:])
}

// Close ends the stream. It does not close what is beneath.
func (z *gzipWriter) Close() error {
	z.flush()
	if z.err != nil {
		return z.err
	}
	tail := append(make([]byte, 0, len(lastBlock)+8), lastBlock...)
	tail = binary.LittleEndian.AppendUint32(tail, z.crc)
	tail = binary.LittleEndian.AppendUint32(tail, z.size)
	_, err := z.w.Write(tail)
	return err
}

// pieceHead is the size of what stands before the deflate blocks of a kept
// piece: checksum and size of its text.
const pieceHead = 8

// compress makes a piece.
func (g *gzips) compress(text []byte) ([]byte, error) {
	z := g.writers.Get().(*flate.Writer)
	defer g.writers.Put(z)
	var out bytes.Buffer
	out.Grow(pieceHead + len(text)/8)
	out.Write(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(text)))
	out.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(text))))
	z.Reset(&out)
	if _, err := z.Write(text); err != nil {
		return nil, err
	}
	if err := z.Flush(); err != nil { // an empty stored block: ends at a byte
		return nil, err
	}
	return bytes.Clone(out.Bytes()), nil
}

// crcCombiner computes the CRC-32 (IEEE) of two texts together from those of
// each: appending n bytes multiplies the checksum by x^(8n) modulo the
// polynomial (Mark Adler's method, as in zlib's crc32_combine).
type crcCombiner struct {
	powers [32]uint32 // x^(2^k), bits reversed
}

func newCRCCombiner() crcCombiner {
	var c crcCombiner
	p := uint32(1) << 30 // x
	for k := range c.powers {
		c.powers[k] = p
		p = multiplyCRC(p, p)
	}
	return c
}

// combine returns the checksum of a text followed by another of size2 bytes.
func (c *crcCombiner) combine(crc1, crc2, size2 uint32) uint32 {
	shift := uint32(1) << 31 // 1
	for k, n := 3, size2; n > 0; k, n = k+1, n>>1 {
		if n&1 != 0 {
			shift = multiplyCRC(c.powers[k&31], shift)
		}
	}
	return multiplyCRC(shift, crc1) ^ crc2
}

// multiplyCRC multiplies two polynomials modulo that of CRC-32, all with their
// bits reversed.
func multiplyCRC(a, b uint32) uint32 {
	var product uint32
	for m := uint32(1) << 31; ; m >>= 1 {
		if a&m != 0 {
			product ^= b
			if a&(m-1) == 0 {
				return product
			}
		}
		if m == 0 {
			return product
		}
		if b&1 != 0 {
			b = b>>1 ^ crc32.IEEE
		} else {
			b >>= 1
		}
	}
}
