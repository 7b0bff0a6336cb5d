// Package selector chooses groups by their grouping labels, with the series
// selectors of Prometheus, parsed by its own parser.
package selector

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"sluice/store"
)

// maxLength bounds a selector in bytes: its regular expressions are compiled.
const maxLength = 4 << 10

// Selector chooses groups. The zero Selector chooses all.
type Selector struct {
	matchers []*labels.Matcher
	text     string
}

// Parse reads a selector such as {job="backup",instance=~"old-.*"}. The braces
// may be left out. A label that a group does not have counts as empty, and
// regular expressions match whole values, both as in Prometheus. There is no
// metric name: groups have none. The error is one line.
func Parse(text string) (Selector, error) {
	if len(text) > maxLength {
		return Selector{}, fmt.Errorf("a selector of %d bytes: there may be %d", len(text), maxLength)
	}
	inner := strings.TrimSpace(text)
	if inner == "" {
		return Selector{}, errors.New("the selector is empty")
	}
	// What has its first brace behind a matcher has none of its own.
	if i := strings.IndexAny(inner, "{=!"); i < 0 || inner[i] != '{' {
		inner = "{" + inner + "}"
	}
	matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(inner)
	if err != nil {
		return Selector{}, fmt.Errorf("cannot read selector %.200q: %s", text, oneLine(err))
	}
	for _, m := range matchers {
		if m.Name == model.MetricNameLabel {
			return Selector{}, fmt.Errorf("cannot use selector %.200q: groups have labels, and no metric name such as %.60q", text, m.Value)
		}
	}
	return Selector{matchers: matchers, text: inner}, nil
}

// oneLine is what a parser says, without line breaks.
func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

// Matches tells whether the selector chooses the group.
func (s Selector) Matches(key store.Key) bool {
	for _, m := range s.matchers {
		value, _ := key.Get(m.Name)
		if !m.Matches(value) {
			return false
		}
	}
	return true
}

// Narrows tells whether the selector asks for anything: that a label has a value,
// of some kind. Prometheus takes no query whose selectors do not, and what deletes
// groups should not either.
func (s Selector) Narrows() bool {
	return slices.ContainsFunc(s.matchers, func(m *labels.Matcher) bool { return !m.Matches("") })
}

// String returns the selector with its braces.
func (s Selector) String() string { return s.text }

// Selectors chooses what one of them chooses. None choose all, as in the API of
// Prometheus.
type Selectors []Selector

// ParseAll reads several selectors.
func ParseAll(texts []string) (Selectors, error) {
	all := make(Selectors, 0, len(texts))
	for _, text := range texts {
		s, err := Parse(text)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// Matches tells whether one of them chooses the group.
func (all Selectors) Matches(key store.Key) bool {
	return len(all) == 0 || slices.ContainsFunc(all, func(s Selector) bool { return s.Matches(key) })
}
