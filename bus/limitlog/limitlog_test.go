package limitlog

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLinesThatExceedTheRateAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := New(slog.New(slog.NewTextHandler(&out, nil)))
		logged := func(wait time.Duration, lines int) string {
			out.Reset()
			time.Sleep(wait)
			for range lines {
				l.Warn("bad peer")
			}
			text := out.String()
			report := "no report"
			if _, after, ok := strings.Cut(text, "left out\" lines="); ok {
				report, _, _ = strings.Cut(after, "\n")
			}
			return strings.Repeat("x", strings.Count(text, "bad peer")) + " " + report
		}
		f := func(wait time.Duration, lines int, want string) {
			t.Helper()
			if got := logged(wait, lines); got != want {
				t.Errorf("%d lines after %s: got %q, want %q", lines, wait, got, want)
			}
		}
		f(0, 25, "xxxxxxxxxx no report")
		f(time.Second, 5, "x 15")
		f(time.Second, 5, "x no report") // the next report has its period to wait
		f(period, 20, "xxxxxxxxxx 8")
		f(period, 1, "x 10")
		f(period, 10, "xxxxxxxxxx no report")
	})
}

// A flood that does not end is logged at the rate, with the reports one line more a
// period.
func TestAFloodIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := New(slog.New(slog.NewTextHandler(&out, nil)))
		const periods = 6
		for range periods * 1000 {
			l.Info("again")
			time.Sleep(period / 1000)
		}
		if lines, most := strings.Count(out.String(), "\n"), Burst+periods*(Burst+1); lines > most || lines < periods*Burst {
			t.Errorf("got %d lines in %d periods, want %d to %d", lines, periods, periods*Burst, most)
		}
	})
}
