package ingest

import "sync/atomic"

// budget bounds the bytes that many pushes hold together. The zero value has no
// bound.
type budget struct {
	limit int64 // 0 is no limit
	held  atomic.Int64
}

// take holds n more bytes for a push that has held own bytes before. It says no
// and holds nothing if that were too much, but a push that is alone always gets
// what it wants: it has limits of its own.
func (b *budget) take(n, own int64) bool {
	if b.limit == 0 {
		return true
	}
	if held := b.held.Add(n); held > b.limit && held > own+n {
		b.held.Add(-n)
		return false
	}
	return true
}

// give returns what has been taken.
func (b *budget) give(n int64) {
	if b.limit != 0 {
		b.held.Add(-n)
	}
}

// tooManyBytes is the refusal of a push for which there is no room.
func tooManyBytes(limit int64) *Error {
	return refuse(CodeBusy, "the pushes that are being read or wait hold %d bytes already (--push.max-waiting-bytes)\nTry again later, or raise the limit.", limit).withReason(reasonBusy)
}
