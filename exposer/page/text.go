package page

import (
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/exposer/api"
	"sluice/store/words"
)

// functions are what the templates call.
func (p *Page) functions() template.FuncMap {
	return template.FuncMap{
		"count":      func(n any) string { return words.Thousands(n) },
		"bytes":      words.Size,
		"age":        func(t time.Time) string { return words.Span(p.now().Sub(t)) },
		"until":      func(t time.Time) string { return words.Span(t.Sub(p.now())) },
		"past":       func(t time.Time) bool { return !t.After(p.now()) },
		"rfc":        func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"clock":      func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"seconds":    func(s float64) string { return words.Span(time.Duration(s * float64(time.Second))) },
		"chips":      chips,
		"number":     p.number,
		"reason":     reasonOf,
		"refused":    diedRefused,
		"label":      labelLink,
		"open":       groupLink,
		"percent":    func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) },
		"lines":      func(text string) []string { return strings.Split(text, "\n") },
		"plural":     words.Count,
		"deref":      func(b *bool) bool { return *b },
		"lastOrigin": lastOrigin,
		"bar":        func(g api.GroupSummary) *ttlBar { return ttlBarOf(g, p.now()) },
		"plot":       plotOf,
	}
}

// chip is a label on the page.
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
	b := &ttlBar{Width: 100 * share, Class: "fresh", Text: "of " + words.Span(time.Duration(g.TTL*float64(time.Second)))}
	switch {
	case g.State == api.StateDead || share >= 1:
		b.Class = "over"
	case share > 2./3: // less than one push of three is left
		b.Class = "late"
	}
	return b
}
