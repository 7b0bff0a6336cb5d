package words

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	f := func(seconds int, want string) {
		t.Helper()
		if got := Span(time.Duration(seconds) * time.Second); got != want {
			t.Errorf("%d: %s, want %s", seconds, got, want)
		}
	}
	f(-5, "0 s")
	f(59, "59 s")
	f(60, "1 min")
	f(61, "1 min 1 s")
	f(3599, "59 min")
	f(3660, "1 h 1 min")
	f(90000, "1 d 1 h")
	f(40*86400, "40 d")
}

func TestCount(t *testing.T) {
	f := func(n int, want string) {
		t.Helper()
		if got := Count(n, "group", "groups"); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
	f(0, "0 groups")
	f(1, "1 group")
	f(2, "2 groups")
	f(1000, "1,000 groups")
	f(-1234567, "-1,234,567 groups")
	f(-123, "-123 groups")
}

func TestSize(t *testing.T) {
	f := func(n uint64, want string) {
		t.Helper()
		if got := Size(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
	f(0, "0 B")
	f(1023, "1023 B")
	f(1024, "1 KiB")
	f(1_531_000, "1.46 MiB")
	f(3<<30, "3 GiB")
	f(1<<63, "8.19e+03 PiB")
}
