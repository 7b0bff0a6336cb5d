package ingest

import "sync/atomic"

// budget bounds the bytes that pushes hold together, without waiting. The zero value has no
// bound. It is safe for concurrent use.
type budget struct {
	limit int64 // 0 is no limit
	held  atomic.Int64
}

// reserve adds n bytes for a push that has already reserved some. It returns false
// and reserves nothing if the limit would be passed. A push that is alone always
// gets what it wants: other limits bound a single push.
func (b *budget) reserve(n, already int64) bool {
	if b.limit == 0 {
		return true
	}
	if held := b.held.Add(n); held > b.limit && held > already+n {
		b.held.Add(-n)
		return false
	}
	return true
}

// release returns what was reserved. A nil budget has nothing to return.
func (b *budget) release(n int64) {
	if b != nil && b.limit != 0 {
		b.held.Add(-n)
	}
}

// tooManyBytes is the refusal of a push that no memory is free for.
func tooManyBytes(limit int64) *Error {
	return refuse(CodeBusy, "the pushes that are being read or wait hold as many bytes as they may: --push.max-waiting-bytes is %d\nTry again later, or raise the limit.", limit).withReason(reasonBusy)
}
