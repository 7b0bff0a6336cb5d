package store

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"
)

const (
	// DigestStep is the distance of the sequences whose digests are kept. Stores that
	// are a little apart have some of these sequences in common.
	DigestStep = 256
	// keptDigests is how many of them are kept. They reach back over 16,384 events,
	// which is a second or two of the fastest load.
	keptDigests = 64
)

// Digest is a hash of 64 bits of all groups at a sequence. Two stores that follow the
// same stream have the same sum at the same sequence, if both are settled there. If the
// sums differ, the stores differ. The hash finds accidents, not attacks: it is not hard
// to make two states with one sum.
type Digest struct {
	Sequence, Sum uint64
	// Settled reports whether the state is that of all events up to the sequence. A
	// store that lags may miss an event because a later one has replaced it in the
	// stream, and not have the later one yet.
	Settled bool
}

// digests is what a store knows of its digests besides the present sum. The
// lock of the store protects it.
type digests struct {
	gaps    uint64              // how often sequences were missing
	settled uint64              // from which sequence on the state is settled, or unknown
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

// Digests returns the present digest, and the settled digests at the last 64 multiples
// of DigestStep, in the order of their sequences.
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

// Gaps returns how often sequences were missing so far, and whether the present state is
// not settled because of that. The caller then asks the stream for its last sequence and
// calls Settle.
func (s *Store) Gaps() (gaps uint64, unsettled bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.digests.gaps, s.sequence < s.digests.settled
}

// Settle tells the store which was the last sequence of the stream after it had seen the
// given number of gaps. The stream then had the events that have replaced the missing
// ones. So the state is settled once the store has that sequence. Settle has no effect
// if there are more gaps by now.
func (s *Store) Settle(gaps, last uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.digests.gaps == gaps {
		s.digests.settled = min(s.digests.settled, last)
	}
}

// arrive notes that the state is that at seq from now on. whole says that the state no
// longer depends on earlier events. The store is locked.
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

// keep keeps the present digest if its sequence is a multiple of DigestStep.
func (s *Store) keep() {
	if s.sequence%DigestStep != 0 || s.sequence < s.digests.settled {
		return
	}
	s.digests.kept[s.digests.next] = s.present()
	s.digests.next = (s.digests.next + 1) % keptDigests
}

// replace replaces the digests by those of a fresh store. A call of Settle that is under
// way belongs to the old state, so it must have no effect.
func (d *digests) replace(fresh digests) {
	fresh.gaps = d.gaps
	fresh.gap()
	*d = fresh
}

// digest returns a hash of what scrapes and drafts see of a group. All gateways on a
// stream must have the same. What is for people only, or is derived, is left out.
//
// The digest of the state is the sum over all groups. So it does not depend on their
// order, and a change of a group costs one hash.
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
		if IsDerivedName(f.name) {
			continue
		}
		var proto []byte
		message, pushTime := uint64(0), g.pushTime
		if f.extra != nil {
			if proto = f.extra.proto; proto != nil {
				message = 1 + uint64(len(proto))
			}
			if f.extra.pushTime != 0 {
				pushTime = f.extra.pushTime
			}
		}
		fields(uint64(len(f.name)), uint64(f.typ), uint64(len(f.text)), message, uint64(pushTime))
		h.WriteString(f.name)
		h.Write(f.text)
		h.Write(proto)
	}
	return h.Sum64()
}
