package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/promslog"

	"sluice/ingest"
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

const example = `# the first rule that matches counts, for each setting by itself
rules:
  - match: job=~"batch-.*"
    ttl: 7d
  - match: '{kind="pod"}'
    ttl: 10m
  - match: job="ci"
    max_groups: 500
  - match: job="ci"
    ttl: 1h
    max_groups: 5
  - match: '{job="forever"}'
    ttl: never
`

func TestTerms(t *testing.T) {
	s, err := Parse("rules.yml", []byte(example), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]ingest.Terms{
		"/job/x":                {TTL: time.Minute},
		"/job/batch-1":          {TTL: 7 * 24 * time.Hour},
		"/job/batch-1/kind/pod": {TTL: 7 * 24 * time.Hour},
		"/job/x/kind/pod":       {TTL: 10 * time.Minute},
		"/job/ci":               {TTL: time.Hour, MaxOfJob: 500},
		"/job/ci/kind/pod":      {TTL: 10 * time.Minute, MaxOfJob: 500},
		"/job/forever":          {},
	} {
		if got := s.Terms(key(t, path)); got != want {
			t.Errorf("%s: got %+v, want %+v", path, got, want)
		}
	}
}

func TestEmptyFiles(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "rules:\n", "rules: []\n", "---\nrules: ~\n"} {
		s, err := Parse("rules.yml", []byte(text), time.Hour)
		if err != nil || s.Len() != 0 || s.Terms(key(t, "/job/x")) != (ingest.Terms{TTL: time.Hour}) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"rules: 1\n":                             "rules.yml:1: rules is no list",
		"- match: job=\"x\"\n":                   "rules.yml:1: the file is no mapping with rules",
		"\nrule:\n- match: job=\"x\"\n":          "rules.yml:2: the file: unknown field \"rule\", there are rules",
		"rules:\n- job\n":                        "rules.yml:2: rule 1 is no mapping with match, ttl, max_groups",
		"rules:\n- match: job=\"x\"\n":           "rules.yml:2: rule 1: it says nothing: neither ttl nor max_groups",
		"rules:\n- ttl: 1h\n":                    "rules.yml:2: rule 1: it has no match",
		"rules:\n- {match: job=\"x\", ttl: [1]}": "rules.yml:2: rule 1: ttl is no single value",
		"rules:\n- match: job=\"x\"\n  ttl:\n":   "rules.yml:3: rule 1: ttl is no single value",
		"rules:\n- match: job=\"x\"\n  ttl: 1h\n- match: job=x\n  ttl: 1h\n":         "rules.yml:4: rule 2: match: cannot read selector \"job=x\"",
		"rules:\n- match: job=\"x\"\n  ttl: soon\n":                                  "rules.yml:3: rule 1: ttl: time to live \"soon\"",
		"rules:\n- match: job=\"x\"\n  ttl: 10ms\n":                                  "rules.yml:3: rule 1: ttl: time to live \"10ms\": the shortest is 1s",
		"rules:\n- match: job=\"x\"\n  ttl: 1h\n  ttl: 2h\n":                         "rules.yml:4: rule 1: ttl is there twice",
		"rules:\n- match: job=\"x\"\n  max_groups: 0\n":                              "rules.yml:3: rule 1: max_groups: \"0\" is no number above 0",
		"rules:\n- match: job=\"x\"\n  max_groups: many\n":                           "rules.yml:3: rule 1: max_groups: \"many\" is no number above 0",
		"rules:\n- match: job=\"x\"\n  ttl: 1h\n  max_group: 3\n":                    "rules.yml:4: rule 1: unknown field \"max_group\"",
		"rules:\n\t- match: x\n":                                                     "rules.yml:2: ",
		"rules: []\n---\nrules: []\n":                                                "rules.yml: more than one document",
		"rules:\n" + strings.Repeat("- {match: 'job=\"x\"', ttl: 1h}\n", maxRules+1): "rules.yml:2: 1001 rules: there may be 1000",
	} {
		s, err := Parse("rules.yml", []byte(text), 0)
		if err == nil || s != nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.100q: got %v, want %q", text, err, want)
		}
	}
}

// A file that has become wrong leaves the rules as they were.
func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.yml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rules:\n- match: job=\"x\"\n  ttl: 1h\n")
	f, err := Load(path, 0, promslog.NewNopLogger(), nil)
	if err != nil {
		t.Fatal(err)
	}
	check := func(ttl time.Duration, good float64) {
		t.Helper()
		if got := f.Terms(key(t, "/job/x")).TTL; got != ttl || testutil.ToFloat64(f.good) != good {
			t.Errorf("got %s, in order %v; want %s, %v", got, testutil.ToFloat64(f.good), ttl, good)
		}
	}
	check(time.Hour, 1)
	write("rules:\n- match: job=\"x\"\n  ttl: 1x\n")
	if err := f.Reload(); err == nil || !strings.HasPrefix(err.Error(), path+":3: ") {
		t.Errorf("got %v", err)
	}
	check(time.Hour, 0)
	write("rules:\n- match: job=\"x\"\n  ttl: 2h\n")
	if err := f.Reload(); err != nil {
		t.Error(err)
	}
	check(2*time.Hour, 1)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := f.Reload(); err == nil {
		t.Error("a file that has gone is read")
	}
	check(2*time.Hour, 0)
	write(strings.Repeat("#", maxFile+1))
	if err := f.Reload(); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("got %v", err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none"), 0, promslog.NewNopLogger(), nil); err == nil {
		t.Error("a file that is not there is read")
	}
}

// Whatever is in the file, nothing panics, and an error has one line.
func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("rules:\n- {match: job, ttl: &a 1h, <<: *a}\n")
	f.Add("? [a]\n: b\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("f", []byte(text), 0)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("%q", err)
			}
			return
		}
		s.Terms(key(t, "/job/x"))
	})
}

// What the rules add to each push.
func BenchmarkTerms(b *testing.B) {
	var text strings.Builder
	text.WriteString("rules:\n")
	for i := range 20 {
		fmt.Fprintf(&text, "- {match: 'job=\"j%d\",kind=~\"pod|node\"', ttl: 1h, max_groups: 5}\n", i)
	}
	s, err := Parse("f", []byte(text.String()), 0)
	if err != nil {
		b.Fatal(err)
	}
	k := key(b, "/job/j19/instance/10.0.0.1:9100/kind/pod")
	for b.Loop() {
		s.Terms(k)
	}
}
