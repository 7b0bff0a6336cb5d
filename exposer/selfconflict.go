package exposer

import (
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"sluice/store"
)

// withoutConflicts returns the gateway's own families that can be in one scrape with
// the stored ones. Pushes are checked against all of them. But the stream may hold
// groups that were pushed to a gateway that serves its own families apart, or to a
// version without such a family. The scrape shows those groups, and leaves out the
// gateway's own family.
func withoutConflicts(self []*dto.MetricFamily, stored []store.ViewFamily) []*dto.MetricFamily {
	kept := make([]*dto.MetricFamily, 0, len(self))
	for _, f := range self {
		if !conflicts(f, stored) {
			kept = append(kept, f)
		}
	}
	return kept
}

// conflicts tells whether a stored family has the name of one of the gateway's own
// but another type, or whether one of the two has the name of a series of the other.
// These are the rules of prometheus.Gatherers.
func conflicts(self *dto.MetricFamily, stored []store.ViewFamily) bool {
	name := self.GetName()
	if typ, ok := typeOf(name, stored); ok && typ != self.GetType() {
		return true
	}
	for _, suffix := range []string{"_count", "_sum", "_bucket"} {
		if hasSeries(self.GetType(), suffix) {
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

// hasSeries tells whether families of a type have series with a suffix.
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
