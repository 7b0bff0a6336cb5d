package ingest

import (
	"context"

	"sluice/store"
)

// deletesAtOnce is how many deletes of one request wait for their verdict
// together, so that it leaves room for pushes.
const deletesAtOnce = 256

// ReadyToDelete returns why no group can be deleted now, an *Error, and nil if
// groups can.
func (f *Front) ReadyToDelete() error { return f.committer.ready(store.OpDelete) }

// DeleteGroups deletes groups for the client at an address (host:port), each like
// by a request of its own, and waits for the verdicts. It returns those that are
// deleted, and the first reason why others are not, an *Error. It blocks until
// then, at most for the time that a change may wait.
func (f *Front) DeleteGroups(ctx context.Context, keys []store.Key, client string) (done []store.Key, failed error) {
	origin := originOf(client, userOf(ctx))
	type verdict struct {
		key store.Key
		err error
	}
	verdicts := make(chan verdict, deletesAtOnce)
	waiting := 0
	receive := func() bool {
		select {
		case v := <-verdicts:
			waiting--
			f.record(store.OpDelete, viaHTTP, v.key, v.err, func() string { return origin })
			if v.err == nil {
				done = append(done, v.key)
			} else if failed == nil {
				failed = v.err
			}
			return true
		case <-f.committer.ended:
			failed = refuse(CodeUnavailable, "the gateway is stopping")
			return false
		}
	}
	for _, key := range keys {
		if waiting == deletesAtOnce && !receive() || failed != nil {
			break
		}
		c := Change{Op: store.OpDelete, Key: key, Time: f.now(), Origin: origin}
		if failed = f.committer.Enqueue(ctx, c, func(err error) { verdicts <- verdict{key, err} }); failed != nil {
			break
		}
		waiting++
	}
	for waiting > 0 && receive() {
	}
	return done, failed
}
