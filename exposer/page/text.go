package page

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/exposer/api"
)

// functions are what the templates call.
func (p *Page) functions() template.FuncMap {
	return template.FuncMap{
		"count":   func(n any) string { return thousands(fmt.Sprint(n)) },
		"bytes":   sizeText,
		"age":     func(t time.Time) string { return span(p.now().Sub(t)) },
		"until":   func(t time.Time) string { return span(t.Sub(p.now())) },
		"past":    func(t time.Time) bool { return !t.After(p.now()) },
		"rfc":     func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"clock":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"seconds": func(s float64) string { return span(time.Duration(s * float64(time.Second))) },
		"chips":   chips,
		"hint":    p.hint,
		"label":   labelLink,
		"open":    groupLink,
		"percent": func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) },
		"lines":   func(text string) []string { return strings.Split(text, "\n") },
		"plural": func(n int, one, more string) string {
			if n == 1 {
				return "1 " + one
			}
			return thousands(strconv.Itoa(n)) + " " + more
		},
		"deref":      func(b *bool) bool { return *b },
		"lastOrigin": lastOrigin,
		"bar":        func(g api.GroupSummary) *ttlBar { return ttlBarOf(g, p.now()) },
		"plot":       plotOf,
	}
}

// span writes a duration for people, in two units at most. What is negative
// counts as nothing: clocks differ.
func span(d time.Duration) string {
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

// thousands puts commas into a whole number.
func thousands(digits string) string {
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// sizeText writes bytes in the unit that fits.
func sizeText(n uint64) string {
	v, unit := float64(n), 0
	for v >= 1024 && unit < 5 {
		v, unit = v/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.3g %s", v, []string{"", "KiB", "MiB", "GiB", "TiB", "PiB"}[unit])
}

// hint reads a value as people would who know the unit at the end of its name,
// "" where there is nothing to add.
func (p *Page) hint(name, value string) string {
	v, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	switch {
	case strings.HasSuffix(name, "_seconds") && v > 1e9 && v < 4e9:
		t := time.Unix(0, int64(v*1e9))
		return fmt.Sprintf("%s, %s ago", t.UTC().Format("2006-01-02 15:04:05 UTC"), span(p.now().Sub(t)))
	case strings.HasSuffix(name, "_seconds") && v >= 120 && v <= 1e8:
		return span(time.Duration(v * 1e9))
	case strings.HasSuffix(name, "_bytes") && v >= 1024 && v < 1<<62:
		return sizeText(uint64(v))
	}
	return ""
}

// chip is a label as it is shown.
type chip struct{ Name, Value string }

// chips are labels in the order of a group's path: job first, then by name.
func chips(labels map[string]string) []chip {
	all := make([]chip, 0, len(labels))
	for name, value := range labels {
		all = append(all, chip{name, value})
	}
	slices.SortFunc(all, func(a, b chip) int {
		switch {
		case a.Name == b.Name:
			return 0
		case a.Name == "job":
			return -1
		case b.Name == "job":
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}

// ttlBar is the age of a push against its time to live.
type ttlBar struct {
	Width float64 // of 100
	Class string
	Text  string
}

// ttlBarOf draws the bar of a group, nil if it never expires.
func ttlBarOf(g api.GroupSummary, now time.Time) *ttlBar {
	if g.TTL <= 0 || g.PushTime == nil {
		return nil
	}
	age := now.Sub(*g.PushTime).Seconds()
	share := min(1, max(0, age/g.TTL))
	b := &ttlBar{Width: 100 * share, Class: "fresh", Text: "of " + span(time.Duration(g.TTL*float64(time.Second)))}
	switch {
	case g.State == api.StateDead || share >= 1:
		b.Class = "over"
	case share > 2./3: // less than one push of three is left
		b.Class = "late"
	}
	return b
}
