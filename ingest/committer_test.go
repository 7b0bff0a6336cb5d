package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/bus"
	"sluice/e2e/testkit"
	"sluice/ingest/decode"
	"sluice/store"
)

func putChange(tb testing.TB, path, body string) Change {
	tb.Helper()
	key, err := store.ParseKey(path)
	if err != nil {
		tb.Fatal(err)
	}
	families, err := decode.Families([]byte(body), "", key, decode.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return Change{Op: store.OpPut, Key: key, Families: families, Time: time.Now()}
}

// In one batch a bad change is answered alone, and each change sees those
// before it.
func TestBatch(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	var mu sync.Mutex
	var order []string
	var answered sync.WaitGroup
	answered.Add(4)
	// All four wait before the committer gets to the first: it is busy with this.
	block := make(chan struct{})
	hold := putChange(t, "/job/hold", "h 1\n")
	if err := g.committer.Enqueue(t.Context(), hold, func(error) { <-block }); err != nil {
		t.Fatal(err)
	}
	for i, body := range []string{"# TYPE m gauge\nm 1\n", "# TYPE m counter\nm 1\n", "# TYPE m gauge\nm 2\n", "n 1\n"} {
		err := g.committer.Enqueue(t.Context(), putChange(t, fmt.Sprintf("/job/j%d", i), body), func(err error) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, fmt.Sprintf("%d:%v", i, err == nil))
			answered.Done()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	close(block)
	answered.Wait()
	if got := strings.Join(order, " "); got != "0:true 1:false 2:true 3:true" {
		t.Errorf("got %s", got)
	}
}

// Nobody changes anything while an import goes on, not even those who were let in
// before it began; only a wipe ends it.
func TestAnImportExcludesChanges(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	// The committer is busy with the answer to this one while an import begins.
	held, block := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(block) })
	defer release()
	err := g.committer.Enqueue(t.Context(), putChange(t, "/job/hold", "h 1\n"), func(error) { close(held); <-block })
	if err != nil {
		t.Fatal(err)
	}
	<-held
	early := make(chan error, 1)
	if err := g.committer.Enqueue(t.Context(), putChange(t, "/job/early", "a 1\n"), func(err error) { early <- err }); err != nil {
		t.Fatal(err)
	}
	last, err := g.bus.CatchUp(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.bus.Append(t.Context(), last, []store.Event{{Op: store.OpImport}}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.bus.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	release()
	var refused *Error
	if err := <-early; !errors.As(err, &refused) || refused.Code != CodeNotReady || !strings.Contains(refused.Message, "import") {
		t.Errorf("the one that was let in before: %v", err)
	}
	for _, method := range []string{"PUT", "POST", "DELETE"} {
		if code, text := g.do(method, "/metrics/job/late", "a 1\n"); code != 503 || !strings.Contains(text, "import") {
			t.Errorf("%s: %d %s", method, code, text)
		}
	}
	// A push that cannot be accepted leaves no trace either.
	if code, _ := g.do("PUT", "/metrics/job/late", "a 1 1\n"); code != 503 || g.store.Groups() != 0 {
		t.Errorf("a bad push: %d, and %d groups", code, g.store.Groups())
	}
	if code, text := g.do("PUT", "/wipe", ""); code != 202 {
		t.Errorf("a wipe: %d %s", code, text)
	}
	if code, text := g.do("PUT", "/metrics/job/later", "a 1\n"); code != 200 {
		t.Errorf("after the wipe: %d %s", code, text)
	}
}

// A change that nobody waits for any more costs nothing and changes nothing.
func TestAbandonedChangeIsDropped(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g.committer.freezes.ended.Store(time.Now().Add(time.Hour).UnixNano()) // it has waited over a freeze
	verdict := make(chan error, 1)
	if err := g.committer.Enqueue(ctx, putChange(t, "/job/gone", "a 1\n"), func(err error) { verdict <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-verdict; err == nil {
		t.Error("got no error")
	}
	if n := g.store.Groups(); n != 0 {
		t.Errorf("got %d groups, want none", n)
	}
}

func TestTooManyWaiting(t *testing.T) {
	g := startGateway(t, bus.Config{}, CommitterConfig{Wait: patience, MaxWaiting: 3})
	block, answered := make(chan struct{}), make(chan error, 10)
	if err := g.committer.Enqueue(t.Context(), putChange(t, "/job/hold", "h 1\n"), func(error) { <-block }); err != nil {
		t.Fatal(err)
	}
	accepted := 0
	var last error
	for i := range 5 {
		err := g.committer.Enqueue(t.Context(), putChange(t, fmt.Sprintf("/job/j%d", i), "a 1\n"), func(err error) { answered <- err })
		if err == nil {
			accepted++
		} else {
			last = err
		}
	}
	close(block)
	var refused *Error
	if !errors.As(last, &refused) || refused.Code != CodeBusy || refused.RetryAfter == 0 || !strings.Contains(refused.Message, "--push.max-waiting") {
		t.Errorf("got %v, want a refusal that names the flag", last)
	}
	for range accepted {
		if err := <-answered; err != nil {
			t.Errorf("one that waited: %v", err)
		}
	}
	if code, text := g.do("PUT", "/metrics/job/later", "a 1\n"); code != 200 {
		t.Errorf("got %d %s when the queue is empty again", code, text)
	}
}

// Many at once: all that were accepted are there, and the conflicting ones have
// one side only.
func TestConcurrentPushes(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	var accepted atomic.Int64
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			kind := []string{"gauge", "counter"}[i%2]
			if code, _ := g.do("PUT", fmt.Sprintf("/metrics/job/c%d", i), "# TYPE z "+kind+"\nz 1\n"); code == 200 {
				accepted.Add(1)
			}
		})
	}
	all.Wait()
	if accepted.Load() != 20 || strings.Count(g.text(), "\n") != 20 {
		t.Errorf("got %d accepted and\n%s", accepted.Load(), g.text())
	}
}

// A change that cannot be judged is refused by itself. It is never answered as if
// it had been accepted, and the others of its batch go on.
func TestAChangeThatCannotBeJudgedIsRefused(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	block := make(chan struct{})
	if err := g.committer.Enqueue(t.Context(), putChange(t, "/job/hold", "h 1\n"), func(error) { <-block }); err != nil {
		t.Fatal(err)
	}
	verdicts := make([]chan error, 3)
	for i := range verdicts {
		verdicts[i] = make(chan error, 1)
		c := putChange(t, fmt.Sprintf("/job/j%d", i), "a 1\n")
		if i == 1 {
			c.Op = 99 // no operation
		}
		if err := g.committer.Enqueue(t.Context(), c, func(err error) { verdicts[i] <- err }); err != nil {
			t.Fatal(err)
		}
	}
	close(block)
	for i, refused := range []bool{false, true, false} {
		err := <-verdicts[i]
		if (err != nil) != refused {
			t.Errorf("change %d: got %v, refused should be %t", i, err, refused)
		}
		if group := g.store.Group(testkit.MustKey(fmt.Sprintf("/job/j%d", i))); (group == nil) != refused {
			t.Errorf("change %d: got group %v, refused should be %t", i, group, refused)
		}
	}
}
