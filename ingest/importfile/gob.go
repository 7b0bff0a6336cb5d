package importfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
)

// gobReader reads the parts of a gob stream (the format of encoding/gob, which
// its documentation specifies). encoding/gob itself is not made for files that
// may be broken: it makes maps of the size that the file claims, whatever its
// own size is. Here a length is believed only if so many bytes follow, and a
// file is read group by group.
type gobReader struct {
	in   *bufio.Reader
	left uint64 // bytes of the message at hand
	rest uint64 // bytes of the file behind it
}

// errShort means that the file ends too early, or that a length in it is wrong.
var errShort = errors.New("it ends in the middle, or is damaged")

func newGobReader(in io.Reader, size int64) *gobReader {
	return &gobReader{in: bufio.NewReaderSize(in, 1<<16), rest: uint64(size)}
}

// next goes to the next message, which must be there as a whole.
func (r *gobReader) next() error {
	if r.left != 0 {
		return fmt.Errorf("it has %d bytes too many in a message", r.left)
	}
	r.left, r.rest = r.rest, 0
	size, err := r.uint()
	if err != nil {
		return err
	}
	if size > r.left {
		return errShort
	}
	r.left, r.rest = size, r.left-size
	return nil
}

// byte reads one byte of the message.
func (r *gobReader) byte() (byte, error) {
	if r.left == 0 {
		return 0, errShort
	}
	b, err := r.in.ReadByte()
	if err != nil {
		return 0, shortOr(err)
	}
	r.left--
	return b, nil
}

// shortOr tells the end of a file from a disk that cannot be read.
func shortOr(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errShort
	}
	return err
}

// uint reads an unsigned number: one byte below 128, or the negated number of
// the bytes that follow, the highest first.
func (r *gobReader) uint() (uint64, error) {
	first, err := r.byte()
	if err != nil || first < 0x80 {
		return uint64(first), err
	}
	n := -int8(first)
	if n < 1 || n > 8 {
		return 0, errShort
	}
	var u uint64
	for range n {
		b, err := r.byte()
		if err != nil {
			return 0, err
		}
		u = u<<8 | uint64(b)
	}
	return u, nil
}

// int reads a signed number: its lowest bit says that the others are inverted.
func (r *gobReader) int() (int64, error) {
	u, err := r.uint()
	if u&1 != 0 {
		return ^int64(u >> 1), err
	}
	return int64(u >> 1), err
}

// bytes reads a length and as many bytes.
func (r *gobReader) bytes() ([]byte, error) {
	n, err := r.uint()
	if err != nil {
		return nil, err
	}
	if n > r.left || n > math.MaxInt32 {
		return nil, errShort
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r.in, b); err != nil {
		return nil, shortOr(err)
	}
	r.left -= n
	return b, nil
}

func (r *gobReader) string() (string, error) {
	b, err := r.bytes()
	return string(b), err
}

// fields reads the fields of a struct: each is preceded by how much its number
// is higher than that of the one before, the last one by 0. read is called with
// the number, from 0.
func (r *gobReader) fields(read func(field int) error) error {
	for field := -1; ; {
		delta, err := r.uint()
		if err != nil || delta == 0 {
			return err
		}
		if delta > math.MaxInt16 || field > math.MaxInt16 {
			return errShort
		}
		field += int(delta)
		if err := read(field); err != nil {
			return err
		}
	}
}

// pairs reads the entries of a map.
func (r *gobReader) pairs(read func() error) error {
	n, err := r.uint()
	if err != nil {
		return err
	}
	if n > r.left { // an entry takes more than a byte
		return errShort
	}
	for range n {
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}
