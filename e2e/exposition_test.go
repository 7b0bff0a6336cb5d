package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// An exposition is what a scrape shows.
type exposition struct {
	samples map[string]string // series as written, with its labels, to value
	types   map[string]string // family to type
}

// readExposition reads the text format line by line. A series or a TYPE line that is
// there twice is an error.
func readExposition(text string) (exposition, error) {
	e := exposition{samples: map[string]string{}, types: map[string]string{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		into, key, value := e.samples, "", ""
		if declaration, ok := strings.CutPrefix(line, "# TYPE "); ok {
			into = e.types
			key, value, _ = strings.Cut(declaration, " ")
		} else if line == "" || line[0] == '#' {
			continue
		} else {
			at := strings.LastIndexByte(line, ' ')
			if at < 0 {
				return e, fmt.Errorf("not a sample: %q", line)
			}
			key, value = line[:at], line[at+1:]
		}
		if _, twice := into[key]; twice {
			return e, fmt.Errorf("%s stands twice in a scrape", key)
		}
		into[key] = value
	}
	return e, nil
}

// value returns the value of a series as a whole number.
func (e exposition) value(series string) (n int64, shown bool) {
	text, shown := e.samples[series]
	if !shown {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64) // large ones are written as 1.2345678e+07
	return int64(f), err == nil
}

// of returns the lines of all series that have the label with this value, sorted.
func (e exposition) of(label, value string) []string {
	return e.lines(fmt.Sprintf("%s=%q", label, value))
}

// pushed returns the lines of all series that belong to a group, sorted.
func (e exposition) pushed() []string { return e.lines(`job="`) }

func (e exposition) lines(part string) []string {
	var lines []string
	for _, series := range slices.Sorted(maps.Keys(e.samples)) {
		if strings.Contains(series, "{"+part) || strings.Contains(series, ","+part) {
			lines = append(lines, series+" "+e.samples[series])
		}
	}
	return lines
}

// series writes a series of a group as a scrape does.
func series(name, job, instance string) string {
	return fmt.Sprintf("%s{instance=%q,job=%q}", name, instance, job)
}

// groupPath is the URL of a group.
func groupPath(job, instance string) string {
	return "/metrics/job/" + job + "/instance/" + instance
}

func TestReadExposition(t *testing.T) {
	e, err := readExposition("# HELP a b\n# TYPE a gauge\na{instance=\"\",job=\"x\"} 1\nb 2\n")
	if err != nil {
		t.Fatal(err)
	}
	if n, shown := e.value("b"); n != 2 || !shown {
		t.Errorf("b is %d, %t", n, shown)
	}
	if have := e.pushed(); len(have) != 1 || have[0] != series("a", "x", "")+" 1" || e.types["a"] != "gauge" {
		t.Errorf("have %v and %v", have, e.types)
	}
	for _, twice := range []string{"a 1\na 2\n", "# TYPE a gauge\n# TYPE a counter\n"} {
		if _, err := readExposition(twice); err == nil {
			t.Errorf("accepted %q", twice)
		}
	}
}
