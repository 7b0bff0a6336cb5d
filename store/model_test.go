package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// plainModel is the plain way to do what the store does: a map of groups, and
// prometheus.Gatherers as the judge of consistency.
type plainModel map[string]*modelGroup

type modelGroup struct {
	key                Key
	pushTime, failTime int64
	expires, forget    int64
	families           map[string]*dto.MetricFamily
}

func (m plainModel) clone() plainModel {
	c := plainModel{}
	for path, g := range m {
		families := map[string]*dto.MetricFamily{}
		for name, f := range g.families {
			families[name] = f
		}
		copied := *g
		copied.families = families
		c[path] = &copied
	}
	return c
}

func (m plainModel) push(key Key, families []*dto.MetricFamily, now, expires int64, replace bool) {
	g := m.living(key)
	if g == nil {
		g = &modelGroup{key: key, families: map[string]*dto.MetricFamily{}}
		m[key.Path()] = g
	}
	if replace || g.expires != 0 && g.expires <= now {
		clear(g.families)
	}
	for _, f := range families {
		g.families[f.GetName()] = f
	}
	g.pushTime, g.expires = now, expires
}

// living returns the group unless it is dead. Where it is about to be made, what
// tells that it or its twin is dead goes.
func (m plainModel) living(key Key) *modelGroup {
	if g := m[key.Path()]; g != nil && g.forget == 0 {
		return g
	}
	delete(m, key.Path())
	if twin := m[twinPath(key)]; twin != nil && twin.forget != 0 {
		delete(m, twinPath(key))
	}
	return nil
}

// due does what is due about a group, and tells whether there was anything.
func (m plainModel) due(key Key, now, forgetAfter int64) bool {
	g := m[key.Path()]
	switch {
	case g == nil:
		return false
	case g.forget != 0:
		if g.forget > now {
			return false
		}
		delete(m, key.Path())
	case g.expires == 0 || g.expires > now:
		return false
	case g.expires+forgetAfter <= now:
		delete(m, key.Path())
	default:
		g.forget = g.expires + forgetAfter
		clear(g.families)
	}
	return true
}

func (m plainModel) fail(key Key, now, expires int64) {
	if g := m[key.Path()]; g != nil && g.forget != 0 {
		g.failTime = now // it stays dead
		return
	}
	g := m.living(key)
	if g == nil {
		g = &modelGroup{key: key, expires: expires, families: map[string]*dto.MetricFamily{}}
		m[key.Path()] = g
	}
	g.failTime = now
}

// gather returns all families merged by name, as Pushgateway hands them to the
// registry.
func (m plainModel) gather() []*dto.MetricFamily {
	byName := map[string]*dto.MetricFamily{}
	var all []*dto.MetricFamily
	add := func(f *dto.MetricFamily) {
		have := byName[f.GetName()]
		if have == nil {
			have = &dto.MetricFamily{Name: f.Name, Help: f.Help, Type: f.Type}
			byName[f.GetName()] = have
			all = append(all, have)
		}
		have.Metric = append(have.Metric, f.Metric...)
	}
	for _, g := range m {
		for _, f := range g.families {
			add(f)
		}
		if g.forget == 0 {
			add(timeFamily(PushTimeName, g.key, g.pushTime))
			add(timeFamily(PushFailureName, g.key, g.failTime))
		}
		if g.expires != 0 {
			up := int64(1e9)
			if g.forget != 0 || g.pushTime == 0 {
				up = 0
			}
			add(timeFamily(GroupUpName, g.key, up))
			add(timeFamily(GroupPushName, g.key, g.pushTime))
			add(timeFamily(GroupExpiresName, g.key, g.expires))
		}
	}
	return all
}

func timeFamily(name string, key Key, nanos int64) *dto.MetricFamily {
	return &dto.MetricFamily{Name: &name, Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{{
		Label: fullLabels(key, nil), Gauge: &dto.Gauge{Value: proto.Float64(float64(nanos) / 1e9)},
	}}}
}

// consistent asks the judge. The gateway's reserved families come first.
func (m plainModel) consistent(reserved map[string]dto.MetricType) error {
	return gathered(reservedFamilies(reserved), m.gather())
}

func reservedFamilies(reserved map[string]dto.MetricType) []*dto.MetricFamily {
	var all []*dto.MetricFamily
	for name, typ := range reserved {
		all = append(all, &dto.MetricFamily{Name: proto.String(name), Type: typ.Enum(), Metric: []*dto.Metric{newMetric(typ, 1)}})
	}
	return all
}

// gathered has two lists of families judged.
func gathered(reserved, pushed []*dto.MetricFamily) error {
	_, err := prometheus.Gatherers{
		prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return reserved, nil }),
		prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return pushed, nil }),
	}.Gather()
	return err
}

func newMetric(typ dto.MetricType, v float64) *dto.Metric {
	switch typ {
	case dto.MetricType_COUNTER:
		return &dto.Metric{Counter: &dto.Counter{Value: &v}}
	case dto.MetricType_GAUGE:
		return &dto.Metric{Gauge: &dto.Gauge{Value: &v}}
	case dto.MetricType_SUMMARY:
		return &dto.Metric{Summary: &dto.Summary{SampleCount: proto.Uint64(1), SampleSum: &v, Quantile: []*dto.Quantile{{Quantile: proto.Float64(0.5), Value: &v}}}}
	case dto.MetricType_HISTOGRAM:
		return &dto.Metric{Histogram: &dto.Histogram{SampleCount: proto.Uint64(1), SampleSum: &v, Bucket: []*dto.Bucket{
			{UpperBound: proto.Float64(1), CumulativeCount: proto.Uint64(1)}}}}
	default:
		return &dto.Metric{Untyped: &dto.Untyped{Value: &v}}
	}
}

// fullLabels are the pushed labels overridden by the key's, and instance.
func fullLabels(key Key, pushed map[string]string) []*dto.LabelPair {
	all := map[string]string{InstanceLabel: ""}
	for name, value := range pushed {
		all[name] = value
	}
	for _, l := range key.Labels() {
		all[l.Name] = l.Value
	}
	var labels []*dto.LabelPair
	for name, value := range all {
		labels = append(labels, &dto.LabelPair{Name: &name, Value: &value})
	}
	slices.SortFunc(labels, func(a, b *dto.LabelPair) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return labels
}

func labelText(labels []*dto.LabelPair) string {
	var b []byte
	for i, l := range labels {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendLabelName(b, l.GetName())
		b = append(b, `="`...)
		b = append(AppendEscaped(b, l.GetValue()), '"')
	}
	return string(b)
}

// canonical makes families as a push has them after decoding.
func canonical(tb rapid.TB, families []*dto.MetricFamily) []Family {
	slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
	var text bytes.Buffer
	for _, f := range families {
		slices.SortFunc(f.Metric, func(a, b *dto.Metric) int { return cmp.Compare(labelText(a.Label), labelText(b.Label)) })
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			tb.Fatal(err)
		}
	}
	parsed, err := ParseText(text.Bytes())
	if err != nil {
		tb.Fatalf("%v in\n%s", err, text.Bytes())
	}
	return parsed
}

// text returns the exposition of the store, families and metrics sorted.
func (v *View) text() string {
	var b strings.Builder
	for _, f := range v.Families() {
		var lines []string
		for block := range f.Blocks() {
			lines = append(lines, strings.SplitAfter(string(block), "\n")...)
		}
		slices.Sort(lines)
		b.WriteString("# TYPE " + nameText(f.Name()) + " " + typeWord(f.Type()) + "\n" + strings.Join(lines, ""))
	}
	return b.String()
}

func (m plainModel) text(tb rapid.TB) string {
	all := m.gather()
	slices.SortFunc(all, func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
	var b strings.Builder
	for _, f := range all {
		var text bytes.Buffer
		f.Help = nil
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			tb.Fatal(err)
		}
		head, samples, _ := strings.Cut(text.String(), "\n")
		lines := strings.SplitAfter(samples, "\n")
		slices.Sort(lines)
		b.WriteString(head + "\n" + strings.Join(lines, ""))
	}
	return b.String()
}

var testTypes = []dto.MetricType{dto.MetricType_GAUGE, dto.MetricType_COUNTER, dto.MetricType_UNTYPED, dto.MetricType_SUMMARY, dto.MetricType_HISTOGRAM}

// pools are the names that a property draws from, and the judge of what it draws.
type pools struct {
	key, families, labels []string
	consistent            func(m plainModel, reserved map[string]dto.MetricType) error
}

var legacyPools = pools{
	key:        []string{"instance", "zone", "a"},
	families:   []string{"m", "m_count", "m_sum", "m_bucket", "n", "own", "own_sum", "push_time_seconds_count"},
	labels:     []string{"instance", "zone", "a", "l"},
	consistent: plainModel.consistent,
}

func (p pools) drawKey(t *rapid.T) Key {
	labels := []Label{}
	for _, name := range p.key {
		if rapid.IntRange(0, 2).Draw(t, name+" in key") == 0 {
			labels = append(labels, Label{name, rapid.SampledFrom([]string{"", "1", `q"\`}).Draw(t, name)})
		}
	}
	k, err := NewKey(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "job"), labels...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// drawFamilies draws a push: consistent in itself, but for suffixes.
func (p pools) drawFamilies(t *rapid.T, key Key) []*dto.MetricFamily {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom(p.families), 0, 3, rapid.ID).Draw(t, "names")
	var families []*dto.MetricFamily
	for _, name := range names {
		typ := rapid.SampledFrom(testTypes).Draw(t, "type of "+name)
		f := &dto.MetricFamily{Name: &name, Type: typ.Enum()}
		seen := map[string]bool{}
		for range rapid.IntRange(1, 3).Draw(t, "metrics of "+name) {
			pushed := map[string]string{}
			for _, label := range p.labels {
				if rapid.Bool().Draw(t, label+" pushed") {
					pushed[label] = rapid.SampledFrom([]string{"", "1", `q"\`, "2"}).Draw(t, label)
				}
			}
			m := newMetric(typ, float64(rapid.IntRange(0, 9).Draw(t, "value")))
			m.Label = fullLabels(key, pushed)
			if id := labelText(m.Label); !seen[id] {
				seen[id] = true
				f.Metric = append(f.Metric, m)
			}
		}
		families = append(families, f)
	}
	return families
}

// For any sequence of changes, in batches of any size, the store gives the
// verdicts of prometheus.Gatherers and shows the same series.
func TestStoreAgreesWithGatherers(t *testing.T) { rapid.Check(t, legacyPools.agree) }

func FuzzStoreAgreesWithGatherers(f *testing.F) {
	for seed := range 5 {
		draws := make([]byte, 2000)
		rand.NewChaCha8([32]byte{byte(seed)}).Read(draws)
		f.Add(draws)
	}
	f.Fuzz(rapid.MakeFuzz(legacyPools.agree))
}

func (p pools) agree(t *rapid.T) {
	reserved := map[string]dto.MetricType{"own": dto.MetricType_SUMMARY}
	s, m := New(Settings{Reserved: reserved}), plainModel{}
	seq, now, forgetAfter := uint64(0), int64(1e9), int64(20e9)
	for range rapid.IntRange(1, 12).Draw(t, "batches") {
		draft := s.Draft()
		var events []Event
		for range rapid.IntRange(1, 5).Draw(t, "changes") {
			now += rapid.SampledFrom([]int64{0, 1, 1, 2, 15, 40}).Draw(t, "seconds") * 1e9
			key := p.drawKey(t)
			switch op := rapid.IntRange(0, 9).Draw(t, "op"); op {
			case 0:
				e, err := draft.Delete(key, "")
				if err != nil {
					t.Fatal(err)
				}
				events = append(events, e)
				delete(m, key.Path())
			case 1, 2:
				has := m.due(key, now, forgetAfter)
				e, ok, err := draft.Due(key, now, forgetAfter)
				if err != nil || ok != has {
					t.Fatalf("due %s: got %v %v, want %v", key, ok, err, has)
				}
				if ok {
					events = append(events, e)
				}
			case 3:
				if rapid.IntRange(0, 4).Draw(t, "wipe") == 0 {
					events = append(events, draft.Wipe(""))
					clear(m)
				}
			default:
				events = append(events, p.tryPush(t, draft, m, reserved, key, now, op%2 == 0)...)
			}
		}
		old := s.View()
		before := old.text()
		for _, e := range events {
			seq++
			s.Apply(seq, e)
			if err := s.invariants(); err != nil {
				t.Fatalf("after %s of %s: %v", e.Op, e.Key, err)
			}
		}
		if after := old.text(); after != before {
			t.Fatalf("a view has changed from\n%s\nto\n%s", before, after)
		}
		if got, want := s.View().text(), m.text(t); got != want {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// tryPush pushes to the draft and, if the judge allows it, to the model.
func (p pools) tryPush(t *rapid.T, draft *Draft, m plainModel, reserved map[string]dto.MetricType, key Key, now int64, replace bool) []Event {
	families := p.drawFamilies(t, key)
	push := Push{Key: key, Families: canonical(t, families), Time: now}
	if rapid.Bool().Draw(t, "has a time to live") {
		push.Expires = now + rapid.Int64Range(1, 20).Draw(t, "time to live")*1e9
	}
	next := m.clone()
	next.push(key, families, now, push.Expires, replace)
	verdict := p.consistent(next, reserved)
	do := draft.Post
	if replace {
		do = draft.Put
	}
	e, err := do(push)
	if (err == nil) != (verdict == nil) {
		t.Fatalf("push to %s: got %v, want %v", key, err, verdict)
	}
	if err == nil {
		m.push(key, families, now, push.Expires, replace)
		return []Event{e}
	}
	checkConflict(t, m, key, err)
	next = m.clone()
	next.fail(key, now, push.Expires)
	possible := p.consistent(next, reserved) == nil
	e, ok, err := draft.Fail(push, "")
	if err != nil || ok != possible {
		t.Fatalf("failure of %s: got %v %v, want %v", key, ok, err, possible)
	}
	if !ok {
		return nil
	}
	m.fail(key, now, push.Expires)
	return []Event{e}
}

// checkConflict holds what a refusal says against the model: a group that it
// names is there, is another one, and holds the family in the way.
func checkConflict(t *rapid.T, m plainModel, key Key, err error) {
	var c *Conflict
	if !errors.As(err, &c) || c.Count < 1 || len(c.Offenders) == 0 || len(c.Error()) > 1000 {
		t.Fatalf("got %v, want a conflict", err)
	}
	for _, o := range c.Offenders {
		if o.Group.IsZero() {
			continue
		}
		g := m[o.Group.Path()]
		if g == nil || o.Group.Path() == key.Path() {
			t.Fatalf("%v names group %s", err, o.Group)
		}
		name := o.Name
		if o.Labels == "" {
			name = o.Other
		}
		if IsDerivedName(name) || name == "" {
			continue
		}
		if f := g.families[name]; f == nil {
			t.Fatalf("%v: group %s has no family %s", err, o.Group, name)
		} else if o.Labels == "" && f.GetType() != o.OtherType {
			t.Fatalf("%v: %s is a %s in group %s", err, name, f.GetType(), o.Group)
		}
	}
}

func TestConflictText(t *testing.T) {
	c := &Conflict{}
	for i := range 120 {
		c.add(Offender{Name: fmt.Sprintf("m%d", i), Type: dto.MetricType_GAUGE, Other: fmt.Sprintf("m%d", i), OtherType: dto.MetricType_COUNTER, Group: mustKey(t, "/job/x")})
	}
	want := "120 conflicts: m0 is a gauge in this push, but a counter in group /job/x; m1 is a gauge in this push, but a counter in group /job/x; m2 is a gauge in this push, but a counter in group /job/x; and 117 more\nPush one type everywhere, under another name if that is not possible, or delete that group first."
	if got := c.Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
