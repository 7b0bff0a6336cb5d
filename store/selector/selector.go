// Package selector selects groups by their grouping labels. It takes the series
// selectors of Prometheus and parses them with Prometheus' own parser.
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

// maxLength bounds a selector in bytes, because its regular expressions are compiled.
const maxLength = 4 << 10

// Selector selects groups. The zero Selector selects all. Its methods may be called
// concurrently.
type Selector struct {
	matchers []*labels.Matcher
}

// Parse reads a selector such as {job="backup",instance=~"old-.*"}. The braces may be
// left out. A label that a group does not have counts as empty, and regular expressions
// match whole values; both are as in Prometheus. A metric name is an error, because
// groups have none. The error is one line.
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

// read parses a selector with braces or without. Only the parser can tell which it is,
// because a quoted label name may contain braces.
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

// reasonOf returns the parser's error without the position, which counts braces that the
// text does not have.
func reasonOf(err error) error {
	var all parser.ParseErrors
	if errors.As(err, &all) && len(all) > 0 && all[0].Err != nil {
		return all[0].Err
	}
	return err
}

// oneLine returns the text of an error without line breaks.
func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

// Matches reports whether the selector selects the group of the key.
func (s Selector) Matches(key store.Key) bool {
	for _, m := range s.matchers {
		value, _ := key.Get(m.Name)
		if !m.Matches(value) {
			return false
		}
	}
	return true
}

// Narrows reports whether a matcher requires that a label has a value. Prometheus refuses
// a query whose selectors do not, and so must what deletes groups.
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

// Selectors select the groups that at least one of them selects. No Selectors select all
// groups, as in the API of Prometheus.
type Selectors []Selector

// ParseAll parses each text as Parse does, up to the first error.
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

// Matches reports whether one of them selects the group of the key.
func (all Selectors) Matches(key store.Key) bool {
	return len(all) == 0 || slices.ContainsFunc(all, func(s Selector) bool { return s.Matches(key) })
}
