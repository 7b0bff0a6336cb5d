package search

import (
	"testing"

	"sluice/store"
)

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
