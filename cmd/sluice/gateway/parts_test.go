package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// ends is a list of the names of parts in the order of their end.
type ends struct {
	mu    sync.Mutex
	names []string
}

// part returns one that takes a time to stop.
func (e *ends) part(name string, slow time.Duration) part {
	return part{run: func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(slow)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.names = append(e.names, name)
		return nil
	}}
}

// What was started last is stopped first, and is waited for.
func TestStagesStopInReverseOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e ends
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := runStages(ctx,
			stage{e.part("stream", 0)},
			stage{e.part("committer", time.Second)},
			stage{e.part("HTTP", 20*time.Second), e.part("NATS", 10*time.Second)})
		if want := []string{"NATS", "HTTP", "committer", "stream"}; err != nil || !slices.Equal(e.names, want) {
			t.Errorf("ended %q, want %q: %v", e.names, want, err)
		}
	})
}

// The first failure stops all, and no error is lost.
func TestStagesStopWhenAPartFails(t *testing.T) {
	f := func(want string, first part) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			var e ends
			start := time.Now()
			err := runStages(t.Context(), stage{e.part("below", 0)}, stage{first}, stage{{run: func(ctx context.Context) error {
				<-ctx.Done()
				return errors.New("cannot stop")
			}}})
			if err == nil || strings.ReplaceAll(err.Error(), "\n", "; ") != want || len(e.names) != 1 || time.Since(start) != time.Minute {
				t.Errorf("got %v after %s, want %s; ended %q", err, time.Since(start), want, e.names)
			}
		})
	}
	after := func(err error) func(context.Context) error {
		return func(context.Context) error {
			time.Sleep(time.Minute)
			return err
		}
	}
	f("cannot stop; broken", part{run: after(errors.New("broken"))})
	f("cannot stop; broken", part{run: after(errors.New("broken")), mayEnd: true})
	f("cannot stop", part{run: after(nil)})
}

// A part whose work is done stops nothing.
func TestStagesGoOnWithoutAPartThatMayEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		var e ends
		err := runStages(ctx, stage{{run: func(context.Context) error { return nil }, mayEnd: true}, e.part("other", 0)})
		if err != nil || time.Since(start) != time.Hour {
			t.Errorf("got %v after %s", err, time.Since(start))
		}
	})
}
