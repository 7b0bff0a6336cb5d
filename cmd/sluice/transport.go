package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"sluice/cmd/sluice/client"
)

// transport pushes and deletes, over HTTP or over NATS.
type transport interface {
	Change(context.Context, client.Change) error
	Close()
}

var (
	_ transport = (*client.HTTP)(nil)
	_ transport = (*client.NATS)(nil)
)

// newTransport returns the transport that the flags ask for.
func newTransport(c *cli.Context) (transport, error) {
	nats, err := overNATS(c)
	if err != nil {
		return nil, err
	}
	only, names := "--nats", []string{"creds", "nkey", "prefix"}
	if nats {
		only, names = "--url", []string{"http.config.file"}
	}
	for _, name := range names {
		if onCommandLine(c, name) {
			return nil, fmt.Errorf("--%s: is for %s", name, only)
		}
	}
	if nats {
		return newNATS(c)
	}
	return newHTTP(c)
}

// overNATS tells whether to use NATS. If the environment names one transport and the
// command line the other, the command line decides.
func overNATS(c *cli.Context) (bool, error) {
	nats, natsOnLine := addressesOf(c, "nats")
	urls, urlsOnLine := addressesOf(c, "url")
	if natsOnLine == urlsOnLine && len(nats) > 0 && len(urls) > 0 {
		return false, errors.New("--url is for HTTP, --nats for NATS: they cannot go together")
	}
	return len(nats) > 0 && !urlsOnLine, nil
}

func newNATS(c *cli.Context) (*client.NATS, error) {
	timeout, err := timeoutOf(c)
	if err != nil {
		return nil, err
	}
	servers, _ := addressesOf(c, "nats")
	cfg := client.NATSConfig{
		URLs: strings.Join(servers, ","), Creds: c.String("creds"), NKey: c.String("nkey"),
		TLSCA: c.String("tls-ca"), TLSCert: c.String("tls-cert"), TLSKey: c.String("tls-key"),
		Prefix: c.String("prefix"), Timeout: timeout,
	}
	if strings.Trim(cfg.URLs, ", ") == "" {
		return nil, errors.New("--nats: no address given")
	}
	if (cfg.TLSCert == "") != (cfg.TLSKey == "") {
		return nil, errors.New("--tls-cert and --tls-key go together")
	}
	if cfg.Creds != "" && cfg.NKey != "" {
		return nil, errors.New("--creds and --nkey cannot go together")
	}
	n, err := client.NewNATS(cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot set up the NATS client: %w", err)
	}
	return n, nil
}
