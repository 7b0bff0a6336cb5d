package e2e

import "strings"

// typeChanges has each pair of types. Pushed to two groups the second one is refused
// (PGW#99, PGW#681); pushed to one group it replaces the first.
func typeChanges() []demand {
	var demands []demand
	for _, first := range typeBodies {
		for _, then := range typeBodies {
			if first.name == then.name {
				continue
			}
			change := first.name + " becomes " + then.name
			demands = append(demands,
				demand{
					name:   "PGW#681 " + change + " in another group: refused, naming both and the group in the way",
					steps:  []step{put("/job/a", first.body), post("/job/b/instance/i", then.body).refused(`\bm\b`, then.name, first.name, "/job/a")},
					shows:  first.in(`instance="",job="a"`),
					types:  []string{"m " + first.name},
					failed: []string{`{instance="i",job="b"}`},
				},
				demand{
					name:  "PGW#99 " + change + " in the same group by PUT",
					steps: []step{put("/job/a", first.body), put("/job/a", then.body)},
					shows: then.in(`instance="",job="a"`),
					types: []string{"m " + then.name},
				},
				demand{
					name:  "PGW#99 " + change + " in the same group by POST",
					steps: []step{put("/job/a", first.body), post("/job/a", then.body)},
					shows: then.in(`instance="",job="a"`),
					types: []string{"m " + then.name},
				})
		}
	}
	return demands
}

// A typeBody is a push of the family m with some type.
type typeBody struct {
	name, body string
	series     []string // what a scrape shows, {} standing for the labels
}

// in returns the lines that a scrape shows of the push in a group with such labels.
func (b typeBody) in(labels string) []string {
	var lines []string
	for _, line := range b.series {
		lines = append(lines, strings.Replace(line, "{", "{"+labels, 1))
	}
	return lines
}

var typeBodies = []typeBody{
	{"untyped", "m 1\n", []string{"m{} 1"}},
	{"counter", "# TYPE m counter\nm 1\n", []string{"m{} 1"}},
	{"gauge", "# TYPE m gauge\nm 1\n", []string{"m{} 1"}},
	{"summary", "# TYPE m summary\nm_sum 1\nm_count 2\n", []string{"m_sum{} 1", "m_count{} 2"}},
	{"histogram", "# TYPE m histogram\nm_bucket{le=\"+Inf\"} 2\nm_sum 1\nm_count 2\n", []string{`m_bucket{,le="+Inf"} 2`, "m_sum{} 1", "m_count{} 2"}},
}
