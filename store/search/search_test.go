package search

import (
	"fmt"
	"strings"
	"testing"

	"sluice/e2e/testkit"
	"sluice/store"
)

func TestSearch(t *testing.T) {
	keys := map[string]store.Key{}
	for name, labels := range map[string][]store.Label{
		"db1":   {{Name: "instance", Value: "db1"}},
		"db2":   {{Name: "instance", Value: "DB2"}},
		"space": {{Name: "instance", Value: `two words "quoted" \ back`}},
		"none":  nil,
		"empty": {{Name: "instance"}},
		"odd":   {{Name: "my.label", Value: "Ünï=~"}, {Name: "tilde", Value: "~x"}},
	} {
		key, err := store.NewKey("Backup", labels...)
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = key
	}
	for text, want := range map[string]string{
		"":                      "db1 db2 space none empty odd",
		"   ":                   "db1 db2 space none empty odd",
		"instance=db1":          "db1",
		"instance=db2":          "",
		"instance!=db1":         "db2 space none empty odd",
		"instance=":             "none empty odd",
		"instance!=":            "db1 db2 space",
		"instance= my":          "odd",
		"instance~^db":          "db1",
		"instance~(?i)^db":      "db1 db2",
		"instance=~b1$":         "db1",
		"instance!~(?i)db":      "space none empty odd",
		"instance~":             "db1 db2 space none empty odd",
		"~^db":                  "db1",
		"~^instance=(db|DB)":    "db1 db2",
		`~"words .quoted"`:      "space",
		"~":                     "db1 db2 space none empty odd",
		"db":                    "db1 db2",
		"DB 1":                  "db1",
		"backup":                "db1 db2 space none empty odd",
		"job=backup":            "",
		"job=Backup db2":        "db2",
		"stance=db":             "", // the name of a label, and none has it
		"=db":                   "db1 db2",
		"/job/backup/instance/": "db1 db2",
		"@base64":               "space empty odd",
		`"two words"`:           "space",
		`instance="two words`:   "",
		`"two words \"QUOTED`:   "space",
		`instance="two words \"quoted\" \\ back"`: "space",
		`"my.label"=Ünï=~`:                        "odd",
		`"my.label"~ï=`:                           "odd",
		"ünï":                                     "odd",
		"ÜNÏ=~":                                   "odd",
		`tilde="~x"`:                              "odd",
		"tilde~x":                                 "odd",
		"db1 db2":                                 "",
		"db1instance":                             "",
		`instance="db1"job=Backup`:                "db1",
		"!=x":                                     "",
	} {
		s, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var got []string
		for _, name := range []string{"db1", "db2", "space", "none", "empty", "odd"} {
			if s.Matches(keys[name]) {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %q", text, strings.Join(got, " "), want)
		}
	}
}

func TestSearchRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a bad expression":             {"a~(", "cannot read the regular expression \"(\": missing closing )"},
		"a bad expression of anything": {"~[z-a]", "cannot read the regular expression"},
		"a large expression":           {"~" + strings.Repeat("x{900}", 2), "is too large"},
		"a large class of repeats":     {"a~((x{10}){10}){10}y{500}", "is too large"},
		"repeats of repeats":           {"a~((x{100}){100}){100}", "cannot read the regular expression"},
		"long":                         {strings.Repeat("a", 1025), "1025 bytes: there may be 1024"},
		"10 kB":                        {strings.Repeat("a b ", 2500), "10000 bytes: there may be 1024"},
		"many terms":                   {strings.Repeat("a ", 17), "more than 16 terms"},
		"no UTF-8":                     {"a\xff", "not valid UTF-8"},
	} {
		_, err := Parse(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 500 {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestNarrows(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, `""`: false, "~": false, "~.*": false, "a=": false, "a!=x": false, "a!~x": false, "a~x*": false, "~x|": false,
		"x": true, "a=x": true, "a~x": true, "~x": true, "a= x": true, "a!=y ~^x": true,
	} {
		s, err := Parse(text)
		if err != nil || s.Narrows() != want {
			t.Errorf("%s: got %v and %v, want %v", text, s.Narrows(), err, want)
		}
	}
}

// Whatever is typed is read or refused, and never takes long.
func FuzzSearch(f *testing.F) {
	for _, text := range []string{`a=b "c d" ~x`, `"`, `~"\`, `a!~`, "a~(?i)x{3}"} {
		f.Add(text)
	}
	key := testkit.MustKey("/job/x/instance/y")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := Parse(text); err == nil {
			s.Matches(key)
		}
	})
}

func BenchmarkSearch(b *testing.B) {
	keys := make([]store.Key, 1000)
	for i := range keys {
		keys[i] = testkit.MustKey(fmt.Sprintf("/job/job%d/instance/host%d.example.org", i%10, i))
	}
	for _, text := range []string{"host77", "job=job7 host7", "instance~^host7", "~host.*7.*org$"} {
		b.Run(text, func(b *testing.B) {
			s, err := Parse(text)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for i := range b.N {
				s.Matches(keys[i%len(keys)])
			}
		})
	}
}
