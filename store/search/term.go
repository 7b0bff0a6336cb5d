package search

import (
	"strings"
	"unicode"

	"github.com/prometheus/common/model"
)

// Term returns the search for the groups that have a label with this value.
func Term(name, value string) string {
	if !model.LegacyValidation.IsValidLabelName(name) {
		name = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
	}
	return name + "=" + quote(value)
}

// quote writes a value so that Parse reads it back. A tilde behind "=" would be part of
// the operator.
func quote(value string) string {
	if value != "" && value[0] != '"' && value[0] != '~' && !strings.ContainsFunc(value, unicode.IsSpace) {
		return value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}
