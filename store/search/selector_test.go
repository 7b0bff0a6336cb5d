package search

import (
	"testing"

	"sluice/store"
	"sluice/store/selector"
)

// A search and its selector choose the same groups.
func TestSelector(t *testing.T) {
	var keys []store.Key
	for _, labels := range [][]store.Label{
		nil, {{Name: "instance", Value: "db1"}}, {{Name: "instance"}}, {{Name: "instance", Value: "a\nb\\"}},
		{{Name: "instance", Value: `two "words"`}, {Name: "my.label", Value: "x"}}, {{Name: "zone", Value: "DB1.eu"}},
	} {
		for _, job := range []string{"backup", "node"} {
			key, err := store.NewKey(job, labels...)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, key)
		}
	}
	f := func(text string, wantOK bool) {
		t.Helper()
		s, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		have, ok := s.Selector()
		if ok != wantOK {
			t.Errorf("%s: %s, %v, want %v", text, have, ok, wantOK)
		}
		if !ok {
			return
		}
		chosen, err := selector.Parse(have)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for _, key := range keys {
			if got, want := chosen.Matches(key), s.Matches(key); got != want {
				t.Errorf("%s: %s chooses %s: %v, the search: %v", text, have, key, got, want)
			}
		}
	}
	f("job=backup", true)
	f("job=backup instance!=db1", true)
	f("job=backup instance=", true)
	f(`instance="two \"words\""`, true)
	f(`"my.label"=x`, true)
	f("instance~^db", true)
	f("instance~b.$ job!~^b", true)
	f("instance~a.b", true)
	f("instance~(?s)a.b", true)
	f(`instance~b\\`, true)
	f("instance~a|b", true)
	f("zone~(?i)db1", true)
	f("instance!=", true)
	f("instance!~^$", true)
	f("", false)
	f("instance=", false)
	f("instance!=db1", false)
	f("instance~x*", false)
	f("backup", false)
	f("job=backup db1", false)
	f("~db", false)
}

// What Term writes is read as that label.
func TestTerm(t *testing.T) {
	for _, l := range []store.Label{
		{Name: "job", Value: "backup"}, {Name: "job", Value: `"`}, {Name: "job", Value: `\`}, {Name: "job", Value: "a b"},
		{Name: "job", Value: `a "b\" c\`}, {Name: "a", Value: ""}, {Name: `odd "n.me\`, Value: "~x"}, {Name: "a", Value: "\u2003"},
	} {
		s, err := Parse(Term(l.Name, l.Value))
		if err != nil {
			t.Fatal(err)
		}
		if len(s.terms) != 1 || s.terms[0].kind != value || s.terms[0].label != l.Name || s.terms[0].text != l.Value || s.terms[0].not {
			t.Errorf("%q is read as %+v", Term(l.Name, l.Value), s.terms)
		}
	}
}
