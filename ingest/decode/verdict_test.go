package decode

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"sluice/e2e/testkit"
	"sluice/store"
)

// plainGateway does what Pushgateway does, in the plain way: expfmt reads a
// push, its metrics get the labels of the group, and prometheus.Gatherers judges
// all that would be exposed.
type plainGateway map[string]map[string]*dto.MetricFamily

type plainVerdict int

const (
	accepted plainVerdict = iota
	unreadable
	inconsistent
)

func (g plainGateway) push(body string, key store.Key, replace bool) (plainVerdict, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		return unreadable, err
	}
	next := maps.Clone(g)
	group := map[string]*dto.MetricFamily{}
	if !replace {
		maps.Copy(group, g[key.Path()])
	}
	for name, f := range families {
		for _, m := range f.Metric {
			if m.TimestampMs != nil {
				return inconsistent, errors.New("timestamp")
			}
			addLabels(m, key)
		}
		if !store.IsDerivedName(name) {
			group[name] = f
		}
	}
	for _, name := range []string{store.PushTimeName, store.PushFailureName} {
		m := &dto.Metric{Gauge: &dto.Gauge{Value: proto.Float64(1)}}
		addLabels(m, key)
		group[name] = &dto.MetricFamily{Name: &name, Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{m}}
	}
	next[key.Path()] = group
	if _, err := next.gather(); err != nil {
		return inconsistent, err
	}
	g[key.Path()] = group
	return accepted, nil
}

// addLabels overrides and adds the labels of the group, and sorts them.
func addLabels(m *dto.Metric, key store.Key) {
	want := map[string]string{model.InstanceLabel: ""}
	for _, l := range m.Label {
		want[l.GetName()] = l.GetValue()
	}
	for _, l := range key.Labels() {
		want[l.Name] = l.Value
	}
	m.Label = nil
	for _, name := range slices.Sorted(maps.Keys(want)) {
		m.Label = append(m.Label, &dto.LabelPair{Name: &name, Value: proto.String(want[name])})
	}
}

func (g plainGateway) gather() ([]*dto.MetricFamily, error) {
	return prometheus.Gatherers{prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		all := map[string]*dto.MetricFamily{}
		for _, path := range slices.Sorted(maps.Keys(g)) {
			for name, f := range g[path] {
				if all[name] == nil {
					all[name] = &dto.MetricFamily{Name: f.Name, Type: f.Type}
				}
				if all[name].GetType() != f.GetType() {
					// The judge overlooks it with gauge histograms, if they come first.
					return nil, errors.New("two types of " + name)
				}
				all[name].Metric = append(all[name].Metric, f.Metric...)
			}
		}
		return slices.Collect(maps.Values(all)), nil
	})}.Gather()
}

// text returns what a scrape shows, in an order that does not matter.
func (g plainGateway) text(t *rapid.T) string {
	all, err := g.gather()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, f := range all {
		if store.IsDerivedName(f.GetName()) {
			continue // its values are times
		}
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			t.Fatal(err)
		}
	}
	return sortedLines(text.String())
}

func sortedLines(text string) string {
	lines := strings.SplitAfter(text, "\n")
	slices.SortFunc(lines, cmp.Compare)
	return strings.Join(lines, "")
}

// scraped returns what a scrape of the store shows, families without series
// left out.
func scraped(s *store.Store) string {
	var text strings.Builder
	for _, f := range s.View().Families() {
		if store.IsDerivedName(f.Name()) {
			continue
		}
		for line := range strings.Lines(string(f.Head())) {
			if !strings.HasPrefix(line, "# HELP") {
				text.WriteString(line)
			}
		}
		for block := range f.Blocks() {
			text.Write(block)
		}
	}
	return sortedLines(text.String())
}

// verdictsAgree counts the verdicts that it saw.
type verdictsAgree [3]int

// check pushes a sequence of bodies to a few groups, and wants the
// verdicts and the scrapes of the plain gateway.
func (seen *verdictsAgree) check(t *rapid.T) {
	plain, s := plainGateway{}, store.New(store.Settings{})
	key := rapid.SampledFrom([]store.Key{fuzzKeys[0], fuzzKeys[1], fuzzKeys[2], testkit.NewKey("k"), testkit.NewKey("j", store.Label{Name: "y", Value: "1"})})
	for seq := range uint64(rapid.IntRange(1, 8).Draw(t, "pushes")) {
		body, to, replace := drawBody(t), key.Draw(t, "key"), rapid.Bool().Draw(t, "replace")
		want, reason := plain.push(body, to, replace)
		draft := s.Draft()
		got, event, err := judged(draft, body, to, replace)
		if got != want {
			t.Fatalf("push of %q to %s: got %d (%v), want %d (%v)", body, to, got, err, want, reason)
		}
		seen[got]++
		if got == accepted {
			s.Apply(seq+1, event)
		}
		if got, want := scraped(s), plain.text(t); got != want {
			t.Fatalf("after a push of %q to %s: got\n%s\nwant\n%s", body, to, got, want)
		}
	}
}

func judged(draft *store.Draft, body string, key store.Key, replace bool) (plainVerdict, store.Event, error) {
	families, err := Families([]byte(body), "", key, Options{})
	var refused *RefusedError
	switch {
	case errors.As(err, &refused):
		return inconsistent, store.Event{}, err
	case err != nil:
		return unreadable, store.Event{}, err
	}
	push := draft.Post
	if replace {
		push = draft.Put
	}
	event, err := push(store.Push{Key: key, Families: families, Time: 1})
	if err != nil {
		return inconsistent, event, err
	}
	return accepted, event, nil
}

// For any sequence of bodies the parser and the consistency index together come
// to the verdicts of expfmt and prometheus.Gatherers, and show the same series.
func TestVerdictsAgree(t *testing.T) {
	seen := &verdictsAgree{}
	rapid.Check(t, seen.check)
	if slices.Contains(seen[:], 0) {
		t.Errorf("not every verdict occurred: %v", *seen)
	}
	t.Logf("%d pushes were accepted, %d unreadable, %d inconsistent", seen[accepted], seen[unreadable], seen[inconsistent])
}

func FuzzVerdictsAgree(f *testing.F) {
	for seed := range 5 {
		draws := make([]byte, 2000)
		rand.NewChaCha8([32]byte{byte(seed)}).Read(draws)
		f.Add(draws)
	}
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) { new(verdictsAgree).check(t) }))
}
