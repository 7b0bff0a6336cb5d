package e2e

import "testing"

// One push must not break the scrape of all: wrong types, and series that are there
// twice.
func TestDemandConsistency(t *testing.T) {
	const groupA, groupB = `{instance="",job="a"}`, `{instance="",job="b"}`
	demands := []demand{
		{name: "PGW#232 a series reached by path label, then by body label, is refused",
			steps:  []step{put("/job/a/instance/i", "m 1\n"), put("/job/a", "m{instance=\"i\"} 2\n").refused("/job/a/instance/i")},
			shows:  []string{`m{instance="i",job="a"} 1`},
			failed: []string{groupA}},
		{name: "PGW#232 a series reached by body label, then by path label, is refused",
			steps:  []step{put("/job/a", "m{instance=\"i\"} 2\n"), put("/job/a/instance/i", "m 1\n").refused("/job/a")},
			shows:  []string{`m{instance="i",job="a"} 2`},
			failed: []string{`{instance="i",job="a"}`}},
		{name: "PGW#232 the same with another label than instance",
			steps:  []step{put("/job/a/dc/eu", "m{host=\"h\"} 1\n"), post("/job/a/host/h", "m{dc=\"eu\"} 2\n").refused("/job/a/dc/eu")},
			shows:  []string{`m{dc="eu",host="h",instance="",job="a"} 1`},
			failed: []string{`{host="h",instance="",job="a"}`}},
		{name: "PGW#232 the same with a path label in base64",
			steps:  []step{put("/job/a/path@base64/L3Zhci90bXA", "m 1\n"), put("/job/a", "m{path=\"/var/tmp\"} 2\n").refused("/job/a/path@base64/L3Zhci90bXA")},
			shows:  []string{`m{instance="",job="a",path="/var/tmp"} 1`},
			failed: []string{groupA}},
		{name: "PGW#232 the path's label wins over the body's, so this is the same group and no conflict",
			steps: []step{put("/job/a/instance/i", "m 1\n"), put("/job/a/instance/i", "m{instance=\"other\",job=\"other\"} 2\n")},
			shows: []string{`m{instance="i",job="a"} 2`}},
		{name: "PGW#232 the other series of a refused push are not stored either",
			steps:  []step{put("/job/a/instance/i", "m 1\n"), post("/job/a", "good 1\nm{instance=\"i\"} 2\n").refused()},
			shows:  []string{`m{instance="i",job="a"} 1`},
			failed: []string{groupA}},
		{name: "PGW#232 other values of the same labels are no conflict",
			steps: []step{put("/job/a/instance/i", "m 1\n"), put("/job/a", "m{instance=\"j\"} 2\n")},
			shows: []string{`m{instance="i",job="a"} 1`, `m{instance="j",job="a"} 2`}},
		{name: "PGW#232 what stands in the way can be deleted, then the push is accepted",
			steps: []step{put("/job/a/instance/i", "m 1\n"), del("/job/a/instance/i"), put("/job/a", "m{instance=\"i\"} 2\n")},
			shows: []string{`m{instance="i",job="a"} 2`}},

		{name: "PGW#141 a forgotten TYPE keyword makes the metric untyped, the later typed push is refused",
			steps:  []step{post("/job/a", "# last_ok gauge\nlast_ok 1\n"), post("/job/b", "# TYPE last_ok gauge\nlast_ok 2\n").refused("last_ok", "gauge", "untyped", "/job/a")},
			shows:  []string{`last_ok{instance="",job="a"} 1`},
			types:  []string{"last_ok untyped"},
			failed: []string{groupB}},
		{name: "PGW#141 a TYPE line in lower case is a comment",
			steps:  []step{post("/job/a", "# type last_ok gauge\nlast_ok 1\n"), post("/job/b", "# TYPE last_ok gauge\nlast_ok 2\n").refused("untyped")},
			shows:  []string{`last_ok{instance="",job="a"} 1`},
			types:  []string{"last_ok untyped"},
			failed: []string{groupB}},
		{name: "PGW#141 a TYPE line without the space is one",
			steps: []step{post("/job/a", "#TYPE last_ok gauge\nlast_ok 1\n"), post("/job/b", "# TYPE last_ok gauge\nlast_ok 2\n")},
			shows: []string{`last_ok{instance="",job="a"} 1`, `last_ok{instance="",job="b"} 2`},
			types: []string{"last_ok gauge"}},
		{name: "PGW#141 a misspelt type is refused",
			steps: []step{post("/job/a", "# TYPE last_ok guage\nlast_ok 1\n").refused("line 1", "guage")}},

		{name: "PGW#99 the group in the way changes its type, then the other push is accepted",
			steps: []step{put("/job/a", "c 1\n"), put("/job/b", "# TYPE c counter\nc 2\n").refused("untyped", "counter", "/job/a"),
				put("/job/a", "# TYPE c counter\nc 3\n"), put("/job/b", "# TYPE c counter\nc 2\n")},
			shows:  []string{`c{instance="",job="a"} 3`, `c{instance="",job="b"} 2`},
			types:  []string{"c counter"},
			failed: []string{groupB}},
		{name: "PGW#99 a group cannot change its type while another one holds the old",
			steps:  []step{put("/job/a", "c 1\n"), put("/job/b", "c 1\n"), put("/job/a", "# TYPE c counter\nc 3\n").refused("/job/b")},
			shows:  []string{`c{instance="",job="a"} 1`, `c{instance="",job="b"} 1`},
			types:  []string{"c untyped"},
			failed: []string{groupA}},
		{name: "PGW#681 a histogram meets the untyped series of a push that lost its TYPE",
			steps:  []step{put("/job/a", "h_count 1\n"), put("/job/b", "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n").refused("h_count", "/job/a")},
			shows:  []string{`h_count{instance="",job="a"} 1`},
			failed: []string{groupB}},
		{name: "PGW#681 an untyped h_sum meets a histogram",
			steps:  []step{put("/job/a", "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"), put("/job/b", "h_sum 1\n").refused("h_sum")},
			shows:  []string{`h_bucket{instance="",job="a",le="+Inf"} 1`, `h_count{instance="",job="a"} 1`, `h_sum{instance="",job="a"} 1`},
			failed: []string{groupB}},

		{name: "PGW#194 different HELP texts are never an error, and the scrape has one",
			steps: []step{put("/job/a", "# HELP m one\nm 1\n"), put("/job/b", "# HELP m another\nm 1\n"), put("/job/c", "m 1\n"), put("/job/d", "# HELP m \nm 1\n")},
			shows: []string{`m{instance="",job="a"} 1`, `m{instance="",job="b"} 1`, `m{instance="",job="c"} 1`, `m{instance="",job="d"} 1`}},
		{name: "PGW#266 a HELP text that differs from the gateway's own is no error",
			steps: []step{put("/job/a", "# HELP go_goroutines how many.\n# TYPE go_goroutines gauge\ngo_goroutines 1\n")},
			shows: []string{`go_goroutines{instance="",job="a"} 1`}},

		{name: "PGW#51 the same series twice in one body is refused",
			steps:  []step{put("/job/a", "m{a=\"1\"} 1\nm{a=\"1\"} 2\n").refused("m")},
			failed: []string{groupA}},
		{name: "PGW#51 also with the same value",
			steps:  []step{put("/job/a", "m 1\nm 1\n").refused("m")},
			failed: []string{groupA}},
		{name: "PGW#51 also with the labels in another order",
			steps:  []step{put("/job/a", "m{a=\"1\",b=\"2\"} 1\nm{b=\"2\",a=\"1\"} 2\n").refused("m")},
			failed: []string{groupA}},
		{name: "PGW#51 also when the path's label makes them the same",
			steps:  []step{put("/job/a/instance/i", "m{instance=\"1\"} 1\nm{instance=\"2\"} 2\n").refused("m")},
			failed: []string{`{instance="i",job="a"}`}},
		{name: "PGW#51 also when the job in the body made the difference",
			steps:  []step{post("/job/a", "m{job=\"1\"} 1\nm{job=\"2\"} 2\n").refused("m")},
			failed: []string{groupA}},
		{name: "PGW#347 a metric with and without a label is legal in one push",
			steps: []step{put("/job/x", "m 1\nm{a=\"b\"} 2\n")},
			shows: []string{"m" + jobX() + " 1", "m" + jobX(`a="b"`) + " 2"}},

		{name: "an empty label and none are two series",
			steps: []step{put("/job/x", "m{a=\"\"} 1\nm 2\n")},
			shows: []string{"m" + jobX(`a=""`) + " 1", "m" + jobX() + " 2"}},
		{name: "an empty label and none are two series in two groups",
			steps: []step{put("/job/x/a@base64/=", "m 1\n"), put("/job/x", "m 2\n")},
			shows: []string{"m" + jobX(`a=""`) + " 1", "m" + jobX() + " 2"}},
	}
	demands = append(demands, typeChanges()...)
	testDemands(t, nil, append(demands, ownFamilies()...))
}

// ownFamilies has pushes of families that the gateway exposes itself.
func ownFamilies() []demand {
	const groupA = `{instance="",job="a"}`
	var demands []demand
	for _, own := range []struct{ name, body string }{
		{"process_cpu_seconds_total as a gauge", "# TYPE process_cpu_seconds_total gauge\nprocess_cpu_seconds_total 1\n"},
		{"process_start_time_seconds as a counter", "# TYPE process_start_time_seconds counter\nprocess_start_time_seconds 1\n"},
		{"process_resident_memory_bytes without a type", "process_resident_memory_bytes 1\n"},
		{"go_goroutines without a type", "go_goroutines 1\n"},
		{"go_gc_duration_seconds as a histogram", "# TYPE go_gc_duration_seconds histogram\ngo_gc_duration_seconds_bucket{le=\"+Inf\"} 1\ngo_gc_duration_seconds_sum 1\ngo_gc_duration_seconds_count 1\n"},
		{"go_gc_duration_seconds_count without a type", "go_gc_duration_seconds_count 1\n"},
		{"pushgateway_build_info as a counter", "# TYPE pushgateway_build_info counter\npushgateway_build_info 1\n"},
	} {
		demands = append(demands, demand{
			name:   "PGW#94 " + own.name + " meets the gateway's own: that push is refused",
			steps:  []step{put("/job/good", "m 1\n"), put("/job/a", own.body).refused(`(process|go|pushgateway|push)_[a-z_]+`)},
			shows:  []string{`m{instance="",job="good"} 1`},
			failed: []string{groupA},
		})
	}
	return append(demands,
		demand{name: "a pushed push_time_seconds of whatever type gives way to the gateway's",
			steps: []step{put("/job/a", "# TYPE push_time_seconds counter\npush_time_seconds 1\n"), put("/job/b", "# TYPE push_failure_time_seconds gauge\npush_failure_time_seconds 1\n")},
			types: []string{"push_time_seconds gauge", "push_failure_time_seconds gauge"}},
		demand{name: "PGW#27 an own family's name with its type and another label set is accepted",
			steps: []step{put("/job/a", "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1\n"), put("/job/a/instance/i", "# TYPE go_goroutines gauge\ngo_goroutines 2\n")},
			shows: []string{`process_cpu_seconds_total{instance="",job="a"} 1`, `go_goroutines{instance="i",job="a"} 2`}},
		demand{name: "PGW#138 an own summary's name with its type is accepted",
			steps: []step{put("/job/a", "# TYPE go_gc_duration_seconds summary\ngo_gc_duration_seconds{quantile=\"0.5\"} 1\ngo_gc_duration_seconds_sum 2\ngo_gc_duration_seconds_count 3\n")},
			shows: []string{`go_gc_duration_seconds{instance="",job="a",quantile="0.5"} 1`, `go_gc_duration_seconds_sum{instance="",job="a"} 2`, `go_gc_duration_seconds_count{instance="",job="a"} 3`}},
	)
}
