package main

import "testing"

// A label value is bounded by the body, unless the flag is given, be it with its
// default.
func TestLabelValueLimitNeedsItsFlag(t *testing.T) {
	f := func(want int, args ...string) {
		t.Helper()
		cfg, err := configOf(args...)
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.gateway.Front.Limits.ValueBytes; got != want {
			t.Errorf("%v: got %d, want %d", args, got, want)
		}
	}
	f(0)
	f(16<<10, "--push.max-label-bytes=16384")
	f(100, "--push.max-label-bytes=100")
	t.Setenv("SLUICE_PUSH_MAX_LABEL_BYTES", "200")
	f(200)
}
