package testkit

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// failing is a test that notes how it was ended.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// said runs a helper in a goroutine of its own and returns what it fails with, ""
// if it succeeds.
func said(helper func(tb testing.TB)) string {
	f := &failing{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		helper(f)
	}()
	<-done
	return f.said
}

func TestWithin(t *testing.T) {
	f := func(trueAfter, bound time.Duration, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			got := said(func(tb testing.TB) {
				Within(tb, bound, "the end", func() bool { return time.Since(start) >= trueAfter })
			})
			if got != want {
				t.Errorf("true after %s, bound %s: it says %q, want %q", trueAfter, bound, got, want)
			}
			if waited := time.Since(start); waited > min(trueAfter, bound)+2*pollInterval {
				t.Errorf("true after %s, bound %s: it has waited %s", trueAfter, bound, waited)
			}
		})
	}
	f(0, 0, "")
	f(0, time.Second, "")
	f(time.Second, 2*time.Second, "")
	f(time.Hour, time.Second, "not within 1s: the end")
}

func TestEventually(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if got, want := said(func(tb testing.TB) { Eventually(tb, "never", func() bool { return false }) }), "not within 30s: never"; got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	})
}
