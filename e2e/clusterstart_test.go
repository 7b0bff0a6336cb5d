package e2e

import (
	"net"
	"path/filepath"
	"testing"

	"sluice/e2e/testkit"
)

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
