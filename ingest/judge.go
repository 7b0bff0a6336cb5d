package ingest

import (
	"errors"
	"fmt"
	"time"

	"sluice/ingest/decode"
	"sluice/ingest/explain"
	"sluice/store"
)

// judge returns the event of a change, and whether it has one. The verdict on a
// change without an event, and on a push that is refused, is in p.err. An error
// means that the draft has not judged the change.
func judge(draft *store.Draft, p *pending, forgetAfter time.Duration) (e store.Event, has bool, err error) {
	now := p.Time.UnixNano()
	p.err = nil
	if p.Op == store.OpExpire {
		return draft.Due(p.Key, now, int64(forgetAfter))
	}
	push := store.Push{Key: p.Key, Families: p.Families, Time: now, Expires: p.Expires, Origin: p.Origin}
	refusal := p.Refusal
	hint := ""
	if refusal == nil {
		e, err := propose(draft, p.Op, push)
		var tooMany *store.TooManyGroups
		var conflict *store.Conflict
		switch {
		case err == nil:
			return e, true, nil
		case errors.As(err, &tooMany):
			p.err = tooManyGroups(tooMany)
			return store.Event{}, false, nil // there is no group that could note it
		case errors.As(err, &conflict):
			refusal, hint = conflict, explain.Conflict(conflict, p.Format)
		default:
			return store.Event{}, false, err
		}
	}
	// The words at the front are Pushgateway's.
	refused := refuse(CodeInconsistent, "pushed metrics are invalid or inconsistent with existing metrics: %v%s", refusal, hint).withReason(reasonOf(refusal))
	p.err = refused
	return draft.Fail(push, refused.Message)
}

// propose asks a draft for what a client wants.
func propose(draft *store.Draft, op store.Op, push store.Push) (store.Event, error) {
	switch op {
	case store.OpPut:
		return draft.Put(push)
	case store.OpPost:
		return draft.Post(push)
	case store.OpDelete:
		return draft.Delete(push.Key, push.Origin)
	case store.OpWipe:
		return draft.Wipe(push.Origin), nil
	}
	return store.Event{}, fmt.Errorf("clients cannot ask for operation %d (%s)", op, op)
}

// tooManyGroups is the refusal of a push that would make a group too many.
func tooManyGroups(limit *store.TooManyGroups) *Error {
	flag := "--push.max-groups"
	if limit.Quota.Rule != "" {
		flag = "--group.rules"
	}
	return refuse(CodeTooManyGroups, "%v (%s)", limit, flag)
}

// reasonOf returns the reason of a push that could be read.
func reasonOf(refusal error) string {
	var refused *decode.RefusedError
	if errors.As(refusal, &refused) {
		return refused.Reason
	}
	return reasonInconsistent
}
