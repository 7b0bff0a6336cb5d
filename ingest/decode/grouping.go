package decode

import (
	"cmp"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"

	"sluice/store"
)

// grouping gives the labels of a group to metrics.
type grouping struct {
	pairs    []*dto.LabelPair // shared by all metrics of a push
	instance *dto.LabelPair   // empty, for metrics that would have none
	done     []bool           // which of pairs the metric at hand has had
	le       bool             // whether pairs has a label of that name
}

func newGrouping(key store.Key) *grouping {
	labels := key.Labels()
	g := &grouping{
		pairs:    make([]*dto.LabelPair, len(labels)),
		instance: &dto.LabelPair{Name: proto.String(model.InstanceLabel), Value: proto.String("")},
		done:     make([]bool, len(labels)),
	}
	for i, l := range labels {
		g.pairs[i] = &dto.LabelPair{Name: proto.String(l.Name), Value: proto.String(l.Value)}
		g.le = g.le || l.Name == model.BucketLabel
	}
	return g
}

// apply overrides the labels of m that the group has, adds those that m lacks,
// and an empty instance if there is none then, and sorts them by name. If m has
// a label twice it still has it twice.
func (g *grouping) apply(m *dto.Metric) {
	clear(g.done)
	hasInstance := false
	for i, l := range m.GetLabel() {
		if at := g.find(l.GetName()); at >= 0 && !g.done[at] {
			g.done[at] = true
			m.Label[i] = g.pairs[at]
		}
		hasInstance = hasInstance || l.GetName() == model.InstanceLabel
	}
	for at, pair := range g.pairs {
		if !g.done[at] {
			m.Label = append(m.Label, pair)
			hasInstance = hasInstance || pair.GetName() == model.InstanceLabel
		}
	}
	if !hasInstance {
		m.Label = append(m.Label, g.instance)
	}
	slices.SortStableFunc(m.Label, func(a, b *dto.LabelPair) int {
		return cmp.Compare(a.GetName(), b.GetName())
	})
}

func (g *grouping) find(name string) int {
	for i, pair := range g.pairs {
		if pair.GetName() == name {
			return i
		}
	}
	return -1
}
