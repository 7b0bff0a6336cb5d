package search

import (
	"strings"
	"unicode"

	"github.com/prometheus/common/model"
)

// Term writes the search for the groups that have a label.
func Term(name, value string) string {
	if !model.LegacyValidation.IsValidLabelName(name) {
		name = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
	}
	return name + "=" + quote(value)
}

// quote writes a value as Parse reads it back: behind "=" a tilde would be part of
// the operator.
func quote(value string) string {
	if value != "" && value[0] != '"' && value[0] != '~' && !strings.ContainsFunc(value, unicode.IsSpace) {
		return value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}
