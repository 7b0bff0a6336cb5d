// Package words writes numbers, durations and sizes for people. Its functions are
// pure.
package words

import (
	"fmt"
	"time"
)

// Count writes how many there are: "1 group", "0 groups", "1,200 groups".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Thousands(n) + " " + many
}

// Thousands writes a whole number with commas: 1,234,567. It takes any type of
// integer, since templates have all of them.
func Thousands(n any) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Span writes a duration in two units at most. A negative one is 0 s: clocks differ.
func Span(d time.Duration) string {
	s := int64(max(0, d) / time.Second)
	two := func(a int64, unitA string, b int64, unitB string) string {
		if b == 0 {
			return fmt.Sprintf("%d %s", a, unitA)
		}
		return fmt.Sprintf("%d %s %d %s", a, unitA, b, unitB)
	}
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 600:
		return two(s/60, "min", s%60, "s")
	case s < 3600:
		return fmt.Sprintf("%d min", s/60)
	case s < 86400:
		return two(s/3600, "h", s%3600/60, "min")
	case s < 30*86400:
		return two(s/86400, "d", s%86400/3600, "h")
	}
	return fmt.Sprintf("%d d", s/86400)
}

// Size writes bytes with three digits and the unit that fits: 1.46 MiB.
func Size(n uint64) string {
	v, unit := float64(n), 0
	for v >= 1024 && unit < 5 {
		v, unit = v/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.3g %s", v, []string{"", "KiB", "MiB", "GiB", "TiB", "PiB"}[unit])
}
