package embed

import (
	"fmt"
	"net"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"
)

// checkAddresses fails if an address is taken. The server only logs that, and then
// stops.
func checkAddresses(cfg Config, opts *server.Options) error {
	if !opts.DontListen && opts.Port > 0 {
		l, err := net.Listen("tcp", net.JoinHostPort(opts.Host, strconv.Itoa(opts.Port)))
		if err != nil {
			return fmt.Errorf("cannot listen for NATS clients: %w", err)
		}
		l.Close()
	}
	if cfg.Cluster.On() {
		return checkRoutes(opts)
	}
	return nil
}

// checkListeners refuses to let anybody in from beyond this machine without
// authentication.
func checkListeners(cfg Config, opts *server.Options) error {
	if cfg.AllowInsecureListen || hasAuth(opts) {
		return nil
	}
	listeners := []struct {
		on   bool
		host string
		port int
		own  bool // has an authentication of its own
	}{
		{!opts.DontListen, opts.Host, opts.Port, false},
		{opts.Websocket.Port != 0, opts.Websocket.Host, opts.Websocket.Port, opts.Websocket.Username != "" || opts.Websocket.Token != ""},
		{opts.MQTT.Port != 0, opts.MQTT.Host, opts.MQTT.Port, opts.MQTT.Username != "" || opts.MQTT.Token != ""},
		{opts.LeafNode.Port != 0, opts.LeafNode.Host, opts.LeafNode.Port, opts.LeafNode.Username != "" || opts.LeafNode.Nkey != "" || len(opts.LeafNode.Users) > 0},
	}
	for _, l := range listeners {
		if l.on && !l.own && !isLoopback(l.host) {
			return insecureError(net.JoinHostPort(l.host, strconv.Itoa(l.port)))
		}
	}
	return nil
}
