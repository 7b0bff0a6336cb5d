package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/e2e/testkit"
)

// alone returns the flags with which a member's place is that of a gateway that
// is alone.
func (m *member) alone() []string {
	return slices.DeleteFunc(slices.Clone(m.flags), func(flag string) bool { return strings.HasPrefix(flag, "--cluster.") })
}

// launchAs starts a member's place with other flags, and waits for nothing.
func (c *cluster) launchAs(m *member, flags ...string) {
	c.t.Helper()
	kept := m.flags
	m.flags = flags
	c.launch(m)
	m.flags = kept
}

// ends waits until a member has ended by itself, with code 1 and one error, which
// is returned.
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

// pushSome pushes what a gateway has after a while: groups of several kinds, one
// with a time to live, one whose last push was refused.
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

// The way of docs/cluster.md: a single gateway becomes one of three, with all that
// it has, and one of three goes on alone.
func TestFromOneToThreeAndBack(t *testing.T) {
	s := newSite(t)
	c := newCluster(s, nil)
	first, third := c.members[0], c.members[2]
	c.launchAs(first, first.alone()...)
	c.waitReady(first)
	first.pushSome()
	before := first.shows()
	c.stop(first)

	// An attempt that is given up: the others never come.
	c.launch(first)
	testkit.Within(t, clusterBound, "it says who is missing", func() bool {
		a, err := first.do(http.MethodGet, "/-/ready", "")
		return err == nil && strings.Contains(a.body, "1 of 3 members are connected")
	})
	c.stop(first)
	c.launchAs(first, append(first.alone(), "--cluster.leave")...)
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

	// Another gateway with data of its own comes too late.
	c.stop(third)
	own := filepath.Join(s.dir, "own")
	if err := os.Rename(third.dir, own); err != nil {
		t.Fatal(err)
	}
	c.launchAs(third, third.alone()...)
	c.waitReady(third)
	third.must(http.StatusOK, http.MethodPut, groupPath("other", "1"), "other 1\n")
	c.stop(third)
	c.launch(third)
	if line := c.ends(third); !strings.Contains(line, third.dir) {
		t.Errorf("the error does not name the folder %s: %s", third.dir, line)
	}
	first.mustShow(before)
	// It may go on alone with what it had, or join without.
	c.launchAs(third, append(third.alone(), "--cluster.leave")...)
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
	c.launchAs(first, first.alone()...)
	if line := c.ends(first); !strings.Contains(line, "--cluster.leave") {
		t.Errorf("the error does not name --cluster.leave: %s", line)
	}
	if lines := strings.Count(first.Log(), "\n"); lines != 1 {
		t.Errorf("%d lines:\n%s", lines, first.Log())
	}
	c.launchAs(first, append(first.alone(), "--cluster.leave")...)
	c.waitReady(first)
	first.mustShow(before)
	first.must(http.StatusOK, http.MethodPut, groupPath("more", "1"), "more 2\n")
	c.stop(first)
	c.launchAs(first, first.alone()...)
	c.waitReady(first)
	if n, _ := first.scrape().value(series("more", "more", "1")); n != 2 {
		t.Errorf("alone again it shows %d", n)
	}
}

// Members that show each other certificates and a secret are a cluster, and who
// has another secret, or a certificate of somebody else, does not get in: it says
// so, and the others go on.
func TestStrangersAreNotLetIn(t *testing.T) {
	s := newSite(t)
	s.record("secret", "as long as a secret has to be\n")
	s.record("other", "another one of the same length\n")
	ours, theirs := newAuthority(s, "ours"), newAuthority(s, "theirs")
	cert, key := ours.issue("member")
	otherCert, otherKey := theirs.issue("stranger")
	identity := func(secret, cert, key, ca string) []string {
		return []string{"--cluster.secret-file=" + filepath.Join(s.dir, secret), "--cluster.tls-cert=" + cert, "--cluster.tls-key=" + key, "--cluster.tls-ca=" + ca}
	}
	member := identity("secret", cert, key, ours.file())
	c := newCluster(s, nil, member...)
	c.start()
	c.current()
	others, stranger := c.members[:2], c.members[2]
	plain := stranger.flags[:len(stranger.flags)-len(member)]
	value := 0
	push := func() {
		t.Helper()
		for _, m := range others {
			value++
			m.mustTake(value)
		}
	}
	push()
	for _, test := range []struct {
		name, hint string
		identity   []string
	}{
		{"another secret", "--cluster.secret-file", identity("other", cert, key, ours.file())},
		{"a certificate of somebody else", "--cluster.tls-cert", identity("secret", otherCert, otherKey, ours.file())},
		{"no TLS", "--cluster.tls-cert", []string{"--cluster.secret-file=" + filepath.Join(s.dir, "secret")}},
	} {
		c.stop(stranger)
		c.launchAs(stranger, append(slices.Clone(plain), test.identity...)...)
		testkit.Within(t, clusterBound, test.name+": it says what keeps it away", func() bool {
			a, err := stranger.do(http.MethodGet, "/-/ready", "")
			return err == nil && a.code == http.StatusServiceUnavailable && strings.Contains(a.body, "1 of 3") && strings.Contains(a.body, test.hint) && strings.Contains(stranger.Log(), test.hint)
		})
		t.Logf("%s: %s", test.name, stranger.must(http.StatusServiceUnavailable, http.MethodGet, "/-/ready", "").body)
		push()
		others[0].counts(3, 2)
		if shown := stranger.must(http.StatusServiceUnavailable, http.MethodGet, "/metrics", "").body; strings.Contains(shown, "taken") {
			t.Errorf("%s: it shows what it must not know: %s", test.name, shown)
		}
	}
	c.stop(stranger)
	c.restart(stranger)
	others[0].counts(3, 3)
	testkit.Within(t, clusterBound, "it has caught up", func() bool {
		n, _ := stranger.scrape().value(series("taken", "members", others[1].web))
		return n == int64(value)
	})
}

// mustTake pushes a value to a member.
func (m *member) mustTake(value int) {
	m.t.Helper()
	m.must(http.StatusOK, http.MethodPut, groupPath("members", m.web), fmt.Sprintf("taken %d\n", value))
}

// counts waits until a member's own metrics have this many members and copies of
// the stream, and this many of both in order.
func (m *member) counts(all, inOrder int) {
	m.t.Helper()
	testkit.Within(m.t, clusterBound, fmt.Sprintf("it counts %d of %d", inOrder, all), func() bool {
		e := m.scrape()
		for name, want := range map[string]int{
			"sluice_cluster_members": all, "sluice_cluster_members_connected": inOrder,
			"sluice_stream_copies": all, "sluice_stream_copies_current": inOrder,
		} {
			if n, shown := e.value(name); !shown || n != int64(want) {
				return false
			}
		}
		return true
	})
}

func TestAMemberThatCannotStartSaysWhyInOneLine(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Close() })
	s := newSite(t)
	s.record("short", "guess me\n")
	s.record("nats.conf", "cluster { listen: \"127.0.0.1:6222\" }\n")
	in := func(name string) string { return filepath.Join(s.dir, name) }
	ours, theirs := newAuthority(s, "ours"), newAuthority(s, "theirs")
	cert, key := ours.issue("member")
	_, otherKey := theirs.issue("stranger")
	listen, peers := "--cluster.listen="+testkit.FreeAddress(t), "--cluster.peers=127.0.0.1:1,127.0.0.1:2"

	refused := func(name, offender string, flags ...string) {
		t.Helper()
		s.refuses(t, name, offender, flags...)
	}
	refused("peers without listening", "--cluster.peers", peers)
	refused("listening without peers", "--cluster.peers", listen)
	refused("secret without listening", "--cluster.secret-file", "--cluster.secret-file="+in("short"))
	refused("leaving while joining", "--cluster.leave", listen, peers, "--cluster.leave")
	refused("external server", "--bus.url", listen, peers, "--bus.url=nats://127.0.0.1:4222")
	refused("cluster of the server", in("nats.conf"), listen, peers, "--bus.config="+in("nats.conf"))
	refused("too few members", "--cluster.size", listen, peers, "--cluster.size=1")
	refused("too many members", "--cluster.size", listen, peers, "--cluster.size=1000")
	refused("listening on no port", "nowhere", "--cluster.listen=nowhere", peers)
	refused("listening on any port", "127.0.0.1:0", "--cluster.listen=127.0.0.1:0", peers)
	refused("listening where somebody does", busy.Addr().String(), "--cluster.listen="+busy.Addr().String(), peers)
	refused("peer without port", "somewhere", listen, "--cluster.peers=somewhere")
	refused("bad advertised address", "somewhere", listen, peers, "--cluster.advertise=somewhere")
	refused("open to anybody", "--cluster.secret-file", "--cluster.listen=0.0.0.0:6222", peers)
	refused("no secret", in("missing"), listen, peers, "--cluster.secret-file="+in("missing"))
	refused("short secret", in("short"), listen, peers, "--cluster.secret-file="+in("short"))
	refused("certificate without key", "--cluster.tls-key", listen, peers, "--cluster.tls-cert="+cert, "--cluster.tls-ca="+ours.file())
	refused("key of another certificate", otherKey, listen, peers, "--cluster.tls-cert="+cert, "--cluster.tls-key="+otherKey, "--cluster.tls-ca="+ours.file())
	refused("no authority", in("missing"), listen, peers, "--cluster.tls-cert="+cert, "--cluster.tls-key="+key, "--cluster.tls-ca="+in("missing"))
	refused("authority is none", key, listen, peers, "--cluster.tls-cert="+cert, "--cluster.tls-key="+key, "--cluster.tls-ca="+key)
	refused("too many copies", "--bus.replicas", listen, peers, "--bus.replicas=6")
	refused("space in the name", "--cluster.name", listen, peers, "--cluster.name=two words")
}
