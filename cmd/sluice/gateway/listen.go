package gateway

import (
	"errors"
	"fmt"
	"net"

	"github.com/coreos/go-systemd/v22/activation"
)

// listen opens the addresses, or takes the sockets that systemd has opened. All
// listeners share one bound on connections.
func listen(cfg *Config) ([]net.Listener, error) {
	listeners, err := openListeners(cfg)
	if err != nil {
		return nil, err
	}
	return limitConnections(listeners, cfg.MaxConnections, cfg.WebConfigFile == ""), nil
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
