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
	// to reach the server again: a restarted server is found at once, and an absent
	// one gets few attempts.
	firstReconnectDelay = 50 * time.Millisecond
	maxReconnectDelay   = 2 * time.Second
	// pingInterval makes a silently dead connection known within 3 of them.
	pingInterval = 3 * time.Second
)

// connect opens the connection that all parts share.
func (s *stream) connect() error {
	opts, err := s.connectOptions()
	if err != nil {
		return err
	}
	url := s.cfg.URL
	if s.embedded != nil {
		url = nats.DefaultURL // not used
		opts = append(opts, nats.InProcessServer(s.embedded))
		opts = append(opts, s.embedded.Login()...)
	}
	s.nc, err = nats.Connect(url, opts...)
	if err == nil {
		s.link.up()
		return nil
	}
	if s.embedded != nil {
		return fmt.Errorf("cannot connect to the embedded NATS server: %w", err)
	}
	return fmt.Errorf("cannot connect to NATS at %s: %w", s.cfg.URL, err)
}

func (s *stream) connectOptions() ([]nats.Option, error) {
	limited := limitlog.New(s.logger)
	opts := []nats.Option{
		nats.Name("sluice"),
		nats.Timeout(s.cfg.ConnectTimeout),
		nats.MaxReconnects(-1), // for ever
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectBufSize(-1), // what is published while the link is down fails at once
		nats.CustomReconnectDelay(reconnectDelay),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			s.link.down()
			if err != nil { // nil when Close does it
				limited.Warn("lost the connection to NATS", "err", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			s.link.up()
			limited.Info("connected to NATS again", "url", nc.ConnectedUrlRedacted())
		}),
		nats.ClosedHandler(func(*nats.Conn) {
			s.link.down()
			close(s.ncClosed)
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			limited.Warn("NATS reports an error", "subject", subject, "err", err)
		}),
	}
	if s.cfg.Creds != "" {
		if _, err := os.Stat(s.cfg.Creds); err != nil {
			return nil, fmt.Errorf("cannot use --bus.creds: %w", err)
		}
		opts = append(opts, nats.UserCredentials(s.cfg.Creds))
	}
	if s.cfg.NKey != "" {
		opt, err := nats.NkeyOptionFromSeed(s.cfg.NKey)
		if err != nil {
			return nil, fmt.Errorf("cannot use --bus.nkey %s: %w", s.cfg.NKey, err)
		}
		opts = append(opts, opt)
	}
	if s.cfg.TLSCA != "" {
		opts = append(opts, nats.RootCAs(s.cfg.TLSCA))
	}
	if s.cfg.TLSCert != "" {
		opts = append(opts, nats.ClientCert(s.cfg.TLSCert, s.cfg.TLSKey))
	}
	return opts, nil
}

func reconnectDelay(attempts int) time.Duration {
	return min(firstReconnectDelay<<min(attempts, 10), maxReconnectDelay)
}

// closeConn closes the connection and waits until its goroutines have ended or
// ctx ends. Nothing of ours is in flight: Append and Follow have returned.
func (s *stream) closeConn(ctx context.Context) error {
	if s.nc == nil {
		return nil
	}
	s.nc.Close()
	select {
	case <-s.ncClosed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("cannot close the connection to NATS: %w", context.Cause(ctx))
	}
}
