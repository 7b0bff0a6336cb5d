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
}

// Parse reads a selector such as {job="backup",instance=~"old-.*"}. The braces
// may be left out. A label that a group does not have counts as empty, and
// regular expressions match whole values, both as in Prometheus. There is no
// metric name: groups have none. The error is one line.
func Parse(text string) (Selector, error) {
	if len(text) > maxLength {
		return Selector{}, fmt.Errorf("a selector of %d bytes: there may be %d", len(text), maxLength)
	}
	if strings.TrimSpace(text) == "" {
		return Selector{}, errors.New("the selector is empty")
	}
	matchers, err := read(text)
	if err != nil {
		return Selector{}, fmt.Errorf("cannot read selector %.200q: %s", text, oneLine(err))
	}
	for _, m := range matchers {
		if m.Name == model.MetricNameLabel {
			return Selector{}, fmt.Errorf("cannot use selector %.200q: groups have labels, and no metric name such as %.60q", text, m.Value)
		}
	}
	return Selector{matchers: matchers}, nil
}

// read parses a selector with braces or without. Only the parser knows which it
// is: a quoted label name may have braces of its own.
func read(text string) ([]*labels.Matcher, error) {
	p := parser.NewParser(parser.Options{})
	matchers, err := p.ParseMetricSelector(text)
	if err == nil {
		return matchers, nil // a metric name among them is for the caller to refuse
	}
	// The line break ends a comment, which would take the brace with it.
	bare, errBare := p.ParseMetricSelector("{" + text + "\n}")
	switch {
	case errBare == nil:
		return bare, nil
	case strings.HasPrefix(strings.TrimSpace(text), "{"):
		return nil, reasonOf(err)
	default:
		return nil, reasonOf(errBare)
	}
}

// reasonOf is an error of the parser without the position, which counts braces
// that the text does not have.
func reasonOf(err error) error {
	var all parser.ParseErrors
	if errors.As(err, &all) && len(all) > 0 && all[0].Err != nil {
		return all[0].Err
	}
	return err
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

// String returns the selector with its braces, in one line, without comments.
func (s Selector) String() string {
	texts := make([]string, len(s.matchers))
	for i, m := range s.matchers {
		texts[i] = m.String()
	}
	return "{" + strings.Join(texts, ",") + "}"
}

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
