package bus

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"

	"sluice/bus/limitlog"
)

const (
	// firstReconnectDelay and maxReconnectDelay bound the wait between attempts
	// to reach the server again: a restarted one is found at once, and an absent
	// one is not pestered.
	firstReconnectDelay = 50 * time.Millisecond
	maxReconnectDelay   = 2 * time.Second
	// pingInterval makes a silently dead connection known within 3 of them.
	pingInterval = 3 * time.Second
)

// connect opens the connection that all parts share.
func (b *Bus) connect() error {
	opts, err := b.connectOptions()
	if err != nil {
		return err
	}
	url := b.cfg.URL
	if b.embedded != nil {
		url = nats.DefaultURL // not used
		opts = append(opts, nats.InProcessServer(b.embedded))
		opts = append(opts, b.embedded.Login()...)
	}
	b.nc, err = nats.Connect(url, opts...)
	if err == nil {
		b.link.up()
		return nil
	}
	if b.embedded != nil {
		return fmt.Errorf("cannot connect to the embedded NATS server: %w", err)
	}
	return fmt.Errorf("cannot connect to NATS at %s: %w", b.cfg.URL, err)
}

func (b *Bus) connectOptions() ([]nats.Option, error) {
	limited := limitlog.New(b.logger)
	opts := []nats.Option{
		nats.Name("sluice"),
		nats.Timeout(b.cfg.ConnectTimeout),
		nats.MaxReconnects(-1), // for ever
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectBufSize(-1), // what is published while the link is down fails at once
		nats.CustomReconnectDelay(reconnectDelay),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			b.link.down()
			if err != nil { // nil when Close does it
				limited.Warn("lost the connection to NATS", "err", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			b.link.up()
			limited.Info("connected to NATS again", "url", nc.ConnectedUrlRedacted())
		}),
		nats.ClosedHandler(func(*nats.Conn) {
			b.link.down()
			close(b.ncClosed)
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			limited.Warn("NATS reports an error", "subject", subject, "err", err)
		}),
	}
	if b.cfg.Creds != "" {
		if _, err := os.Stat(b.cfg.Creds); err != nil {
			return nil, fmt.Errorf("cannot use --bus.creds: %w", err)
		}
		opts = append(opts, nats.UserCredentials(b.cfg.Creds))
	}
	if b.cfg.NKey != "" {
		opt, err := nats.NkeyOptionFromSeed(b.cfg.NKey)
		if err != nil {
			return nil, fmt.Errorf("cannot use --bus.nkey %s: %w", b.cfg.NKey, err)
		}
		opts = append(opts, opt)
	}
	if b.cfg.TLSCA != "" {
		opts = append(opts, nats.RootCAs(b.cfg.TLSCA))
	}
	if b.cfg.TLSCert != "" {
		opts = append(opts, nats.ClientCert(b.cfg.TLSCert, b.cfg.TLSKey))
	}
	return opts, nil
}

func reconnectDelay(attempts int) time.Duration {
	return min(firstReconnectDelay<<min(attempts, 10), maxReconnectDelay)
}

// closeConn closes the connection and waits until its goroutines have ended or
// ctx ends. Nothing of ours is in flight: Append and Follow have returned.
func (b *Bus) closeConn(ctx context.Context) error {
	if b.nc == nil {
		return nil
	}
	b.nc.Close()
	select {
	case <-b.ncClosed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("cannot close the connection to NATS: %w", context.Cause(ctx))
	}
}
