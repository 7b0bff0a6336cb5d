package embed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// routePing and maxRoutePings make it known within 6 s that a peer is gone
	// without a word, as when its machine has lost its power.
	routePing     = 2 * time.Second
	maxRoutePings = 2
	// lookupPatience is how long a name that stands for all members may stand
	// for less than two of them: their addresses appear as they start.
	lookupPatience = 30 * time.Second
	lookupPause    = 500 * time.Millisecond
	// lookupTimeout bounds one look at all names.
	lookupTimeout = 5 * time.Second
)

// clusterOptions makes the embedded server the member of a cluster.
func clusterOptions(cfg Config, opts *server.Options) error {
	c := cfg.Cluster
	if opts.Cluster.Port != 0 || len(opts.Routes) > 0 {
		return fmt.Errorf("NATS configuration %s has a cluster of its own, which cannot go with --cluster.listen", cfg.ConfigFile)
	}
	secret, err := c.readSecret()
	if err != nil {
		return err
	}
	tlsConfig, err := c.tlsConfig()
	if err != nil {
		return err
	}
	host, text, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("cannot use --cluster.listen %q: %w", c.Listen, err)
	}
	port, err := net.LookupPort("tcp", text)
	if err != nil {
		return fmt.Errorf("cannot use --cluster.listen %q: %w", c.Listen, err)
	}
	opts.Cluster = server.ClusterOpts{
		Name: c.Name, Host: host, Port: port, Advertise: c.Advertise,
		TLSConfig: tlsConfig, TLSTimeout: 5,
		PingInterval: routePing, MaxPingsOut: maxRoutePings,
	}
	if host == "" {
		opts.Cluster.Host = server.DEFAULT_HOST
	}
	if secret != "" {
		opts.Cluster.Username, opts.Cluster.Password = clusterUser, secret
	}
	for _, address := range c.routes() {
		route := &url.URL{Scheme: "nats-route", Host: address}
		if secret != "" {
			route.User = url.UserPassword(clusterUser, secret)
		}
		opts.Routes = append(opts.Routes, route)
	}
	return nil
}

// routes returns as many addresses as there are members, this one among them:
// the server takes their number for that of the members when it founds a
// cluster, and knows itself when it gets there. Each attempt at a name that stands
// for several members picks one of its addresses, and all may pick the same, so
// each member that is known has a route of its own, too. Its certificate need not
// name that: the server asks for the first name among the routes.
func (c ClusterConfig) routes() []string {
	routes := slices.Clone(c.Peers)
	for _, other := range c.resolved {
		if len(routes) < c.Size && !slices.Contains(routes, other) {
			routes = append(routes, other)
		}
	}
	if len(c.resolved) == 0 && !c.namesSelf() && len(routes) < c.Size {
		routes = append(routes, c.address())
	}
	for i := 0; len(routes) < c.Size; i++ {
		routes = append(routes, c.Peers[i%len(c.Peers)])
	}
	return routes
}

// withSize returns the configuration with a size: what it says, or the number of
// peers and itself, or of the addresses of the one name that stands for all.
func (c ClusterConfig) withSize(ctx context.Context, logger *slog.Logger) (ClusterConfig, error) {
	if c.Size != 0 {
		return c, nil
	}
	if len(c.Peers) > 1 {
		c.Size = len(c.Peers)
		if !c.namesSelf() {
			c.Size++
		}
		return c, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupPatience)
	defer cancel()
	host, _, _ := net.SplitHostPort(c.Peers[0])
	for {
		addresses, err := net.DefaultResolver.LookupHost(ctx, host)
		if err == nil && len(addresses) > 1 {
			c.Size = len(addresses)
			logger.Info("looked the members of the cluster up", "name", host, "addresses", addresses)
			return c, nil
		}
		if err == nil && net.ParseIP(host) != nil {
			c.Size = 1
			if !c.namesSelf() {
				c.Size++
			}
			return c, nil
		}
		select {
		case <-time.After(lookupPause):
		case <-ctx.Done():
			return c, errors.Join(fmt.Errorf("--cluster.peers: %s stands for less than two members: say how many there are (--cluster.size)", host), err)
		}
	}
}

// resolve returns the configuration with the members that its name stands for, if
// it has one. What cannot be looked up is looked up by each attempt to connect.
func (c ClusterConfig) resolve(ctx context.Context) ClusterConfig {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	for _, peer := range c.Peers {
		host, port, _ := net.SplitHostPort(peer)
		if net.ParseIP(host) != nil {
			continue
		}
		addresses, _ := net.DefaultResolver.LookupHost(ctx, host)
		if len(addresses) < 2 {
			continue // the peer itself is the route
		}
		for _, address := range addresses {
			if !isOwn(net.ParseIP(address)) {
				c.resolved = append(c.resolved, net.JoinHostPort(address, port))
			}
		}
	}
	return c
}

// checkRoutes tells if the address for routes is taken: the server only logs it.
func checkRoutes(opts *server.Options) error {
	l, err := net.Listen("tcp", net.JoinHostPort(opts.Cluster.Host, strconv.Itoa(opts.Cluster.Port)))
	if err != nil {
		return fmt.Errorf("cannot listen for the other members of the cluster: %w", err)
	}
	return l.Close()
}
