package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/e2e/testkit"
)

// Members authenticate each other by a certificate and a secret. A member with another
// secret, or with a certificate of another authority, cannot join. It says so, and the
// others go on.
func TestStrangersAreNotLetIn(t *testing.T) {
	t.Parallel()
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

// counts waits until a member's metrics show this many members and replicas of the
// stream, and this many of them in order.
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
