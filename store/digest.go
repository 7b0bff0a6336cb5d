package store

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"
)

const (
	// DigestStep is the distance of the sequences whose digests are kept: so
	// stores that are a little apart have some of them in common.
	DigestStep = 256
	// keptDigests is how many of them are kept. With DigestStep they reach back
	// over 16,384 events, a second or two of the fastest load.
	keptDigests = 64
)

// Digest says in 64 bits what all groups are at a sequence. Two stores that show
// the same stream have the same sum at the same sequence, if both are settled
// there; if the sums differ, the stores do. It is made for accidents: whoever
// wants to can make two states with one sum.
type Digest struct {
	Sequence, Sum uint64
	// Settled tells that the state is what all events up to the sequence make
	// together. A store that has come late may miss an event which a later one
	// has replaced already, and not have the later one yet.
	Settled bool
}

// digests is what a store knows of its digests besides the present sum. The
// lock of the store protects it.
type digests struct {
	gaps    uint64              // how often sequences were missing
	settled uint64              // from which sequence on the state is settled, unknown if nobody has told
	kept    [keptDigests]Digest // a ring
	next    int                 // place of the next one in the ring
}

const unknown = math.MaxUint64

// Digest returns the digest of the present state.
func (s *Store) Digest() Digest {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.present()
}

func (s *Store) present() Digest {
	return Digest{Sequence: s.sequence, Sum: s.sum, Settled: s.sequence >= s.digests.settled}
}

// Digests returns the present digest, and those that are settled at multiples of
// DigestStep, the last 64 of them, in the order of their sequences.
func (s *Store) Digests() (present Digest, kept []Digest) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := range keptDigests {
		if d := s.digests.kept[(s.digests.next+i)%keptDigests]; d.Settled {
			kept = append(kept, d)
		}
	}
	return s.present(), kept
}

// Gaps returns how often sequences were missing so far, and whether the present
// state is not settled because of that: then the stream is to be asked for its
// last sequence, and Settle be told.
func (s *Store) Gaps() (gaps uint64, unsettled bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.digests.gaps, s.sequence < s.digests.settled
}

// Settle tells what the stream's last sequence was at a time when the store had
// seen so many gaps. Whatever has replaced the missing events was in the stream
// then; so once the store has that sequence, its state is settled. If there are
// more gaps by now nothing is known.
func (s *Store) Settle(gaps, last uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.digests.gaps == gaps {
		s.digests.settled = min(s.digests.settled, last)
	}
}

// arrive notes that the state is that at a sequence from now on. whole tells that
// what came before does not matter any more. The store is locked.
func (d *digests) arrive(before, seq uint64, whole bool) {
	switch {
	case whole:
		d.settled = 0
	case seq != before+1:
		d.gap()
	}
}

func (d *digests) gap() {
	d.gaps++
	d.settled = unknown
}

// keep keeps the present digest if its sequence is one of those that are kept.
func (s *Store) keep() {
	if s.sequence%DigestStep != 0 || s.sequence < s.digests.settled {
		return
	}
	s.digests.kept[s.digests.next] = s.present()
	s.digests.next = (s.digests.next + 1) % keptDigests
}

// replace takes over the digests of a store that takes the place of this one.
// Questions that are under way were asked for the other state.
func (d *digests) replace(fresh digests) {
	fresh.gaps = d.gaps
	fresh.gap()
	*d = fresh
}

// digest returns a hash of all that a group is to those who scrape it and to
// those who judge: what each gateway on a stream must have the same, however the
// event has come there. Not of what is for people only, or follows from the rest.
//
// The sum over all groups is the state's: it does not depend on their order, and
// one that changes is taken out and put in again.
func (g *Group) digest() uint64 {
	var h xxhash.Digest
	h.Reset()
	var buf [48]byte
	// Lengths come first, so that no two groups have the same bytes.
	fields := func(values ...uint64) {
		dst := buf[:0]
		for _, v := range values {
			dst = binary.LittleEndian.AppendUint64(dst, v)
		}
		h.Write(dst)
	}
	fields(uint64(len(g.key.path)), uint64(g.pushTime), uint64(g.failTime), uint64(g.expires), uint64(g.forget), uint64(len(g.refusal)))
	h.WriteString(g.key.path)
	h.WriteString(g.refusal)
	for i := range g.held {
		f := &g.held[i]
		if IsOwnName(f.name) {
			continue
		}
		var proto []byte
		message, pushTime := uint64(0), g.pushTime
		if f.rare != nil {
			if proto = f.rare.proto; proto != nil {
				message = 1 + uint64(len(proto))
			}
			if f.rare.pushTime != 0 {
				pushTime = f.rare.pushTime
			}
		}
		fields(uint64(len(f.name)), uint64(f.typ), uint64(len(f.text)), message, uint64(pushTime))
		h.WriteString(f.name)
		h.Write(f.text)
		h.Write(proto)
	}
	return h.Sum64()
}
