package exposer

import (
	"fmt"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	"sluice/store"
)

// distinct returns the families without those that have no place in a scrape with
// escaped names: whose name, or that of a series, becomes the same as one of another
// family. Such pushes are refused, but the stream may hold what an older gateway has
// accepted. A legacy name keeps its place; of other names the first one does.
func distinct(families []exposed, scheme model.EscapingScheme) (kept []exposed, leftOut []string) {
	if scheme == model.NoEscaping || !slices.ContainsFunc(families, hasUTF8Name) {
		return families, nil
	}
	types := make(map[string]dto.MetricType, len(families))
	for i := range families {
		if e := &families[i]; !hasUTF8Name(*e) {
			types[e.name] = e.typ()
		}
	}
	kept = make([]exposed, 0, len(families))
	for _, e := range families {
		if hasUTF8Name(e) {
			name := store.EscapeMetricName(e.name, scheme)
			if isTaken(name, e.typ(), types) {
				leftOut = append(leftOut, e.name)
				continue
			}
			types[name] = e.typ()
		}
		kept = append(kept, e)
	}
	return kept, leftOut
}

// checkEscaped returns why a scrape of all the families with escaped names is not
// possible, nil if it is.
func checkEscaped(families []exposed, scheme model.EscapingScheme) error {
	kept, leftOut := distinct(families, scheme)
	if len(leftOut) > 0 {
		return fmt.Errorf("with escaping=%s the name of family %q becomes the same as another one", scheme, leftOut[0])
	}
	for i := range kept {
		e := newEscaper(&kept[i], scheme)
		if !e.strict {
			continue
		}
		message, err := kept[i].message()
		if err != nil {
			return fmt.Errorf("family %q: %w", kept[i].name, err)
		}
		if e.escape(message); e.leftOut != nil {
			return fmt.Errorf("with escaping=%s two labels of a series, or two series, of family %q become the same: { %s}", scheme, kept[i].name, e.leftOut)
		}
	}
	return nil
}

func hasUTF8Name(e exposed) bool { return !model.LegacyValidation.IsValidMetricName(e.name) }

// isTaken tells whether a family of the name and type cannot be in one scrape with
// others, of which there are the types: one has the same name, or one of the two has
// the name of a series of the other. As in the check of pushes, and in Pushgateway, a
// gauge histogram is in nobody's way by its series.
func isTaken(name string, typ dto.MetricType, types map[string]dto.MetricType) bool {
	if _, taken := types[name]; taken {
		return true
	}
	claims := func(typ dto.MetricType, suffix string) bool {
		return typ != dto.MetricType_GAUGE_HISTOGRAM && hasSeries(typ, suffix)
	}
	for _, suffix := range []string{"_count", "_sum", "_bucket"} {
		if _, taken := types[name+suffix]; taken && claims(typ, suffix) {
			return true
		}
		if base, ok := strings.CutSuffix(name, suffix); ok {
			if other, taken := types[base]; taken && claims(other, suffix) {
				return true
			}
		}
	}
	return false
}
