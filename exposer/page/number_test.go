package page

import (
	"testing"
	"time"
)

// Values are written as people read them.
func TestNumber(t *testing.T) {
	p := &Page{now: func() time.Time { return now }}
	f := func(name, value, text, aside string) {
		t.Helper()
		if got := p.number(name, value); got.Text != text || got.Aside != aside || got.Raw != value {
			t.Errorf("%s %s: got %+v", name, value, got)
		}
	}
	f("last_success_timestamp_seconds", "1.7641584e+09", "2025-11-26 12:00:00 UTC", "364 d ago, 1764158400")
	f(`last_success{a="_bytes"}`, "1764158400", "2025-11-26 12:00:00 UTC", "364 d ago, 1764158400")
	f("next_run_time", "1.7956152e+09", "2026-11-25 14:00:00 UTC", "in 2 h, 1795615200")
	f("created_timestamp_ms", "1.7956008e+12", "2026-11-25 10:00:00 UTC", "2 h ago, 1795600800")
	f("duration_seconds", "7384", "7384", "2 h 3 min")
	f("duration_seconds", "12", "12", "")
	f("disk_bytes", "8.589934592e+09", "8 GiB", "8,589,934,592")
	f("sent_bytes_total", "2048", "2 KiB", "2048")
	f("disk_bytes", "100", "100", "")
	f("runs_total", "1.234567e+06", "1,234,567", "")
	f("runs_total", "-12345.5", "-12,345.5", "")
	f("runs_total", "1764158400", "1,764,158,400", "") // no time
	f("ratio", "0.25", "0.25", "")
	f("tiny", "1e-07", "1e-07", "")
	f("huge", "1e+18", "1e+18", "")
	f("x_seconds", "NaN", "NaN", "")
	f("x_bytes", "+Inf", "+Inf", "")
	f("x", "", "", "")
	f("zero_bytes", "0", "0", "")
}
