package page

import (
	"encoding/json"
	"strings"
	"testing"

	"sluice/exposer/api"
)

func TestHistogram(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		var m api.Metric
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		h := histogramOf(m)
		if h == nil {
			if len(want) > 0 {
				t.Errorf("%s: no histogram", text)
			}
			return
		}
		var got []string
		for _, b := range h.Bars {
			got = append(got, b.Range+": "+b.Count)
			if b.Height < 0 || b.Y < 0 || b.X < 0 || b.X+b.Width > histogramWidth || b.Y+b.Height > histogramHeight {
				t.Errorf("%s: bar %+v is not inside", text, b)
			}
			if (b.Count != "0") != (b.Height > 0) {
				t.Errorf("%s: bar %+v", text, b)
			}
		}
		if strings.Join(got, "; ") != strings.Join(want, "; ") {
			t.Errorf("%s:\n%s\nwant\n%s", text, strings.Join(got, "; "), strings.Join(want, "; "))
		}
	}
	f(`{"value":"1"}`)
	f(`{"sum":"3","count":"4","buckets":[{"le":"0.1","count":"1"},{"le":"1","count":"1"},{"le":"+Inf","count":"4"}]}`,
		"(-Inf, 0.1]: 1", "(0.1, 1]: 0", "(1, +Inf]: 3")
	f(`{"native":{"schema":0,"buckets":[{"lower":"-2","upper":"-1","count":"3"},{"lower":"-0.001","upper":"0.001","count":"2"},{"lower":"0.001","upper":"0.002","count":"1000"},{"lower":"4","upper":"+Inf","count":"1"}]}}`,
		"(-2, -1]: 3", "(-1, -0.001]: 0", "(-0.001, 0.001]: 2", "(0.001, 0.002]: 1000", "(0.002, 4]: 0", "(4, +Inf]: 1")
	f(`{"native":{"schema":0,"buckets":[]}}`)
}

func TestPlot(t *testing.T) {
	f := func(points string, want string) {
		t.Helper()
		var s api.Series
		if err := json.Unmarshal([]byte(`{"points":[`+points+`]}`), &s); err != nil {
			t.Fatal(err)
		}
		got := "none"
		if p := plotOf(s); p != nil {
			got = p.Path + " " + p.Low + " to " + p.High + ", last " + p.Last
		}
		if got != want {
			t.Errorf("%s: %s, want %s", points, got, want)
		}
	}
	f(``, "none")
	f(`["2026-11-25T11:00:00Z","NaN"]`, "none")
	f(`["2026-11-25T11:00:00Z","5"]`, "M150.0 30.0 5 to 5, last 5")
	f(`["2026-11-25T11:00:00Z","0"],["2026-11-25T11:30:00Z","NaN"],["2026-11-25T12:00:00Z","10"]`, "M4.0 56.0M296.0 4.0 0 to 10, last 10")
	f(`["2026-11-25T11:00:00Z","0"],["2026-11-25T12:00:00Z","+Inf"]`, "M4.0 30.0 0 to 0, last +Inf")
	f(`["2026-11-25T11:00:00Z","0"],["2026-11-25T11:30:00Z","5"],["2026-11-25T12:00:00Z","10"]`, "M4.0 56.0L150.0 30.0L296.0 4.0 0 to 10, last 10")
}

// The labels of the group stand above all of its series.
func TestBrief(t *testing.T) {
	v := groupView{GroupDetail: api.GroupDetail{GroupSummary: api.GroupSummary{Labels: map[string]string{"job": "x", "path": "a\"b\\\nc"}}}}
	f := func(series, want string) {
		t.Helper()
		if got := v.Brief(series); got != want {
			t.Errorf("%s: %s, want %s", series, got, want)
		}
	}
	f(`up`, `up`)
	f(`up{job="x"}`, `up`)
	f(`up{job="x",kind="a,b}",path="a\"b\\\nc"}`, `up{kind="a,b}"}`)
	f(`up{instance="",job="x"}`, `up`)
	f(`up{job="y"}`, `up{job="y"}`)
	f(`up{job="x`, `up{job="x`)
}
