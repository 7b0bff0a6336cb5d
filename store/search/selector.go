package search

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/prometheus/common/model"
)

// Selector returns the search as a selector of Prometheus that chooses the same
// groups. There is none for words and for expressions of any label, nor for a
// search that fits a group without any of its labels: whoever deletes by
// selector must ask for one.
func (s Search) Selector() (text string, ok bool) {
	var matchers []string
	asks := false
	for _, t := range s.terms {
		operator, text := "=", t.text
		none := t.text == ""
		switch t.kind {
		case value:
		case expression:
			// Those of Prometheus fit whole values, and their dot fits line breaks.
			operator, text = "=~", "(?s:.*)(?-s:"+t.text+")(?s:.*)"
			none = t.re.MatchString("")
		default:
			return "", false
		}
		if t.not {
			operator = map[string]string{"=": "!=", "=~": "!~"}[operator]
		}
		asks = asks || none == t.not
		matchers = append(matchers, labelName(t.label)+operator+strconv.Quote(text))
	}
	return "{" + strings.Join(matchers, ",") + "}", asks
}

func labelName(name string) string {
	if model.LegacyValidation.IsValidLabelName(name) {
		return name
	}
	return strconv.Quote(name)
}

// Quote writes a value as Parse reads it back: behind "=" a tilde would be part of
// the operator.
func Quote(value string) string {
	if value != "" && value[0] != '"' && value[0] != '~' && !strings.ContainsFunc(value, unicode.IsSpace) {
		return value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}

// Term writes the search for the groups that have a label.
func Term(name, value string) string {
	if !model.LegacyValidation.IsValidLabelName(name) {
		name = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
	}
	return name + "=" + Quote(value)
}
