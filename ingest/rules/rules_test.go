package rules

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/promslog"

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
  - match: job=~"each-.*"
    max_groups: 7
    max_groups_by: [job, team]
`

func TestTTLAndQuota(t *testing.T) {
	s, err := Parse("rules.yml", []byte(example), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	type terms struct {
		ttl   time.Duration
		quota store.Quota
	}
	ci := store.Quota{Max: 500, Rule: `rule 3 ({job="ci"})`}
	each := func(of string) store.Quota {
		return store.Quota{Max: 7, Rule: `rule 6 ({job=~"each-.*"})`, Of: of}
	}
	for path, want := range map[string]terms{
		"/job/x":                {ttl: time.Minute},
		"/job/batch-1":          {ttl: 7 * 24 * time.Hour},
		"/job/batch-1/kind/pod": {ttl: 7 * 24 * time.Hour},
		"/job/x/kind/pod":       {ttl: 10 * time.Minute},
		"/job/ci":               {time.Hour, ci},
		"/job/ci/kind/pod":      {10 * time.Minute, ci},
		"/job/forever":          {},
		"/job/each-1":           {time.Minute, each(`job="each-1", team=""`)},
		"/job/each-1/team/a":    {time.Minute, each(`job="each-1", team="a"`)},
		"/job/each-2/x/y":       {time.Minute, each(`job="each-2", team=""`)},
	} {
		if got := (terms{s.TTL(key(t, path)), s.Quota(key(t, path))}); got != want {
			t.Errorf("%s: got %+v, want %+v", path, got, want)
		}
	}
}

func TestEmptyFiles(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "rules:\n", "rules: []\n", "---\nrules: ~\n", "---\n", "--- ~\n...\n", "\ufeffrules: []\n"} {
		s, err := Parse("rules.yml", []byte(text), time.Hour)
		if err != nil || s.Len() != 0 || s.TTL(key(t, "/job/x")) != time.Hour || s.Quotas() != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"rules: 1\n":                             "rules.yml:1: rules is not a list",
		"- match: job=\"x\"\n":                   "rules.yml:1: the file is not a mapping with rules",
		"\nrule:\n- match: job=\"x\"\n":          "rules.yml:2: the file: unknown field \"rule\", the fields are: rules",
		"rules:\n- job\n":                        "rules.yml:2: rule 1 is not a mapping with match, ttl, max_groups, max_groups_by",
		"rules:\n- match: job=\"x\"\n":           "rules.yml:2: rule 1 sets nothing: it has neither ttl nor max_groups",
		"rules:\n- ttl: 1h\n":                    "rules.yml:2: rule 1 has no match",
		"rules:\n- {match: job=\"x\", ttl: [1]}": "rules.yml:2: rule 1: ttl is not a single value",
		"rules:\n- match: job=\"x\"\n  ttl:\n":   "rules.yml:3: rule 1: ttl is not a single value",
		"rules:\n- match: job=\"x\"\n  ttl: 1h\n- match: job=x\n  ttl: 1h\n": "rules.yml:4: rule 2: match: cannot read selector \"job=x\"",
		"rules:\n- match: job=\"x\"\n  ttl: soon\n":                          "rules.yml:3: rule 1: ttl: time to live \"soon\"",
		"rules:\n- match: job=\"x\"\n  ttl: 10ms\n":                          "rules.yml:3: rule 1: ttl: time to live \"10ms\": the shortest is 1s",
		"rules:\n- match: job=\"x\"\n  ttl: 1h\n  ttl: 2h\n":                 "rules.yml:4: rule 1: mapping key \"ttl\" already defined at line 3",
		"rules:\n- match: job=\"x\"\n  max_groups: 0\n":                      "rules.yml:3: rule 1: max_groups: \"0\" is not a whole number above 0",
		"rules:\n- match: job=\"x\"\n  max_groups: many\n":                   "rules.yml:3: rule 1: max_groups: \"many\" is not a whole number above 0",
		"rules:\n- match: job=\"x\"\n  ttl: 1h\n  max_group: 3\n":            "rules.yml:4: rule 1: unknown field \"max_group\"",
		"rules:\n- ~\n": "rules.yml:2: rule 1 is not a mapping",
		"rules:\n- match: job=\"x\"\n  ? [a]\n  : 1\n":                                      "rules.yml:3: rule 1: cannot construct",
		"rules:\n- match: job=\"x\"\n  ttl: 1h\n  max_groups_by: [job]\n":                   "rules.yml:4: rule 1 has max_groups_by without max_groups",
		"rules:\n- match: job=\"x\"\n  max_groups: 1\n  max_groups_by: job\n":               "rules.yml:4: rule 1: max_groups_by is not a list of 1 to 10 labels",
		"rules:\n- match: job=\"x\"\n  max_groups: 1\n  max_groups_by: []\n":                "rules.yml:4: rule 1: max_groups_by is not a list of 1 to 10 labels",
		"rules:\n- match: job=\"x\"\n  max_groups: 1\n  max_groups_by:\n  - job\n  - job\n": "rules.yml:6: rule 1: max_groups_by: \"job\" is there twice",
		"rules:\n- match: job=\"x\"\n  max_groups: 1\n  max_groups_by: ['']\n":              "rules.yml:4: rule 1: max_groups_by: \"\" is not a label name",
		"rules:\n- match: job=\"x\"\n  max_groups: 1\n  max_groups_by: [[a]]\n":             "rules.yml:4: rule 1: max_groups_by is not a single value",
		"rules:\n\t- match: x\n":      "rules.yml:2: ",
		"rules: []\n---\nrules: []\n": "rules.yml:2: a second document begins",
		"rules: []\n...\n\nfoo\n":     "rules.yml:4: a second document begins",
		"rules:\n" + strings.Repeat("- {match: 'job=\"x\"', ttl: 1h}\n", maxRules+1): "rules.yml:1002: more than 1000 rules",
	} {
		s, err := Parse("rules.yml", []byte(text), 0)
		if err == nil || s != nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.100q: got %v, want %q", text, err, want)
		}
	}
}

// What is no YAML is found where a person would look for it.
func TestErrorsOfSyntax(t *testing.T) {
	for text, want := range map[string]string{
		"rules: [":                                  "f:1: did not find expected node content",
		"rules: [\n\n\n":                            "f:1: did not find expected node content",
		"rules: *a\n":                               "f:1: unknown anchor 'a'",
		"rules:\n- match: *a\n":                     "f:2: unknown anchor 'a'",
		"rules:\n- match: x\n  ttl: 1h\n bad\n":     "f:4: did not find expected key",
		"rules:\n- match: x\n   ttl: 1h\n":          "f:3: mapping values are not allowed",
		"rules:\n- match: x\n  ttl: 1h: 2\n":        "f:3: mapping values are not allowed",
		"rules:\n- match: x\n\n- match: @x\n":       "f:4: found character that cannot start any token",
		"rules:\n- match: x\n  ttl: 1h\n  \tx: 1\n": "f:4: found a tab character",
		"%YAML 9.1\n---\nrules: []\n":               "f:1: found incompatible YAML document",
		"\x00":                                      "f:1: control characters are not allowed",
		"rules:\n- match: \xff\n":                   "f:2: invalid leading UTF-8 octet",
		"rules:\r- match: x\r   ttl: 1h\r":          "f:3: mapping values are not allowed",
		"rules: []\n---\n- [\n":                     "f:3: did not find expected node content",
	} {
		_, err := Parse("f", []byte(text), 0)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	// What is not closed is noticed late, and said to begin early.
	for text, begin := range map[string]int{
		"rules:\n- match: x\n  ttl: \"1h\n- match: y\n":    3,
		"rules:\n- {match: x, ttl: 1h\n- match: y\n":       2,
		"rules:\n- match: 'job=\"x\"\n  ttl: 1h\n- a: b\n": 2,
	} {
		_, err := Parse("f", []byte(text), 0)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("from line %d)", begin)) {
			t.Errorf("%q: got %v, want the line %d", text, err, begin)
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
		if got := f.TTL(key(t, "/job/x")); got != ttl || testutil.ToFloat64(f.reloadSuccessful) != good {
			t.Errorf("got %s, in order %v; want %s, %v", got, testutil.ToFloat64(f.reloadSuccessful), ttl, good)
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
	if err := f.Reload(); err == nil || !strings.Contains(err.Error(), " has more than ") {
		t.Errorf("got %v", err)
	}
	for _, nothing := range []string{t.TempDir(), pipe(t)} {
		if _, err := Load(nothing, 0, promslog.NewNopLogger(), nil); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: got %v", nothing, err)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none"), 0, promslog.NewNopLogger(), nil); err == nil {
		t.Error("a file that is not there is read")
	}
}

// Quotas follow each reload, and stay as they were if it fails.
func TestUseQuotas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.yml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rules:\n- match: job=\"x\"\n  max_groups: 1\n")
	f, err := Load(path, 0, promslog.NewNopLogger(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var quotas func(store.Key) store.Quota
	f.UseQuotas(func(q func(store.Key) store.Quota) { quotas = q })
	check := func(most int) {
		t.Helper()
		if got := quotas(key(t, "/job/x")).Max; got != most {
			t.Errorf("got %d groups, want %d", got, most)
		}
	}
	check(1)
	write("rules:\n- match: job=\"x\"\n  max_groups: 2\n")
	if err := f.Reload(); err != nil {
		t.Fatal(err)
	}
	check(2)
	write("rules: 1\n")
	if err := f.Reload(); err == nil {
		t.Error("a wrong file is read")
	}
	check(2)
	write("rules: []\n")
	if err := f.Reload(); err != nil || quotas != nil {
		t.Errorf("%v, or quotas without a rule", err)
	}
}

// Without a file there is nothing to reload, and it is said.
func TestReloadOfNothing(t *testing.T) {
	var log strings.Builder
	f, err := Load("", time.Minute, slog.New(slog.NewTextHandler(&log, nil)), nil)
	if err != nil || log.Len() != 0 {
		t.Fatalf("%v, logged %q", err, log.String())
	}
	if err := f.Reload(); err != nil || !strings.Contains(log.String(), "nothing to reload") {
		t.Errorf("%v, logged %q", err, log.String())
	}
	if got := f.TTL(key(t, "/job/x")); got != time.Minute {
		t.Errorf("got %s", got)
	}
}

// pipe makes a pipe that nobody writes to.
func pipe(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// breaks are what the library takes for the end of a line.
var breaks = regexp.MustCompile("\r\n|[\r\n\u0085\u2028\u2029]")

// Whatever is in the file, nothing panics, and an error has file, line, and one
// line of text.
func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("rules:\n- {match: job, ttl: &a 1h, <<: *a}\n")
	f.Add("? [a]\n: b\n")
	f.Add("rules: [\n- \"\xff\x00\n---\n%YAML 9\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("f", []byte(text), 0)
		if err != nil {
			var line int
			if n, _ := fmt.Sscanf(err.Error(), "f:%d: ", &line); n != 1 || line < 1 || line > 1+len(breaks.FindAllString(text, -1)) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%q", err)
			}
			return
		}
		s.TTL(key(t, "/job/x"))
		s.Quota(key(t, "/job/x"))
	})
}

// What the rules add to each push.
func BenchmarkTTL(b *testing.B) {
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
		s.TTL(k)
	}
}
