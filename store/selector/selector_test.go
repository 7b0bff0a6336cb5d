package selector

import (
	"strings"
	"testing"

	"sluice/store"
)

func key(tb testing.TB, path string) store.Key {
	tb.Helper()
	k, err := store.ParseKey(path)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		text, path string
		want       bool
	}{
		{`{job="x"}`, "/job/x", true},
		{`job="x"`, "/job/x", true},
		{` job="x" `, "/job/y", false},
		{`{job=~"batch-.*"}`, "/job/batch-1", true},
		{`job=~"batch"`, "/job/batch-1", false}, // anchored
		{`{job!="x"}`, "/job/y", true},
		{`{job!~"x|y"}`, "/job/y", false},
		{`{job="x",instance=~"old-.*"}`, "/job/x/instance/old-1", true},
		{`{job="x",instance=~"old-.*"}`, "/job/x", false},
		{`{job="x",instance=""}`, "/job/x", true},
		{`{job="x",instance=""}`, "/job/x/instance@base64/=", true},
		{`{job=~".+"}`, "/job/anything", true},
		{`job="{"`, "/job@base64/ew", true},
		{`job=~"a{2}"`, "/job/aa", true},
		{`{job=~"a{2}"}`, "/job/aa", true},
		{`{"my.label"="v"}`, "/job/x/U__my_2e_label/v", true},
		{"{job=`x`}", "/job/x", true},
		{`"my{label"="v"`, "/job/x/U__my_7b_label/v", true}, // a brace that is not the selector's
		{`job="x" # comment`, "/job/x", true},
		{"# {\njob=\"x\"", "/job/x", true},
		{"{job=\"x\",\n instance=\"a\"}", "/job/x/instance/a", true},
		{`job="a\nb"`, "/job@base64/YQpi", true},
	} {
		s, err := Parse(test.text)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		if got := s.Matches(key(t, test.path)); got != test.want {
			t.Errorf("%s on %s: got %v", test.text, test.path, got)
		}
		if again, err := Parse(s.String()); err != nil || again.Matches(key(t, test.path)) != test.want || strings.Contains(s.String(), "\n") {
			t.Errorf("%s as %s: %v", test.text, s, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "empty",
		"  ":                     "empty",
		`{job="x"`:               "cannot read selector",
		`{job=x}`:                "cannot read selector",
		`{job}`:                  "cannot read selector",
		`{job=~"("}`:             "cannot read selector",
		`up{job="x"}`:            "no metric name",
		`{__name__="up"}`:        "no metric name",
		`"up"`:                   "no metric name",
		`up`:                     "no metric name",
		`{job="x"}}`:             "unexpected character: '}'",
		`job="x"} or {a="b"`:     "unexpected <op:or>",
		`{job="x"}[5m]`:          "cannot read selector",
		`{job="x"} offset 5m`:    "cannot read selector",
		`{job="x"} or {job="y"}`: "cannot read selector",
		`{job="` + long + `"}`:   "there may be",
		"{job=\"x\",\n\n job=1}": "cannot read selector",
	} {
		_, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 1000 {
			t.Errorf("%.60q: got %v, want %q in one line", text, err, want)
		}
	}
}

var long = strings.Repeat("x", maxLength)

func TestNarrows(t *testing.T) {
	for text, want := range map[string]bool{`{}`: false, `{job=""}`: false, `{job=~".*"}`: false, `{job!="x"}`: false, `{job="x"}`: true, `{job=~".+"}`: true, `{job=~".*",a="b"}`: true} {
		if s, err := Parse(text); err != nil || s.Narrows() != want {
			t.Errorf("%s: got %v %v", text, s.Narrows(), err)
		}
	}
}

func TestSelectors(t *testing.T) {
	all, err := ParseAll([]string{`{job="x"}`, `{job="y"}`})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"/job/x": true, "/job/y": true, "/job/z": false} {
		if got := all.Matches(key(t, path)); got != want {
			t.Errorf("%s: got %v", path, got)
		}
	}
	if !(Selectors{}).Matches(key(t, "/job/z")) {
		t.Error("no selector does not choose all")
	}
	if _, err := ParseAll([]string{`{job="x"}`, "up"}); err == nil {
		t.Error("a wrong one among good ones is taken")
	}
}

// Whatever the text, nothing panics, and what is taken reads the same again.
func FuzzParse(f *testing.F) {
	for _, text := range []string{`{job="x"}`, `job=~"a{2}"`, `up{job="x"}`, `{"a.b"="c"}`, "{job!~\"x|y\",}", "{job=`x`}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(s.String())
		if err != nil || again.String() != s.String() {
			t.Fatalf("%q is read as %q, and that as %q: %v", text, s, again, err)
		}
		s.Matches(key(t, "/job/x"))
	})
}
