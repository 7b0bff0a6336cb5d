package e2e

import (
	"path/filepath"
	"testing"
)

// pythonClient is Debian's package. The interpreter is Debian's, too: another one that
// comes first in PATH does not find the package.
func pythonClient() runner {
	return runner{"prometheus_client", []string{"/usr/bin/python3", filepath.Join("testdata", "push.py")}, nil}
}

func TestPythonClientPushes(t *testing.T) {
	g := newSite(t).start()
	one := map[string]float64{"a": 1}
	x := "a" + jobX() + " 1"
	pythonClient().try(t, g, clientSettings{URL: g.url},
		clientCall{name: "push of all types", Verb: "push", Job: "all", All: true, says: "ok",
			shows: allOfEach(`instance="",job="all"`, `e{e="on",instance="",job="all"} 1`, `e{e="off",instance="",job="all"} 0`, `i_info{instance="",job="all",version="1"} 1`)},
		clientCall{name: "delete of all types", Verb: "delete", Job: "all", says: "ok"},
		clientCall{name: "push", Verb: "push", Job: "x", Metrics: map[string]float64{"a": 1, "b": 2}, says: "ok", shows: []string{x, "b" + jobX() + " 2"}},
		clientCall{name: "pushadd leaves other names", Verb: "pushAdd", Job: "x", Metrics: map[string]float64{"b": 3.5}, says: "ok", shows: []string{x, "b" + jobX() + " 3.5"}},
		clientCall{name: "push replaces the group", Verb: "push", Job: "x", Metrics: one, says: "ok", shows: []string{x}},
		clientCall{name: "a slash in a value", Verb: "push", Job: "y", Grouping: map[string]string{"path": "/var/tmp"}, Metrics: one, says: "ok", shows: []string{`a{instance="",job="y",path="/var/tmp"} 1`, x}},
		clientCall{name: "delete with a slash in a value", Verb: "delete", Job: "y", Grouping: map[string]string{"path": "/var/tmp"}, says: "ok", shows: []string{x}},
		clientCall{name: "a slash in the job", Verb: "push", Job: "a/b", Metrics: one, says: "ok", shows: []string{`a{instance="",job="a/b"} 1`, x}},
		clientCall{name: "delete with a slash in the job", Verb: "delete", Job: "a/b", says: "ok", shows: []string{x}},
		clientCall{name: "empty values", Verb: "push", Job: "y", Grouping: map[string]string{"k": "", "l": "v", "m": ""}, Metrics: one, says: "ok", shows: []string{`a{instance="",job="y",k="",l="v",m=""} 1`, x}},
		clientCall{name: "delete with empty values", Verb: "delete", Job: "y", Grouping: map[string]string{"m": "", "k": "", "l": "v"}, says: "ok", shows: []string{x}},
		clientCall{name: "a space becomes a plus sign", Verb: "push", Job: "y z", Grouping: map[string]string{"l": "a b"}, Metrics: one, says: "ok", shows: []string{`a{instance="",job="y+z",l="a+b"} 1`, x}},
		clientCall{name: "delete with a space", Verb: "delete", Job: "y z", Grouping: map[string]string{"l": "a b"}, says: "ok", shows: []string{x}},
		clientCall{name: "any other character", Verb: "push", Job: "y", Grouping: map[string]string{"l": "ä+\"%?#"}, Metrics: one, says: "ok", shows: []string{`a{instance="",job="y",l="ä+\"%?#"} 1`, x}},
		clientCall{name: "delete with any other character", Verb: "delete", Job: "y", Grouping: map[string]string{"l": "ä+\"%?#"}, says: "ok", shows: []string{x}},
		clientCall{name: "the instance is the address of this host", Verb: "push", Job: "y", InstanceIP: true, Metrics: one, says: "ok", shows: []string{x, `a{instance="127.0.0.1",job="y"} 1`}},
		clientCall{name: "delete of it", Verb: "delete", Job: "y", InstanceIP: true, says: "ok", shows: []string{x}},
		clientCall{name: "a bad label name is told", Verb: "push", Job: "y", Grouping: map[string]string{"bad-name": "v"}, Metrics: one, says: "400", shows: []string{x}},
		clientCall{name: "a clash is told", Verb: "push", Job: "y", Metrics: map[string]float64{"go_gc_duration_seconds": 1}, says: "400", shows: []string{x}},
	)
}
