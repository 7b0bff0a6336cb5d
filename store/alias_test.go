package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// utf8Pools have names that become the same when they are escaped.
var utf8Pools = pools{
	key:        []string{"instance", "a.b", "a-b", "a_b"},
	families:   []string{"m", "m.n", "m_n", "m-n_count", "m_n_count", "m.n.sum", "m_dot_n", "U__m_2e_n", "o.w.n", "push.time.seconds"},
	labels:     []string{"instance", "a.b", "a_b", "a_dot_b", "U__a_2e_b", "c:d.e", "c_d_e"},
	consistent: plainModel.scrapable,
}

// scrapable asks the judge for the names as they are, and for each way to escape
// them. Two families must not become one, whatever they hold, nor the grouping keys of
// two groups: a dead group and one without a time to live share no series yet.
func (m plainModel) scrapable(reserved map[string]dto.MetricType) error {
	if err := m.consistent(reserved); err != nil {
		return err
	}
	for _, scheme := range escapingSchemes {
		if err := m.keysDiffer(scheme); err != nil {
			return err
		}
		names := map[string]string{}
		escaped := func(families []*dto.MetricFamily) ([]*dto.MetricFamily, error) {
			var all []*dto.MetricFamily
			for _, f := range families {
				name := EscapeMetricName(f.GetName(), scheme)
				if other, taken := names[name]; taken && other != f.GetName() {
					return nil, fmt.Errorf("%s: %q and %q are both %s", scheme, other, f.GetName(), name)
				}
				names[name] = f.GetName()
				all = append(all, escapeFamily(f, scheme))
			}
			return all, nil
		}
		ours, err := escaped(reservedFamilies(reserved))
		if err != nil {
			return err
		}
		pushed, err := escaped(m.gather())
		if err != nil {
			return err
		}
		if err := gathered(ours, pushed); err != nil {
			return fmt.Errorf("%s: %w", scheme, err)
		}
	}
	return nil
}

// keysDiffer tells whether all groups still have different keys with escaped names.
func (m plainModel) keysDiffer(scheme model.EscapingScheme) error {
	paths := map[string]string{}
	for path, g := range m {
		var labels []string
		for _, l := range g.key.scraped() {
			labels = append(labels, fmt.Sprintf("%s=%q", EscapeLabelName(l.Name, scheme), l.Value))
		}
		slices.Sort(labels)
		key := strings.Join(labels, ",")
		if other, taken := paths[key]; taken && other != twinPath(g.key) {
			return fmt.Errorf("%s: groups %s and %s are both %s", scheme, other, path, key)
		}
		paths[key] = path
	}
	return nil
}

func escapeFamily(f *dto.MetricFamily, scheme model.EscapingScheme) *dto.MetricFamily {
	f = proto.CloneOf(f)
	f.Name = proto.String(EscapeMetricName(f.GetName(), scheme))
	for _, m := range f.Metric {
		for _, l := range m.Label {
			l.Name = proto.String(EscapeLabelName(l.GetName(), scheme))
		}
	}
	return f
}

// The verdicts are those of prometheus.Gatherers for all escapings of names, too.
func TestStoreAgreesWithGatherersOnEscapedNames(t *testing.T) { rapid.Check(t, utf8Pools.agree) }

func FuzzStoreAgreesWithGatherersOnEscapedNames(f *testing.F) {
	for seed := range 5 {
		draws := make([]byte, 2000)
		rand.NewChaCha8([32]byte{byte(seed)}).Read(draws)
		f.Add(draws)
	}
	f.Fuzz(rapid.MakeFuzz(utf8Pools.agree))
}

// aliasInvariants recounts the names that escaping changes.
func (s *Store) aliasInvariants() error {
	names := aliases[metricName]{}
	for _, f := range s.sorted {
		if !isLegacyMetric(f.name) {
			names.add(metricName(f.name))
		}
		labels := aliases[labelNames]{}
		for _, p := range f.pages {
			for _, m := range p.members {
				if held := m.group.family(int(m.index)); !IsDerivedName(f.name) { // the shapes have those of own families
					for _, names := range held.utf8LabelNames() {
						labels.add(names)
					}
				}
			}
		}
		if !labels.equal(&f.labels) {
			return fmt.Errorf("family %s: aliases of labels %v, want %v", f.name, f.labels, labels)
		}
	}
	if !names.equal(&s.names) {
		return fmt.Errorf("aliases of families: %v, want %v", s.names, names)
	}
	return nil
}

// equal tells whether two indexes have the same names under the same forms.
func (a *aliases[N]) equal(b *aliases[N]) bool {
	return maps.Equal(a.holders, b.holders) && maps.EqualFunc(a.forms, b.forms, maps.Equal)
}
