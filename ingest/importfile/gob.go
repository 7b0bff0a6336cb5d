package importfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"

	"sluice/store/words"
)

// gobReader reads the parts of a gob stream (the format of encoding/gob, which
// its documentation specifies). encoding/gob itself is not safe with damaged files:
// it allocates maps of the size that the file claims, however short the file is.
// gobReader accepts a length only if that many bytes follow, and reads group by
// group.
type gobReader struct {
	in   *bufio.Reader
	left uint64 // bytes of the current message that are not read
	rest uint64 // bytes of the file after that message
}

// errDamaged means that the file ends too early, or that a length in it is wrong.
var errDamaged = errors.New("it is incomplete or damaged")

func newGobReader(in io.Reader, size int64) *gobReader {
	return &gobReader{in: bufio.NewReaderSize(in, 1<<16), rest: uint64(size)}
}

// next begins the next message, which must be complete.
func (r *gobReader) next() error {
	if r.left != 0 {
		return fmt.Errorf("it has %s too many in a message", words.Count(int(r.left), "byte", "bytes"))
	}
	r.left, r.rest = r.rest, 0
	size, err := r.uint()
	if err != nil {
		return err
	}
	if size > r.left {
		return errDamaged
	}
	r.left, r.rest = size, r.left-size
	return nil
}

// byte reads one byte of the message.
func (r *gobReader) byte() (byte, error) {
	if r.left == 0 {
		return 0, errDamaged
	}
	b, err := r.in.ReadByte()
	if err != nil {
		return 0, damagedAtEOF(err)
	}
	r.left--
	return b, nil
}

// damagedAtEOF returns errDamaged for the end of the file, and other errors as they
// are.
func damagedAtEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errDamaged
	}
	return err
}

// uint reads an unsigned number: one byte below 128, or the negated number of
// the bytes that follow, most significant first.
func (r *gobReader) uint() (uint64, error) {
	first, err := r.byte()
	if err != nil || first < 0x80 {
		return uint64(first), err
	}
	n := -int8(first)
	if n < 1 || n > 8 {
		return 0, errDamaged
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

// int reads a signed number. If its lowest bit is set, the others are inverted.
func (r *gobReader) int() (int64, error) {
	u, err := r.uint()
	if u&1 != 0 {
		return ^int64(u >> 1), err
	}
	return int64(u >> 1), err
}

// bytes reads a length, then that many bytes.
func (r *gobReader) bytes() ([]byte, error) {
	n, err := r.uint()
	if err != nil {
		return nil, err
	}
	if n > r.left || n > math.MaxInt32 {
		return nil, errDamaged
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r.in, b); err != nil {
		return nil, damagedAtEOF(err)
	}
	r.left -= n
	return b, nil
}

func (r *gobReader) string() (string, error) {
	b, err := r.bytes()
	return string(b), err
}

// fields reads the fields of a struct. Before each stands the difference between its
// number and that of the field before; 0 ends the struct. fields calls read with the
// number, from 0.
func (r *gobReader) fields(read func(field int) error) error {
	for field := -1; ; {
		delta, err := r.uint()
		if err != nil || delta == 0 {
			return err
		}
		if delta > math.MaxInt16 || field > math.MaxInt16 {
			return errDamaged
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
	if n > r.left { // each entry takes at least a byte
		return errDamaged
	}
	for range n {
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}
