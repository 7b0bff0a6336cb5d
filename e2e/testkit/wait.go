package testkit

import (
	"testing"
	"time"
)

// Patience bounds a wait for something that happens at once unless it is broken.
// It is long because the machine may be busy.
const Patience = 30 * time.Second

// pollInterval is the time between two looks at a condition.
const pollInterval = 2 * time.Millisecond

// Within polls the condition until it is true. It ends the test if that does not
// happen within the bound; what says what was waited for. Like T.FailNow it must be
// called from the test's goroutine.
func Within(tb testing.TB, bound time.Duration, what string, condition func() bool) {
	tb.Helper()
	for start := time.Now(); !condition(); time.Sleep(pollInterval) {
		if time.Since(start) > bound {
			tb.Fatalf("not within %s: %s", bound, what)
		}
	}
}

// Eventually is Within with Patience.
func Eventually(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	Within(tb, Patience, what, condition)
}
