package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// promClient is npm's prom-client, which make e2e installs.
func promClient(t *testing.T) runner {
	t.Helper()
	modules, err := filepath.Abs(filepath.Join("..", "build", "node", "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	return runner{"prom-client", []string{debian(t, "node"), filepath.Join("node", "push.js")}, []string{"NODE_PATH=" + modules}}
}

// For prom-client each answer below 400 is success, so the test also checks what is
// stored.
func TestPromClientPushes(t *testing.T) {
	g := newSite(t).start()
	one := map[string]float64{"a": 1}
	promClient(t).try(t, g, clientSettings{URL: g.url},
		clientCall{name: "push of all types", Verb: "push", Job: "x", All: true, says: "ok 200",
			shows: allOfEach(`instance="",job="x"`, `s{instance="",job="x",quantile="0.5"} 4`)},
		clientCall{name: "push replaces the group", Verb: "push", Job: "x", Metrics: map[string]float64{"a": 1, "b": 2}, says: "ok 200",
			shows: []string{"a" + jobX() + " 1", "b" + jobX() + " 2"}},
		clientCall{name: "pushAdd leaves other names", Verb: "pushAdd", Job: "x", Metrics: map[string]float64{"a": 3.5}, says: "ok 200",
			shows: []string{"a" + jobX() + " 3.5", "b" + jobX() + " 2"}},
		clientCall{name: "delete of a key that is not there", Verb: "delete", Job: "x", Grouping: map[string]string{"instance": "i"}, says: "ok 202",
			shows: []string{"a" + jobX() + " 3.5", "b" + jobX() + " 2"}},
		clientCall{name: "delete", Verb: "delete", Job: "x", says: "ok 202"},
		clientCall{name: "push again", Verb: "push", Job: "x", Metrics: one, says: "ok 200", shows: []string{"a" + jobX() + " 1"}},
		clientCall{name: "an encoded space is one", Verb: "push", Job: "x", Grouping: map[string]string{"l": "a b"}, Metrics: one, says: "ok 200",
			shows: []string{"a" + jobX() + " 1", "a" + jobX(`l="a b"`) + " 1"}},
		clientCall{name: "delete with an encoded space", Verb: "delete", Job: "x", Grouping: map[string]string{"l": "a b"}, says: "ok 202", shows: []string{"a" + jobX() + " 1"}},
		clientCall{name: "any other character", Verb: "push", Job: "x", Grouping: map[string]string{"l": "ä+\"%?#"}, Metrics: one, says: "ok 200",
			shows: []string{"a" + jobX() + " 1", "a" + jobX(`l="ä+\"%?#"`) + " 1"}},
		clientCall{name: "delete with any other character", Verb: "delete", Job: "x", Grouping: map[string]string{"l": "ä+\"%?#"}, says: "ok 202", shows: []string{"a" + jobX() + " 1"}},
		clientCall{name: "an encoded slash splits the path: refused", Verb: "push", Job: "x", Grouping: map[string]string{"path": "a/b"}, Metrics: one, says: "status 400, odd", shows: []string{"a" + jobX() + " 1"}},
		clientCall{name: "an encoded slash at the beginning splits the path: another group", Verb: "push", Job: "x", Grouping: map[string]string{"path": "/var/tmp"}, Metrics: one, says: "ok 200",
			shows: []string{"a" + jobX() + " 1", "a" + jobX(`path=""`, `var="tmp"`) + " 1"}},
		clientCall{name: "delete of that", Verb: "delete", Job: "x", Grouping: map[string]string{"path": "/var/tmp"}, says: "ok 202", shows: []string{"a" + jobX() + " 1"}},
		clientCall{name: "an empty value at the end", Verb: "push", Job: "y", Grouping: map[string]string{"l": ""}, Metrics: one, says: "ok 200",
			shows: []string{"a" + jobX() + " 1", `a{instance="",job="y",l=""} 1`}},
		clientCall{name: "delete of an empty value at the end", Verb: "delete", Job: "y", Grouping: map[string]string{"l": ""}, says: "ok 202", shows: []string{"a" + jobX() + " 1"}},
		clientCall{name: "an empty value in the middle is redirected, which the client takes for success", Verb: "push", Job: "y", Grouping: map[string]string{"k": "", "l": "v"}, Metrics: one, says: "ok 307", shows: []string{"a" + jobX() + " 1"}},
		clientCall{name: "a base64 key that the user wrote", Verb: "push", Job: "y", Grouping: map[string]string{"path@base64": "L3Zhci90bXA"}, Metrics: one, says: "ok 200",
			shows: []string{"a" + jobX() + " 1", `a{instance="",job="y",path="/var/tmp"} 1`}},
		clientCall{name: "delete by it, with padding", Verb: "delete", Job: "y", Grouping: map[string]string{"path@base64": "L3Zhci90bXA="}, says: "ok 202", shows: []string{"a" + jobX() + " 1"}},
		clientCall{name: "a clash is told with its reason", Verb: "push", Job: "y", Metrics: map[string]float64{"go_gc_duration_seconds": 1}, says: "status 400, pushed metrics", shows: []string{"a" + jobX() + " 1"}},
	)
	// The agent keeps the connection, so many calls share one.
	calls := []clientCall{{Verb: "delete", Job: "x"}}
	for range 50 {
		calls = append(calls,
			clientCall{Verb: "push", Job: "keep", Metrics: one},
			clientCall{Verb: "push", Job: "keep", Grouping: map[string]string{"bad-name": "v"}, Metrics: one},
			clientCall{Verb: "delete", Job: "keep"})
	}
	p := promClient(t).start(t, clientSettings{URL: g.url})
	for i, call := range calls {
		want := []string{"ok 202", "ok 200", "push failed with status 400"}[i%3]
		if said := p.call(t, call); !strings.HasPrefix(said, want) {
			t.Errorf("call %d by keep-alive: %s, want %s", i, said, want)
		}
	}
	promClient(t).try(t, g, clientSettings{URL: g.url, Gzip: true},
		clientCall{name: "gzip", Verb: "push", Job: "x", Metrics: one, says: "ok 200", shows: []string{"a" + jobX() + " 1"}})
	promClient(t).try(t, g, clientSettings{URL: g.url + "/"},
		clientCall{name: "delete by an address with a last slash", Verb: "delete", Job: "x", says: "ok 202"})
	promClient(t).try(t, g, clientSettings{URL: g.url, NoJob: true},
		clientCall{name: "a push without a job is not allowed", Verb: "push", Metrics: one, says: "status 405"})
}
