package embed

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
)

// ClusterConfig says how the embedded servers of several gateways form one NATS
// cluster. The zero value means that they do not.
type ClusterConfig struct {
	// Listen is the address host:port on which the embedded server takes the
	// routes of its peers (--cluster.listen). Empty means no cluster.
	Listen string
	// Advertise is the address host:port under which the others reach this one;
	// empty means Listen.
	Advertise string
	// Name is the cluster's, the same on all; empty means "sluice".
	Name string
	// Peers are the addresses host:port of all members, of which this one may be
	// one, or one name that stands for all of them.
	Peers []string
	// Size is the number of members. 0 means as many as Peers names.
	Size int
	// TLSCert, TLSKey and TLSCA are PEM files. With them each member shows the
	// others its certificate, signed by the CA.
	TLSCert, TLSKey, TLSCA string
	// SecretFile has the secret that all members share. Space around it does not
	// count.
	SecretFile string
	// AllowInsecureListen lets Listen go beyond loopback without TLS or a secret.
	AllowInsecureListen bool
	// Leave lets a gateway that was a member of a cluster start alone, on what its
	// own copy of the stream has.
	Leave bool

	resolved []string // addresses host:port of other members that a name in Peers stands for, as resolve has found them
}

const (
	defaultClusterName = "sluice"
	// clusterUser is the name under which members show each other the secret.
	clusterUser = "sluice"
	// minSecret is the least length of the secret in bytes. It is not meant to be
	// remembered.
	minSecret = 16
	// maxMembers bounds the list of peers by common sense: there are five copies
	// at most, and each member has a route to each other one.
	maxMembers = 32
)

// On tells whether there is to be a cluster.
func (c ClusterConfig) On() bool { return c.Listen != "" }

// check tells what is wrong in one line.
func (c ClusterConfig) check() error {
	if !c.On() {
		return c.checkUnused()
	}
	switch {
	case c.Leave:
		return errors.New("--cluster.leave is for a gateway that starts alone, and cannot go with --cluster.listen")
	case len(c.Peers) == 0:
		return errors.New("--cluster.listen needs --cluster.peers: without the others there is no cluster")
	case c.Size < 0 || c.Size > maxMembers || len(c.Peers) > maxMembers:
		return fmt.Errorf("--cluster.size: a cluster has between 1 and %d members", maxMembers)
	case c.Size > 0 && len(c.Peers) > c.Size:
		return fmt.Errorf("--cluster.size is %d, but --cluster.peers names %d members", c.Size, len(c.Peers))
	case (c.TLSCert == "") != (c.TLSKey == "") || (c.TLSCert == "") != (c.TLSCA == ""):
		return errors.New("--cluster.tls-cert, --cluster.tls-key and --cluster.tls-ca go together")
	case strings.ContainsAny(c.Name, " \t\r\n"):
		return fmt.Errorf("--cluster.name %q has a space in it", c.Name)
	}
	return c.checkAddresses()
}

// checkUnused fails if a flag is set that has no effect without a cluster.
func (c ClusterConfig) checkUnused() error {
	for flag, set := range map[string]bool{
		"peers": len(c.Peers) > 0, "advertise": c.Advertise != "", "size": c.Size != 0,
		"tls-cert": c.TLSCert != "", "tls-key": c.TLSKey != "", "tls-ca": c.TLSCA != "", "secret-file": c.SecretFile != "",
	} {
		if set {
			return fmt.Errorf("--cluster.%s does nothing without --cluster.listen", flag)
		}
	}
	return nil
}

// checkAddresses looks at the addresses of this member and its peers, and at who may
// connect to this one.
func (c ClusterConfig) checkAddresses() error {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("cannot use --cluster.listen %q: %w", c.Listen, err)
	}
	if port == "0" || port == "-1" || port == "" {
		return fmt.Errorf("--cluster.listen %q needs a port that the others can name", c.Listen)
	}
	if c.Advertise != "" {
		if _, _, err := net.SplitHostPort(c.Advertise); err != nil {
			return fmt.Errorf("cannot use --cluster.advertise %q: %w", c.Advertise, err)
		}
	}
	for _, peer := range c.Peers {
		if peerHost, _, err := net.SplitHostPort(peer); err != nil || peerHost == "" {
			return fmt.Errorf("--cluster.peers: %q is not host:port", peer)
		}
	}
	if c.TLSCert == "" && c.SecretFile == "" && !c.AllowInsecureListen && !isLoopback(host) {
		return fmt.Errorf("refusing to let anybody into the cluster at %s: without --cluster.secret-file or --cluster.tls-cert only loopback is safe, unless --cluster.allow-insecure-listen says otherwise", c.Listen)
	}
	return nil
}

// readSecret returns the secret, "" if there is none.
func (c ClusterConfig) readSecret() (string, error) {
	if c.SecretFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(c.SecretFile)
	if err != nil {
		return "", fmt.Errorf("cannot use --cluster.secret-file: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	if len(secret) < minSecret {
		return "", fmt.Errorf("--cluster.secret-file %s has %d bytes, less than %d", c.SecretFile, len(secret), minSecret)
	}
	return secret, nil
}

// tlsConfig returns what both ends of a route ask of each other, nil for none.
func (c ClusterConfig) tlsConfig() (*tls.Config, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("cannot use --cluster.tls-cert %s with --cluster.tls-key %s: %w", c.TLSCert, c.TLSKey, err)
	}
	pem, err := os.ReadFile(c.TLSCA)
	if err != nil {
		return nil, fmt.Errorf("cannot use --cluster.tls-ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--cluster.tls-ca %s has no certificate in PEM form", c.TLSCA)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair},
		RootCAs: pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}, nil
}

// address is where the others reach this member.
func (c ClusterConfig) address() string {
	if c.Advertise != "" {
		return c.Advertise
	}
	return c.Listen
}

// namesSelf tells whether the list of peers has this member in it: by the
// address that it advertises or listens on, or by a local one with its port.
func (c ClusterConfig) namesSelf() bool {
	if slices.Contains(c.Peers, c.Advertise) || slices.Contains(c.Peers, c.Listen) {
		return true
	}
	listenHost, listenPort, _ := net.SplitHostPort(c.Listen)
	if listenHost != "" && !net.ParseIP(listenHost).IsUnspecified() {
		return false // it has said which address is its own
	}
	hostname, _ := os.Hostname()
	for _, peer := range c.Peers {
		host, port, _ := net.SplitHostPort(peer)
		if port == listenPort && (host == hostname || isLocal(host)) {
			return true
		}
	}
	return false
}

// isLocal tells whether a host is an IP address of this machine, or a name for
// nothing else.
func isLocal(host string) bool {
	ips := []string{host}
	if net.ParseIP(host) == nil {
		ips, _ = net.LookupHost(host)
	}
	return len(ips) > 0 && !slices.ContainsFunc(ips, func(ip string) bool { return !isOwn(net.ParseIP(ip)) })
}

// isOwn tells whether an IP address is one of this machine.
func isOwn(ip net.IP) bool {
	local, _ := net.InterfaceAddrs()
	return slices.ContainsFunc(local, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	})
}
