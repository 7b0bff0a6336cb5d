package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// URLs as people write them, with slashes, empty values, spaces and base64.
func TestDemandPaths(t *testing.T) {
	testDemands(t, nil, []demand{
		{name: "PGW#97 a slash in base64url without padding",
			steps: []step{post("/job/x/path@base64/L3Zhci90bXA", "a 1\n")},
			shows: []string{"a" + jobX(`path="/var/tmp"`) + " 1"}},
		{name: "PGW#97 a slash in base64url with padding",
			steps: []step{post("/job/x/path@base64/L3Zhci90bXA=", "a 1\n")},
			shows: []string{"a" + jobX(`path="/var/tmp"`) + " 1"}},
		{name: "PGW#97 with padding and without is the same group",
			steps: []step{post("/job/x/path@base64/L3Zhci90bXA=", "a 1\n"), put("/job/x/path@base64/L3Zhci90bXA", "b 1\n")},
			shows: []string{"b" + jobX(`path="/var/tmp"`) + " 1"}},
		{name: "PGW#97 an encoded slash splits all the same: an odd count is refused",
			steps: []step{put("/job/x/path/a%2Fb", "m 1\n").refused("odd")}},
		{name: "PGW#97 an encoded slash splits all the same: an even count is another group",
			steps: []step{put("/job/x/path/a%2Fb%2Fc", "m 1\n")},
			shows: []string{"m" + jobX(`b="c"`, `path="a"`) + " 1"}},
		{name: "client_golang#396 a plain slash in a value splits, too",
			steps: []step{put("/job/x/path/var/tmp", "m 1\n").refused("odd"), put("/job/x/path//var/tmp", "m 1\n").redirects("/metrics/job/x/path/var/tmp")}},
		{name: "client_java#159 an encoded slash in the job splits the path: half of the job is a label",
			steps: []step{put("/job/a%2Fb", "m 1\n").refused("odd"), put("/job/a%2Fb%2Fc", "m 1\n")},
			shows: []string{`m{b="c",instance="",job="a"} 1`}},

		{name: "client_python#442 the standard base64 alphabet is refused: plus sign",
			steps: []step{post("/job/x/path@base64/fn4+fg==", "a 1\n").refused("base64url")}},
		{name: "client_python#442 the standard base64 alphabet is refused: slash",
			steps: []step{post("/job/x/path@base64/Pz8%2FPw==", "a 1\n").refused()}},
		{name: "client_python#442 the same value in base64url is accepted",
			steps: []step{post("/job/x/path@base64/fn4-fg==", "a 1\n")},
			shows: []string{"a" + jobX(`path="~~>~"`) + " 1"}},
		{name: "client_python#442 no base64 at all is refused",
			steps: []step{post("/job/x/path@base64/!!!", "a 1\n").refused("base64url")}},
		{name: "client_python#442 also for the job",
			steps: []step{post("/job@base64/fn4+fg==", "a 1\n").refused("base64url")}},
		{name: "client_python#442 also for DELETE",
			steps: []step{del("/job/x/path@base64/fn4+fg==").refused("base64url")}},

		{name: "PGW#344 an empty value makes a double slash: redirected, nothing is stored",
			steps: []step{put("/job/x/a//b/c", "m 1\n").redirects("/metrics/job/x/a/b/c"), put("/job/x/a/b/c", "m 1\n").refused("odd")}},
		{name: "PGW#344 also for POST and DELETE",
			steps: []step{post("/job/x/a//b/c", "m 1\n").redirects("/metrics/job/x/a/b/c"), del("/job/x/a//b/c").redirects("/metrics/job/x/a/b/c")}},
		{name: "PGW#344 two empty values",
			steps: []step{put("/job/x/a//b//c/d", "m 1\n").redirects("/metrics/job/x/a/b/c/d")}},
		{name: "PGW#344 an empty value is written as base64 of nothing",
			steps: []step{put("/job/x/a@base64/=/b/c", "m 1\n")},
			shows: []string{"m" + jobX(`a=""`, `b="c"`) + " 1"}},
		{name: "PGW#344 several equals signs are no base64 of nothing",
			steps: []step{put("/job/x/a@base64/==/b/c", "m 1\n")},
			shows: []string{"m" + jobX(`a=""`, `b="c"`) + " 1"}},
		{name: "PGW#344 an empty last value needs no encoding",
			steps: []step{put("/job/x/a/", "m 1\n")},
			shows: []string{"m" + jobX(`a=""`) + " 1"}},
		{name: "PGW#344 an empty last value is the same group in both ways to write it",
			steps: []step{put("/job/x/a/", "m 1\n"), put("/job/x/a@base64/=", "n 1\n")},
			shows: []string{"n" + jobX(`a=""`) + " 1"}},
		{name: "PGW#344 an empty job is no job",
			steps: []step{put("/job//a/b", "m 1\n").redirects("/metrics/job/a/b"), put("/job/", "m 1\n").redirects("/metrics/job")}},

		{name: "client_python#1064 a plus sign stays one, %20 is a space: two groups",
			steps: []step{put("/job/x/label/value+with+spaces", "m 1\n"), put("/job/x/label/value%20with%20spaces", "m 2\n")},
			shows: []string{"m" + jobX(`label="value+with+spaces"`) + " 1", "m" + jobX(`label="value with spaces"`) + " 2"}},
		{name: "client_python#1064 also in the job",
			steps: []step{put("/job/a+b", "m 1\n"), put("/job/a%20b", "m 2\n"), put("/job/a%2Bb", "n 3\n")},
			shows: []string{`n{instance="",job="a+b"} 3`, `m{instance="",job="a b"} 2`}},
		{name: "percent-encoding of any other character is resolved",
			steps: []step{put("/job/x/l/%C3%A4%22%5C%0A%25%3F%23", "m 1\n")},
			shows: []string{"m" + jobX(`l="ä\"\\\n%?#"`) + " 1"}},
		{name: "a query is no part of the key",
			steps: []step{put("/job/x?instance=i&job=y", "m 1\n")},
			shows: []string{"m" + jobX() + " 1"}},

		{name: "client_golang#186 a base address with a last slash is redirected",
			steps: []step{{method: http.MethodPut, path: "//metrics/job/x", body: "m 1\n", code: http.StatusTemporaryRedirect, location: "/metrics/job/x"},
				{method: http.MethodDelete, path: "//metrics/job/x", code: http.StatusTemporaryRedirect, location: "/metrics/job/x"}}},
		{name: "client_golang#186 so are dots in the path",
			steps: []step{{method: http.MethodPut, path: "/x/../metrics/job/x", body: "m 1\n", code: http.StatusTemporaryRedirect, location: "/metrics/job/x"}}},
		{name: "PGW#351 a slash at the end is the group without it, a label of the body stays",
			steps: []step{post("/job/dataradio/", "m{instance=\"1234\"} 50\n")},
			shows: []string{`m{instance="1234",job="dataradio"} 50`}},
		{name: "PGW#351 a slash at the end and none are one group, also for DELETE",
			steps: []step{post("/job/x/", "m 1\n"), put("/job/x", "n 1\n"), del("/job/x/")}},
		{name: "PGW#375 a group with an empty label value in the middle can be deleted",
			steps: []step{put("/job/x/a@base64/=/b/c", "m 1\n"), del("/job/x/a@base64/=/b/c")}},

		{name: "client_ruby#186 a job with a slash in base64",
			steps: []step{put("/job@base64/YS9i", "m 1\n")},
			shows: []string{`m{instance="",job="a/b"} 1`}},
		{name: "client_ruby#186 a job in base64 and plain is one job",
			steps: []step{put("/job@base64/eA", "m 1\n"), put("/job/x", "n 2\n")},
			shows: []string{"n" + jobX() + " 2"}},
		{name: "client_ruby#291 an empty job in base64 is refused, job is required",
			steps: []step{put("/job@base64/=", "m 1\n").refused("job"), del("/job@base64/=").refused("job")}},

		{name: "prom-aggregation-gateway#48 a path doubled by the client is not found",
			steps: []step{post("/metrics/job/foo", "m 1\n").answers(http.StatusNotFound), del("/metrics/job/foo").answers(http.StatusNotFound)}},
		{name: "prom-aggregation-gateway#48 nor is one with another word before the job",
			steps: []step{post("/instance/i", "m 1\n").answers(http.StatusNotFound),
				{method: http.MethodPut, path: "/api/v1/metrics/job/x", body: "m 1\n", code: http.StatusNotFound},
				{method: http.MethodPut, path: "/job/x", body: "m 1\n", code: http.StatusNotFound}}},
		{name: "PGW#32 the order of labels does not matter, also for DELETE",
			steps: []step{put("/job/x/a/1/b/2", "m 1\n"), put("/job/x/b/2/a/1", "n 2\n"), del("/job/x/b/2/a/1")}},
		{name: "PGW#44 the order of labels does not matter for POST",
			steps: []step{put("/job/x/a/1/b/2", "m 1\nn 1\n"), post("/job/x/b/2/a/1", "m 2\n")},
			shows: []string{"m" + jobX(`a="1"`, `b="2"`) + " 2", "n" + jobX(`a="1"`, `b="2"`) + " 1"}},
		{name: "the same label twice in the path: the last one counts",
			steps: []step{put("/job/x/a/1/a/2", "m 1\n")},
			shows: []string{"m" + jobX(`a="2"`) + " 1"}},

		{name: "a path label name with a dash is refused",
			steps: []step{put("/job/x/my-label/v", "m 1\n").refused("my-label")}},
		{name: "a path label name with a dot is refused",
			steps: []step{put("/job/x/my.label/v", "m 1\n").refused("my.label")}},
		{name: "a path label name with a digit first is refused",
			steps: []step{put("/job/x/1st/v", "m 1\n").refused("1st")}},
		{name: "a reserved path label name is refused",
			steps: []step{put("/job/x/__name__/v", "m 1\n").refused("__name__"), put("/job/x/__address__/v", "m 1\n").refused("__address__")}},
		{name: "DELETE with such names is refused, too",
			steps: []step{del("/job/x/my-label/v").refused("my-label"), del("/job/x/a").refused("odd")}},
	})
}

// UTF-8 names in body and path, with the flag and without.
func TestDemandUTF8Names(t *testing.T) {
	const body = `{"my.metric","k.x"="y"} 1` + "\n"
	t.Run("with the flag", func(t *testing.T) {
		testDemands(t, []string{"--push.enable-utf8-names"}, []demand{
			{name: "PGW#623 names in body and path, which a scrape without a wish sees with underscores",
				steps: []step{put("/job/x/U__my_2d_label/v", body)},
				shows: []string{"my_metric" + jobX(`k_x="y"`, `my_label="v"`) + " 1"}},
			{name: "PGW#689 the path's name is the same label as the body's",
				steps: []step{put("/job/x/U__my_2d_label/v", "m{\"my-label\"=\"w\"} 1\n")},
				shows: []string{"m" + jobX(`my_label="v"`) + " 1"}},
			{name: "client_ruby#306 a name in the path together with a value in base64",
				steps: []step{put("/job/x/U__my_2d_label@base64/L3Zhci90bXA", "m 1\n"), del("/job/x/U__my_2d_label@base64/L3Zhci90bXA=")}},
			{name: "PGW#623 a path without an escape is taken literally",
				steps: []step{put("/job/x/my_label/v", "m 1\n")},
				shows: []string{"m" + jobX(`my_label="v"`) + " 1"}},
			{name: "crabby#8 a dotted name without braces and quotes is no syntax even so",
				steps: []step{put("/job/x", "a.b 1\n").refused("line 1")}},
		})
	})
	t.Run("without the flag", func(t *testing.T) {
		testDemands(t, nil, []demand{
			{name: "PGW#623 the path is taken literally",
				steps: []step{put("/job/x/U__my_2d_label/v", "m 1\n")},
				shows: []string{"m" + jobX(`U__my_2d_label="v"`) + " 1"}},
			{name: "PGW#623 a body with such a metric name is refused",
				steps: []step{put("/job/x", "{\"my.metric\"} 1\n").refused("my.metric")}},
			{name: "PGW#623 a body with such a label name is refused",
				steps: []step{put("/job/x", "m{\"my.label\"=\"y\"} 1\n").refused("my.label")}},
		})
	})
	t.Run("a scrape that asks for the names gets them", func(t *testing.T) {
		g := newSite(t).start("--push.enable-utf8-names")
		g.must(http.StatusOK, http.MethodPut, "/metrics/job/x/U__my_2d_label/v", body)
		a := g.must(http.StatusOK, http.MethodGet, "/metrics", "", "Accept", "text/plain;version=1.0.0;escaping=allow-utf-8")
		const want = "\n" + `{"my.metric",instance="",job="x","k.x"="y","my-label"="v"} 1` + "\n"
		if !strings.Contains(a.body, want) {
			t.Errorf("%q is not in the scrape:\n%s", want, a.body)
		}
	})
}
