package event

import (
	"testing"

	"pgregory.net/rapid"
)

func TestTimesAreExact(t *testing.T) {
	f := func(nanos int64, want string) {
		t.Helper()
		if got := formatTime(nanos); got != want {
			t.Errorf("%d: got %s, want %s", nanos, got, want)
		}
	}
	f(0, "0")
	f(1, "0.000000001")
	f(1_700_000_000_000_000_000, "1700000000")
	f(1_700_000_000_120_000_000, "1700000000.12")
	f(-1_500_000_000, "-1.5")
	f(-9223372036854775808, "-9223372036.854775808")
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Int64Min(-1<<63+1).Draw(t, "nanos")
		if got, err := parseTime(formatTime(want)); err != nil || got != want {
			t.Fatalf("%d becomes %d, %v", want, got, err)
		}
	})
	for _, bad := range []string{"x", "1.1234567891", "-", "1,5", "99999999999", "1e9", "+1", "1.-5", "9223372036.854775808"} {
		if got, err := parseTime(bad); err == nil {
			t.Errorf("%q is read as %d", bad, got)
		}
	}
}
