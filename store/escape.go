package store

import (
	"slices"
	"strings"

	"github.com/prometheus/common/model"
)

// A scraper that reads legacy names only, as Prometheus 2 does, is answered with
// all other names escaped. It chooses the escaping scheme. The schemes are not
// injective: two names may become one.

// escapingSchemes are the schemes that change names.
var escapingSchemes = [...]model.EscapingScheme{model.UnderscoreEscaping, model.DotsEscaping, model.ValueEncodingEscaping}

// schemes is a set of escaping schemes, one bit each.
type schemes uint8

const allSchemes schemes = 1<<model.UnderscoreEscaping | 1<<model.DotsEscaping | 1<<model.ValueEncodingEscaping

func only(s model.EscapingScheme) schemes { return 1 << s }

// first returns the first scheme of the set.
func (s schemes) first() model.EscapingScheme {
	for _, scheme := range escapingSchemes {
		if s&only(scheme) != 0 {
			return scheme
		}
	}
	return model.NoEscaping
}

func isLegacyMetric(name string) bool { return model.LegacyValidation.IsValidMetricName(name) }
func isLegacyLabel(name string) bool  { return model.LegacyValidation.IsValidLabelName(name) }

// EscapeMetricName returns the name of a family as a scrape with the given
// escaping has it: a legacy name as it is, as model.EscapeMetricFamily does.
func EscapeMetricName(name string, scheme model.EscapingScheme) string {
	if isLegacyMetric(name) {
		return name
	}
	return model.EscapeName(name, scheme)
}

// EscapeLabelName returns the name of a label as a scrape with the given escaping
// has it: a legacy name as it is. model.EscapeName takes every name for that of a
// metric and leaves colons where they are, which label names must not have.
func EscapeLabelName(name string, scheme model.EscapingScheme) string {
	if isLegacyLabel(name) {
		return name
	}
	escaped := model.EscapeName(name, scheme)
	switch scheme {
	case model.UnderscoreEscaping:
		return strings.ReplaceAll(escaped, ":", "_")
	case model.DotsEscaping:
		return strings.ReplaceAll(escaped, ":", "__")
	case model.ValueEncodingEscaping:
		return strings.ReplaceAll(escaped, ":", "_3a_")
	}
	return escaped
}

// metricName is the name of a family, as aliases knows it.
type metricName string

func (n metricName) escape(scheme model.EscapingScheme) metricName {
	return metricName(EscapeMetricName(string(n), scheme))
}

// labelNames is a set of label names as one string: sorted, with a byte between
// them that no name has. It is a key of maps.
type labelNames string

const nameSeparator = "\xff"

func joinNames(names []string) labelNames { return labelNames(strings.Join(names, nameSeparator)) }

func (n labelNames) split() []string { return strings.Split(string(n), nameSeparator) }

// legacy tells whether all names are legacy names.
func (n labelNames) legacy() bool {
	return !slices.ContainsFunc(n.split(), func(name string) bool { return !isLegacyLabel(name) })
}

// escape returns the set of the escaped names. Where two of them are the same it
// has them twice.
func (n labelNames) escape(scheme model.EscapingScheme) labelNames {
	names := n.split()
	for i, name := range names {
		names[i] = EscapeLabelName(name, scheme)
	}
	slices.Sort(names)
	return joinNames(names)
}
