package embed

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/minio/highwayhash"
)

// A block is a file of nats-server's file store: records one after another
// (nats-server, server/filestore.go, where a block is read). A record is, in little
// endian:
//
//	length    4 bytes, of the whole record; the highest bit says that it has headers
//	sequence  8 bytes; the highest bit marks an erased record, the next a tombstone
//	time      8 bytes
//	subject   2 bytes, its length, and its text later
//	body      subject, 4 bytes of headers' length if it has any, headers, payload
//	checksum  8 bytes, of all but length, subject's length and headers' length
const (
	recordHeader  = 22
	recordHash    = 8
	minRecord     = recordHeader + recordHash
	maxRecord     = 32 << 20
	headersBit    = 1 << 31
	erasedBit     = 1 << 63
	tombstoneBit  = 1 << 62
	maxSequenceUp = 1 << 32 // what a sequence may be ahead of the one before, else it is none
)

// block is the content of a block, and what its checksums need.
type block struct {
	data []byte
	hash *highwayhash.Digest64
}

// newBlock returns the block of an index of a stream.
func newBlock(stream string, index int, data []byte) (*block, error) {
	key := sha256.Sum256(fmt.Appendf(nil, "%s-%d", stream, index))
	hash, err := highwayhash.NewDigest64(key[:])
	if err != nil {
		return nil, fmt.Errorf("cannot check block %d of stream %s: %w", index, stream, err)
	}
	return &block{data: data, hash: hash}, nil
}

// length returns the length that a record claims, and false if it cannot be right.
func (b *block) length(at int) (n int, ok bool) {
	if at+minRecord > len(b.data) {
		return 0, false
	}
	n = int(binary.LittleEndian.Uint32(b.data[at:]) &^ headersBit)
	return n, n >= minRecord && n <= maxRecord && at+n <= len(b.data)
}

// record returns the length of the record at an offset, and whether it is whole.
func (b *block) record(at int) (n int, ok bool) {
	n, ok = b.length(at)
	return n, ok && b.checks(at, n, binary.LittleEndian.Uint32(b.data[at:])&headersBit != 0)
}

// checks tells whether a record of a length, with headers or not, has the right
// checksum.
func (b *block) checks(at, n int, headers bool) bool {
	record := b.data[at : at+n]
	body, sum := record[recordHeader:n-recordHash], record[n-recordHash:]
	subject := int(binary.LittleEndian.Uint16(record[20:]))
	rest := subject
	if headers {
		rest += 4
	}
	if rest > len(body) {
		return false
	}
	b.hash.Reset()
	_, _ = b.hash.Write(record[4:20]) // never fails
	_, _ = b.hash.Write(body[:subject])
	_, _ = b.hash.Write(body[rest:])
	var buf [recordHash]byte
	return slices.Equal(b.hash.Sum(buf[:0]), sum)
}

// sequence returns the sequence of a message, or that a record is the tombstone of one.
func (b *block) sequence(at int) (seq uint64, tombstone bool) {
	seq = binary.LittleEndian.Uint64(b.data[at+4:])
	return seq &^ (erasedBit | tombstoneBit), seq&tombstoneBit != 0
}

// damage is a part of a block that has no whole record.
type damage struct {
	from, to    int
	after, next uint64 // sequences of the messages around it; next is 0 if none follows
}

// damages returns the damaged parts, and the last sequence. after is the last sequence
// of the blocks before.
func (b *block) damages(after uint64) (all []damage, last uint64) {
	last = after
	for at := 0; at < len(b.data); {
		n, ok := b.record(at)
		if !ok {
			to := b.resync(at, last)
			all = append(all, damage{from: at, to: to, after: last})
			at = to
			continue
		}
		if seq, tombstone := b.sequence(at); !tombstone && seq > last {
			for i := range all {
				if all[i].next == 0 {
					all[i].next = seq
				}
			}
			last = seq
		}
		at += n
	}
	return all, last
}

// resync returns the offset behind a damaged record at which whole records begin
// again, or the end of the block. The length that the damaged record claims is not
// believed: it may lead to the record after next. Text cannot be taken for the head of
// a record, so few checksums are computed.
func (b *block) resync(at int, after uint64) int {
	for to := at + 1; to+minRecord <= len(b.data); to++ {
		if _, ok := b.length(to); !ok {
			continue
		}
		if seq, _ := b.sequence(to); seq > after+maxSequenceUp {
			continue
		}
		if _, ok := b.record(to); ok {
			return to
		}
	}
	return len(b.data)
}

// claims returns the offsets of the records in a damaged part by the lengths that they
// claim, and whether the last one ends where the part ends.
func (b *block) claims(d damage) (offsets []int, exact bool) {
	at := d.from
	for at < d.to {
		offsets = append(offsets, at)
		n, ok := b.length(at)
		if !ok {
			return offsets, false
		}
		at += n
	}
	return offsets, at == d.to
}

// cutOff tells whether a damaged part at the end of the stream is what a crash leaves
// while a record is written: it ends too early, or the file system has made room for
// it only.
func (b *block) cutOff(d damage) bool {
	if d.to != len(b.data) || d.next != 0 {
		return false
	}
	_, exact := b.claims(d)
	return !exact
}

// fixLength makes a record whole of which only the length is wrong.
func (b *block) fixLength(d damage) bool {
	n := d.to - d.from
	if n < minRecord || n > maxRecord {
		return false
	}
	for _, bit := range []uint32{headersBit, 0} {
		if b.checks(d.from, n, bit != 0) {
			binary.LittleEndian.PutUint32(b.data[d.from:], uint32(n)|bit)
			return true
		}
	}
	return false
}

// fixable tells whether fixLength can repair a damaged part.
func (b *block) fixable(d damage) bool {
	head := bytes.Clone(b.data[d.from:min(d.from+4, d.to)])
	defer copy(b.data[d.from:], head)
	return b.fixLength(d)
}

// erase puts an erased record in the place of a damaged part, as the server itself does
// to erase one. It has the last sequence that may have been there, so that no sequence
// is used again. A part that is too small for a record goes away.
func (b *block) erase(d damage) {
	n := d.to - d.from
	if n < minRecord || n > maxRecord {
		b.data = slices.Delete(b.data, d.from, d.to)
		return
	}
	seq := d.next - 1
	if d.next == 0 {
		seq = d.after + 1
		offsets, _ := b.claims(d)
		for _, at := range offsets {
			if at+recordHeader > d.to {
				break
			}
			if claimed, tombstone := b.sequence(at); !tombstone && claimed > seq && claimed < d.after+maxSequenceUp {
				seq = claimed
			}
		}
	}
	record := b.data[d.from:d.to]
	clear(record)
	binary.LittleEndian.PutUint32(record, uint32(n))
	binary.LittleEndian.PutUint64(record[4:], seq|erasedBit)
	b.hash.Reset()
	_, _ = b.hash.Write(record[4:20])
	_, _ = b.hash.Write(record[recordHeader : n-recordHash])
	b.hash.Sum(record[n-recordHash : n-recordHash : n])
}

// describe says what a damaged part seems to have been, for people.
func (b *block) describe(d damage) []string {
	offsets, _ := b.claims(d)
	texts := make([]string, 0, min(len(offsets), maxNamed))
	for _, at := range offsets[:min(len(offsets), maxNamed)] {
		if at+recordHeader > d.to {
			break
		}
		seq, _ := b.sequence(at)
		subject := b.data[at+recordHeader : d.to]
		subject = subject[:min(len(subject), int(binary.LittleEndian.Uint16(b.data[at+20:])), maxSubject)]
		texts = append(texts, fmt.Sprintf("sequence %d, subject %q", seq, subject))
	}
	return texts
}
