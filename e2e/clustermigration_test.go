package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/e2e/testkit"
)

// standalone returns the flags of a member without those of the cluster.
func (m *member) standalone() []string {
	return slices.DeleteFunc(slices.Clone(m.flags), func(flag string) bool { return strings.HasPrefix(flag, "--cluster.") })
}

// launchAs starts a member with other flags, and waits for nothing.
func (c *cluster) launchAs(m *member, flags ...string) {
	c.t.Helper()
	kept := m.flags
	m.flags = flags
	c.launch(m)
	m.flags = kept
}

// ends waits until a member has ended by itself, with code 1 and one error. It returns
// the error.
func (c *cluster) ends(m *member) string {
	c.t.Helper()
	m.alive = false
	code, err := m.Wait(startBound)
	if err != nil {
		c.t.Fatalf("%v:\n%s", err, m.Log())
	}
	var errors []string
	for line := range strings.Lines(m.Log()) {
		if !strings.Contains(line, "level=INFO") && !strings.Contains(line, "level=WARN") {
			errors = append(errors, line)
		}
	}
	if code != 1 || len(errors) != 1 {
		c.t.Fatalf("code %d and %d errors, want code 1 and one error:\n%s", code, len(errors), m.Log())
	}
	return errors[0]
}

// pushSome pushes groups of several kinds, one with a time to live and one whose last
// push was refused.
func (g *sluice) pushSome() {
	g.t.Helper()
	g.must(http.StatusOK, http.MethodPut, groupPath("backup", "db1"), "# TYPE backup_ok gauge\nbackup_ok 1\n# TYPE backup_bytes counter\nbackup_bytes 4096\n")
	g.must(http.StatusOK, http.MethodPost, groupPath("backup", "db1"), "# TYPE backup_ok gauge\nbackup_ok 0\n")
	g.must(http.StatusOK, http.MethodPut, groupPath("backup", "db2"), "# TYPE took_seconds histogram\ntook_seconds_bucket{le=\"1\"} 2\ntook_seconds_bucket{le=\"+Inf\"} 3\ntook_seconds_sum 4\ntook_seconds_count 3\n")
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/lives/path@base64/L3Zhci90bXA?ttl=25h", "lives 1\n")
	g.must(http.StatusOK, http.MethodPut, groupPath("gone", "1"), "gone 1\n")
	g.must(http.StatusAccepted, http.MethodDelete, groupPath("gone", "1"), "")
	g.must(http.StatusBadRequest, http.MethodPost, groupPath("refused", "1"), "# TYPE backup_ok counter\nbackup_ok 1\n")
}

// A standalone gateway becomes a member of three and keeps its state, and a member goes
// on standalone, as docs/cluster.md describes.
func TestFromOneToThreeAndBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := newCluster(s, nil)
	first, third := c.members[0], c.members[2]
	c.launchAs(first, first.standalone()...)
	c.waitReady(first)
	first.pushSome()
	before := first.shows()
	c.stop(first)

	// An attempt is given up, because the others never come.
	c.launch(first)
	testkit.Within(t, clusterBound, "it says who is missing", func() bool {
		a, err := first.do(http.MethodGet, "/-/ready", "")
		return err == nil && strings.Contains(a.body, "1 of 3 members are connected")
	})
	c.stop(first)
	c.launchAs(first, append(first.standalone(), "--cluster.leave")...)
	c.waitReady(first)
	first.mustShow(before)
	c.stop(first)

	c.start()
	for _, m := range c.members {
		m.mustShow(before)
	}
	c.current()
	third.must(http.StatusOK, http.MethodPut, groupPath("more", "1"), "more 1\n")
	testkit.Within(t, clusterBound, "all show the push", func() bool {
		return !slices.ContainsFunc(c.members, func(m *member) bool {
			_, shown := m.scrape().value(series("more", "more", "1"))
			return !shown
		})
	})
	before = third.shows()

	// A gateway that has its own data cannot join any more.
	c.stop(third)
	own := filepath.Join(s.dir, "own")
	if err := os.Rename(third.dir, own); err != nil {
		t.Fatal(err)
	}
	c.launchAs(third, third.standalone()...)
	c.waitReady(third)
	third.must(http.StatusOK, http.MethodPut, groupPath("other", "1"), "other 1\n")
	c.stop(third)
	c.launch(third)
	if line := c.ends(third); !strings.Contains(line, third.dir) {
		t.Errorf("the error does not name the folder %s: %s", third.dir, line)
	}
	first.mustShow(before)
	// It can go on standalone with its data, or join without them.
	c.launchAs(third, append(third.standalone(), "--cluster.leave")...)
	c.waitReady(third)
	if lines := third.scrape().of("job", "other"); len(lines) == 0 {
		t.Error("it does not have its own data back")
	}
	c.stop(third)
	c.launch(third)
	c.ends(third)
	if err := os.Rename(filepath.Join(third.dir, "alone"), filepath.Join(s.dir, "alone")); err != nil {
		t.Fatal(err)
	}
	c.restart(third)
	third.mustShow(before)
	c.current()

	for _, m := range c.others(first) {
		c.stop(m)
	}
	c.stop(first)
	c.launchAs(first, first.standalone()...)
	if line := c.ends(first); !strings.Contains(line, "--cluster.leave") {
		t.Errorf("the error does not name --cluster.leave: %s", line)
	}
	if lines := strings.Count(first.Log(), "\n"); lines != 1 {
		t.Errorf("%d lines:\n%s", lines, first.Log())
	}
	c.launchAs(first, append(first.standalone(), "--cluster.leave")...)
	c.waitReady(first)
	first.mustShow(before)
	first.must(http.StatusOK, http.MethodPut, groupPath("more", "1"), "more 2\n")
	c.stop(first)
	c.launchAs(first, first.standalone()...)
	c.waitReady(first)
	if n, _ := first.scrape().value(series("more", "more", "1")); n != 2 {
		t.Errorf("alone again it shows %d", n)
	}
}
