package page

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"sluice/store/words"
)

// number is a value as people read it.
type number struct {
	Text  string // 2025-11-25 11:00:00 UTC, 3 GiB, 1,234,567
	Aside string // what else is to be known: the age, the exact number; may be ""
	Raw   string // as it was pushed
}

// timeName fits names of metrics that are times, if their values look like times.
var timeName = regexp.MustCompile(`timestamp|_(seconds|time|at|date|milliseconds|ms)$|last_(success|failure|run|completion|start|end|push|seen)$`)

// number writes the value of a series in the unit that its name ends with.
func (p *Page) number(series, value string) number {
	n := number{Text: value, Raw: value}
	v, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return n
	}
	n.Text = plain(v, value)
	name, _, _ := strings.Cut(series, "{")
	name = strings.TrimSuffix(name, "_total")
	isTime := timeName.MatchString(name)
	switch {
	case strings.HasSuffix(name, "_bytes") && v >= 1024 && v < 1<<62:
		n.Text, n.Aside = words.Size(uint64(v)), n.Text
	case isTime && v > 1e9 && v < 4e9:
		n.Text, n.Aside = p.moment(v)
	case isTime && v > 1e12 && v < 4e12:
		n.Text, n.Aside = p.moment(v / 1e3)
	case strings.HasSuffix(name, "_seconds") && v >= 120 && v <= 1e8:
		n.Aside = words.Span(time.Duration(v * 1e9))
	}
	return n
}

// moment writes a time in seconds since 1970, and beside it how long ago it was,
// and the seconds.
func (p *Page) moment(seconds float64) (text, aside string) {
	t := time.UnixMilli(int64(seconds * 1e3))
	age := p.now().Sub(t)
	aside = words.Span(age) + " ago"
	if age < 0 {
		aside = "in " + words.Span(-age)
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC"), aside + ", " + strconv.FormatFloat(seconds, 'f', -1, 64)
}

// plain writes a number without an exponent and with commas. Numbers that would be
// longer than people read stay as they are.
func plain(v float64, value string) string {
	if abs := math.Abs(v); abs >= 1e15 || abs != 0 && abs < 1e-4 {
		return value
	}
	whole, rest, fraction := strings.Cut(strconv.FormatFloat(v, 'f', -1, 64), ".")
	if len(strings.TrimPrefix(whole, "-")) > 4 { // years and ports have no comma
		whole = words.Thousands(whole)
	}
	if fraction {
		return whole + "." + rest
	}
	return whole
}
