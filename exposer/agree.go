package exposer

import (
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"sluice/store"
)

// agreeing returns the own families that can be in one scrape with the stored
// ones. All can where pushes were checked against them; but the stream may hold
// groups that were pushed to a gateway that keeps its own families apart, or to
// a version that has no such family. These are shown, and the own family is only
// where it stands alone.
func agreeing(own []*dto.MetricFamily, stored []store.ViewFamily) []*dto.MetricFamily {
	kept := make([]*dto.MetricFamily, 0, len(own))
	for _, f := range own {
		if !contradicted(f, stored) {
			kept = append(kept, f)
		}
	}
	return kept
}

// contradicted tells whether a stored family has the name of an own one but
// another type, or whether one of the two has the name of a series of the other,
// as prometheus.Gatherers sees it.
func contradicted(own *dto.MetricFamily, stored []store.ViewFamily) bool {
	name := own.GetName()
	if typ, ok := typeOf(name, stored); ok && typ != own.GetType() {
		return true
	}
	for _, suffix := range []string{"_count", "_sum", "_bucket"} {
		if hasSeries(own.GetType(), suffix) {
			if _, ok := typeOf(name+suffix, stored); ok {
				return true
			}
		}
		if base, ok := strings.CutSuffix(name, suffix); ok {
			if typ, ok := typeOf(base, stored); ok && hasSeries(typ, suffix) {
				return true
			}
		}
	}
	return false
}

// hasSeries tells whether families of a type have series whose name ends so.
func hasSeries(typ dto.MetricType, suffix string) bool {
	switch typ {
	case dto.MetricType_SUMMARY:
		return suffix != "_bucket"
	case dto.MetricType_HISTOGRAM, dto.MetricType_GAUGE_HISTOGRAM:
		return true
	}
	return false
}

func typeOf(name string, stored []store.ViewFamily) (dto.MetricType, bool) {
	i, found := slices.BinarySearchFunc(stored, name, func(f store.ViewFamily, name string) int {
		return strings.Compare(f.Name(), name)
	})
	if !found {
		return 0, false
	}
	return stored[i].Type(), true
}
