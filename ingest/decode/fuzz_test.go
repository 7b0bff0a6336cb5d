package decode

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"sluice/e2e/testkit"
	"sluice/ingest/decode/seeds"
	"sluice/store"
)

// fuzzKeys are grouping keys that a fuzz target chooses from by a number.
var fuzzKeys = []store.Key{
	testkit.NewKey("j"),
	testkit.NewKey("j", store.Label{Name: "instance", Value: "i"}),
	testkit.NewKey("j", store.Label{Name: "a", Value: "1"}, store.Label{Name: "zone", Value: "e\"u\\\n"}),
	testkit.NewKey("j", store.Label{Name: "x", Value: ""}, store.Label{Name: "instance", Value: ""}),
	testkit.NewKey("j", store.Label{Name: "le", Value: "5"}),
	testkit.NewKey("j", store.Label{Name: "quantile", Value: "0.5"}),
	testkit.NewKey("j", store.Label{Name: "x.y", Value: "ü"}),
	testkit.NewKey("j", store.Label{Name: "__a", Value: "c"}),
	testkit.NewKey("j", store.Label{Name: "a:b", Value: "c"}),
	{},
}

func fuzzKey(n uint8) store.Key { return fuzzKeys[int(n)%len(fuzzKeys)] }

func fuzzScheme(utf8 bool) model.ValidationScheme {
	if utf8 {
		return model.UTF8Validation
	}
	return model.LegacyValidation
}

// slowly is Families for text without the fast path.
func slowly(body []byte, key store.Key, opts Options) ([]store.Family, error) {
	families, err := parseText(body, opts.Scheme, opts.Limits)
	if err != nil {
		return nil, err
	}
	return canonical(families, key, opts)
}

// FuzzFastPathAgrees holds the fast path against the slow one: what it takes
// comes out the same.
func FuzzFastPathAgrees(f *testing.F) {
	for i, seed := range slices.Concat(seeds.Text, seeds.MoreText) {
		f.Add([]byte(seed), uint8(i%4), i%2 == 0)
		f.Add([]byte(seed), uint8(0), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, key uint8, utf8 bool) {
		scratch := bytes.Clone(body)
		fast, ok := scanText(scratch, fuzzKey(key), Limits{})
		if !ok {
			return
		}
		if !bytes.Equal(scratch, body) {
			t.Fatal("the body was changed")
		}
		clear(scratch) // nothing may refer to it
		slow, err := slowly(body, fuzzKey(key), Options{Scheme: fuzzScheme(utf8)})
		if err != nil {
			t.Fatalf("the slow path refuses %q: %v", body, err)
		}
		if diff := differs(fast, slow); diff != "" {
			t.Fatalf("%q\n%s", body, diff)
		}
	})
}

// FuzzCanonicalTextStays pushes canonical text again: it comes out the same.
func FuzzCanonicalTextStays(f *testing.F) {
	for i, seed := range slices.Concat(seeds.Text, seeds.MoreText) {
		f.Add([]byte(seed), uint8(i), i%2 == 0, i%3 == 0)
	}
	f.Fuzz(func(t *testing.T, body []byte, key uint8, utf8, unchecked bool) {
		opts := Options{Scheme: fuzzScheme(utf8), Unchecked: unchecked}
		first, err := Families(body, "", fuzzKey(key), opts)
		if err != nil {
			return
		}
		checkFamilies(t, first, fuzzKey(key), unchecked)
		var text []byte
		for _, family := range first {
			// What text does not carry may change: it has no le label, no second
			// histogram of the same labels, and another type.
			if family.Proto == nil {
				text = append(text, family.Text...)
			}
		}
		want := slices.DeleteFunc(first, func(family store.Family) bool { return family.Proto != nil })
		opts.Scheme = model.UTF8Validation // whatever the labels of the group are called
		again, err := Families(text, "", fuzzKey(key), opts)
		if err != nil && !isAmbiguous(want) {
			t.Fatalf("%q is refused: %v", text, err)
		}
		if diff := differs(again, want); diff != "" && !isAmbiguous(want) {
			t.Fatalf("%q\n%s", text, diff)
		}
	})
}

// FuzzProtobuf reads anything as protobuf: what is taken can be read by the
// parsers of scrapes.
func FuzzProtobuf(f *testing.F) {
	for i, seed := range seeds.Protobuf {
		f.Add([]byte(seed), uint8(0), false)
		f.Add([]byte(seed), uint8(i), i%2 == 0)
	}
	for _, mf := range oddFamilies() {
		f.Add(delimited(mf), uint8(1), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, key uint8, unchecked bool) {
		got, err := Families(body, protobufContentType, fuzzKey(key), Options{Unchecked: unchecked})
		if err != nil {
			return
		}
		checkFamilies(t, got, fuzzKey(key), unchecked)
	})
}

// checkFamilies checks what holds for all canonical families.
func checkFamilies(t *testing.T, families []store.Family, key store.Key, unchecked bool) {
	t.Helper()
	var all []byte
	previous := ""
	for i, f := range families {
		if i > 0 && f.Name <= previous || f.PushTime != 0 || store.IsDerivedName(f.Name) {
			t.Fatalf("family %q after %q, pushed at %d", f.Name, previous, f.PushTime)
		}
		previous = f.Name
		all = append(all, f.Text...)
		checkText(t, f, key, unchecked)
	}
	// The store reads the same back.
	parsed, err := store.ParseText(all)
	if err != nil {
		t.Fatalf("the store refuses %q: %v", all, err)
	}
	for _, f := range families {
		if len(f.Text) == 0 {
			continue
		}
		have := parsed[0]
		parsed = parsed[1:]
		if have.Name != f.Name || have.Head != f.Head || !bytes.Equal(have.Text, f.Text) ||
			have.Type != f.Type && f.Type != dto.MetricType_GAUGE_HISTOGRAM {
			t.Fatalf("the store reads %q as %+v", f.Text, have)
		}
	}
}

// checkText parses the text of a family by itself.
func checkText(t *testing.T, f store.Family, key store.Key, unchecked bool) {
	t.Helper()
	var pushed *dto.MetricFamily
	if f.Proto != nil {
		pushed = decoded(t, f)
	}
	if len(f.Text) == 0 {
		if f.Proto == nil || len(pushed.GetMetric()) > 0 {
			t.Fatalf("family %q has no text: %v", f.Name, pushed)
		}
		return
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(f.Text))
	if err != nil && f.Proto != nil && strings.Contains(err.Error(), "negative") {
		return // a count below zero: Pushgateway takes it, Prometheus reads it
	}
	if err != nil {
		t.Fatalf("expfmt refuses %q: %v", f.Text, err)
	}
	mf := families[f.Name]
	if len(families) != 1 || mf == nil {
		t.Fatalf("expfmt reads %q as %v", f.Text, slices.Collect(maps.Keys(families)))
	}
	if pushed != nil && len(mf.GetMetric()) != len(pushed.GetMetric()) && !unchecked {
		t.Fatalf("%d metrics have become %d: %q", len(pushed.GetMetric()), len(mf.GetMetric()), f.Text)
	}
	for _, m := range mf.GetMetric() {
		have := map[string]string{}
		for _, l := range m.GetLabel() {
			have[l.GetName()] = l.GetValue()
		}
		for _, l := range key.Labels() {
			if value, ok := have[l.Name]; !ok || value != l.Value {
				t.Fatalf("metric {%s} lacks the label %s of its group: %q", labelText(m), l.Name, f.Text)
			}
		}
		if _, ok := have[model.InstanceLabel]; !ok {
			t.Fatalf("metric {%s} has no instance: %q", labelText(m), f.Text)
		}
	}
}

// isAmbiguous tells whether expfmt could take a family for lines of another.
// That depends on their order in the body, so canonical text may be read in
// another way than the body that it was made from. The store refuses both.
func isAmbiguous(families []store.Family) bool {
	types := map[string]dto.MetricType{}
	for _, f := range families {
		types[f.Name] = f.Type
	}
	for _, f := range families {
		for _, suffix := range []string{"_sum", "_count", "_bucket"} {
			if whole, ok := strings.CutSuffix(f.Name, suffix); ok {
				switch types[whole] {
				case dto.MetricType_SUMMARY, dto.MetricType_HISTOGRAM, dto.MetricType_GAUGE_HISTOGRAM:
					return true
				}
			}
		}
	}
	return false
}

// differs describes the first difference.
func differs(got, want []store.Family) string {
	if len(got) != len(want) {
		return fmt.Sprintf("got %d families, want %d", len(got), len(want))
	}
	for i := range got {
		a, b := got[i], want[i]
		for _, f := range []store.Family{a, b} {
			if parsed, err := store.ParseText(f.Text); f.PlainNames && (err != nil || !parsed[0].PlainNames) {
				return fmt.Sprintf("names are said to be plain in\n%s (%v)", f.Text, err)
			}
		}
		a.PlainNames, b.PlainNames = false, false // a hint, which the slow path does not give
		if !reflect.DeepEqual(a, b) {
			return fmt.Sprintf("got  %+v\n%s\nwant %+v\n%s", got[i], got[i].Text, want[i], want[i].Text)
		}
	}
	return ""
}
