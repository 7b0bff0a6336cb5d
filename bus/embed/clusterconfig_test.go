package embed

import (
	"slices"
	"strings"
	"testing"
)

func TestClusterConfigsThatAreRefused(t *testing.T) {
	peers := []string{"10.0.0.1:6222", "10.0.0.2:6222", "10.0.0.3:6222"}
	f := func(c ClusterConfig, want string) {
		t.Helper()
		err := Config{Cluster: c}.Check()
		switch {
		case want == "" && err != nil:
			t.Errorf("%+v: %v", c, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	f(ClusterConfig{}, "")
	f(ClusterConfig{Leave: true}, "")
	f(ClusterConfig{Listen: "127.0.0.1:6222", Peers: peers}, "")
	f(ClusterConfig{Listen: "[::1]:6222", Peers: peers}, "")
	f(ClusterConfig{Listen: "10.0.0.1:6222", Peers: peers, SecretFile: "x"}, "")
	f(ClusterConfig{Listen: ":6222", Peers: peers, AllowInsecureListen: true}, "")
	f(ClusterConfig{Listen: "10.0.0.1:6222", Peers: peers}, "--cluster.secret-file")
	f(ClusterConfig{Listen: ":6222", Peers: peers}, "--cluster.secret-file")
	f(ClusterConfig{Peers: peers}, "--cluster.listen")
	f(ClusterConfig{SecretFile: "x"}, "--cluster.listen")
	f(ClusterConfig{Listen: "127.0.0.1:6222"}, "--cluster.peers")
	f(ClusterConfig{Listen: "127.0.0.1", Peers: peers}, "--cluster.listen")
	f(ClusterConfig{Listen: "127.0.0.1:0", Peers: peers}, "port")
	f(ClusterConfig{Listen: "127.0.0.1:6222", Peers: []string{"a"}}, `"a" is not host:port`)
	f(ClusterConfig{Listen: "127.0.0.1:6222", Peers: peers, Size: 2}, "--cluster.size")
	f(ClusterConfig{Listen: "127.0.0.1:6222", Peers: peers, Size: 33}, "--cluster.size")
	f(ClusterConfig{Listen: "127.0.0.1:6222", Peers: peers, Advertise: "here"}, "--cluster.advertise")
	f(ClusterConfig{Listen: "127.0.0.1:6222", Peers: peers, TLSCert: "x"}, "--cluster.tls-")
	f(ClusterConfig{Listen: "127.0.0.1:6222", Peers: peers, Leave: true}, "--cluster.leave")
	f(ClusterConfig{Listen: "127.0.0.1:6222", Peers: peers, Name: "a b"}, "--cluster.name")
}

func TestRoutesAreAsManyAsMembers(t *testing.T) {
	f := func(c ClusterConfig, want ...string) {
		t.Helper()
		if got := c.routes(); !slices.Equal(got, want) {
			t.Errorf("%+v: %v, want %v", c, got, want)
		}
	}
	f(ClusterConfig{Listen: "10.0.0.1:1", Peers: []string{"10.0.0.1:1", "10.0.0.2:1"}, Size: 2}, "10.0.0.1:1", "10.0.0.2:1")
	f(ClusterConfig{Listen: "10.0.0.1:1", Peers: []string{"10.0.0.2:1", "10.0.0.3:1"}, Size: 3}, "10.0.0.2:1", "10.0.0.3:1", "10.0.0.1:1")
	f(ClusterConfig{Listen: "127.0.0.1:1", Advertise: "a:1", Peers: []string{"all:1"}, Size: 3}, "all:1", "a:1", "all:1")
	others := []string{"10.0.0.2:1", "10.0.0.3:1"}
	f(ClusterConfig{Listen: "0.0.0.0:1", Peers: []string{"all:1"}, Size: 3, resolved: others}, "all:1", "10.0.0.2:1", "10.0.0.3:1")
	f(ClusterConfig{Listen: "0.0.0.0:1", Peers: []string{"all:1"}, Size: 3, resolved: others[:1]}, "all:1", "10.0.0.2:1", "all:1")
	f(ClusterConfig{Listen: "0.0.0.0:1", Peers: []string{"all:1"}, Size: 2, resolved: others}, "all:1", "10.0.0.2:1")
}

// A name that stands for this machine only, with several addresses, names nobody
// else.
func TestOwnAddressesAreNoOtherMembers(t *testing.T) {
	c := ClusterConfig{Listen: "127.0.0.1:1", Peers: []string{"localhost:1", "127.0.0.1:2"}, Size: 2}.resolve(t.Context())
	if len(c.resolved) > 0 {
		t.Errorf("localhost stands for others: %v", c.resolved)
	}
}
