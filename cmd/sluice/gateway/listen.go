package gateway

import (
	"errors"
	"fmt"
	"net"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/pires/go-proxyproto"
)

// listen opens the addresses, or takes the sockets that systemd has opened. All
// listeners share one bound on connections.
func listen(cfg *Config) ([]net.Listener, error) {
	listeners, err := openListeners(cfg)
	if err != nil {
		return nil, err
	}
	listeners = limitConnections(listeners, cfg.MaxConnections, cfg.WebConfigFile == "")
	if cfg.ProxyProtocol {
		for i, l := range listeners {
			listeners[i] = proxyListener(l, cfg)
		}
	}
	return listeners, nil
}

// proxyListener reads the header of the PROXY protocol, version 1 or 2, that a trusted
// proxy sends before a connection's data. A trusted proxy may leave it out, as health
// checks do. What other peers claim is ignored.
func proxyListener(l net.Listener, cfg *Config) net.Listener {
	return &proxyproto.Listener{
		Listener:          l,
		ReadHeaderTimeout: cfg.ReadHeaderTimeout, // 0 is the library's, 10 s
		ConnPolicy: func(peer proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			if cfg.TrustedProxies.Trusts(peer.Upstream.String()) {
				return proxyproto.USE, nil
			}
			return proxyproto.IGNORE, nil
		},
	}
}

func openListeners(cfg *Config) ([]net.Listener, error) {
	if cfg.SystemdSocket {
		listeners, err := activation.Listeners()
		if err == nil && len(listeners) == 0 {
			err = errors.New("no socket given")
		}
		if err != nil {
			return nil, fmt.Errorf("--web.systemd-socket: %w", err)
		}
		return listeners, nil
	}
	var listeners []net.Listener
	for _, address := range cfg.ListenAddresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			for _, open := range listeners {
				open.Close()
			}
			return nil, fmt.Errorf("--web.listen-address: cannot listen on %s: %w", address, err)
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}
