package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"sluice/ingest"
)

// groupHeader has the grouping key of a request.
const groupHeader = "Sluice-Group"

// NATS asks whichever gateway takes a request over NATS.
type NATS struct {
	cfg NATSConfig
}

// NATSConfig says how to reach NATS, and gateways over it.
type NATSConfig struct {
	// URLs are those of the servers of one cluster, separated by commas.
	URLs string
	// Creds is a file with a user JWT and its seed, NKey one with an nkey's seed.
	Creds, NKey string
	// TLSCA, TLSCert and TLSKey are PEM files.
	TLSCA, TLSCert, TLSKey string
	// Prefix is the first token of the gateways' subjects.
	Prefix string
	// Timeout bounds each change, connecting and all of its tries together.
	Timeout time.Duration
}

// NewNATS returns a client that has not connected yet.
func NewNATS(cfg NATSConfig) (*NATS, error) {
	n := &NATS{cfg: cfg}
	_, err := n.options(context.Background(), time.Second, nil) // for what is wrong with the files
	return n, err
}

// Close does nothing: each change has a connection of its own.
func (n *NATS) Close() {}

// Change pushes or deletes. A *Refused is final; any other error says what was
// wrong when the time was over.
func (n *NATS) Change(ctx context.Context, c Change) error {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	deadline, _ := ctx.Deadline()
	// One place only: which gateway it is is up to NATS.
	r, open := newRounds(deadline, "NATS at "+servers(n.cfg.URLs)), false
	l := link{client: n, fail: fail}
	defer l.close()
	for {
		_, from, ok := r.next(time.Now())
		if !ok {
			return failure(begin, r.reasons(), open)
		}
		if err := sleepUntil(ctx, from); err != nil {
			if denied(err) {
				return fmt.Errorf("NATS: %w", err)
			}
			return interrupted(ctx, failure(begin, r.reasons(), open))
		}
		// Half of the time that is left: a gateway that has got the request and
		// hangs must not use all of it.
		attempt, done := context.WithTimeout(ctx, max(time.Until(deadline)/2, minAttempt))
		got := l.try(attempt, n.message(c))
		done()
		open = open || got.unknown
		var refused *Refused
		switch cause := context.Cause(ctx); {
		case got.err == nil:
			return nil
		case errors.As(got.err, &refused):
			return got.err
		case got.useless:
			return fmt.Errorf("NATS: %w", got.err)
		case cause != nil && ctx.Err() == context.Canceled:
			return interrupted(ctx, got.err)
		}
		r.failed(0, time.Now(), got.err, got.retryAfter)
	}
}

func (n *NATS) message(c Change) *nats.Msg {
	m := nats.NewMsg(n.cfg.Prefix + ".push." + c.Method)
	m.Header.Set(groupHeader, c.Group)
	for name, value := range map[string]string{"Content-Type": c.ContentType, "Content-Encoding": c.ContentEncoding, "Nats-TTL": c.TTL} {
		if value != "" {
			m.Header.Set(name, value)
		}
	}
	m.Data = c.Body
	return m
}

// link is a connection that is made when it is needed.
type link struct {
	client *NATS
	fail   context.CancelCauseFunc // with what makes trying useless
	conn   *nats.Conn
}

func (l *link) close() {
	if l.conn != nil {
		l.conn.Close()
	}
}

// try sends the request once and reads the reply.
func (l *link) try(ctx context.Context, m *nats.Msg) attempt {
	begin := time.Now()
	if useless, err := l.connect(ctx); err != nil {
		return attempt{err: err, useless: useless}
	}
	reply, err := l.conn.RequestMsgWithContext(ctx, m)
	switch {
	case err == nil:
		return judgeReply(m.Subject, reply.Data)
	case errors.Is(err, nats.ErrNoResponders):
		return attempt{err: fmt.Errorf("no gateway takes requests on %s", m.Subject)}
	case errors.Is(err, nats.ErrMaxPayload):
		return attempt{err: fmt.Errorf("the push has %d bytes, the NATS server takes messages of at most %d", len(m.Data), l.conn.MaxPayload()), useless: true}
	case ctx.Err() != nil:
		if cause := context.Cause(ctx); denied(cause) {
			return attempt{err: cause, useless: true}
		}
		return attempt{err: fmt.Errorf("no reply on %s within %s", m.Subject, time.Since(begin).Round(10*time.Millisecond)), unknown: true}
	}
	return attempt{err: fmt.Errorf("request on %s: %w", m.Subject, err), useless: denied(err), unknown: !errors.Is(err, nats.ErrHeadersNotSupported)}
}

// connect connects if there is no connection. It tells whether another attempt
// would fail as well.
func (l *link) connect(ctx context.Context) (useless bool, err error) {
	if l.conn != nil && !l.conn.IsClosed() {
		return false, nil
	}
	deadline, _ := ctx.Deadline()
	each := time.Until(deadline) / time.Duration(2*(strings.Count(l.client.cfg.URLs, ",")+1))
	opts, err := l.client.options(ctx, min(each, dialTimeout), l.fail)
	if err != nil {
		return true, err
	}
	conn, err := nats.Connect(l.client.cfg.URLs, opts...)
	if err != nil {
		return denied(err), fmt.Errorf("cannot connect: %w", err)
	}
	l.conn = conn
	return false, nil
}

// judgeReply reads the verdict of a gateway.
func judgeReply(subject string, data []byte) attempt {
	var answer ingest.Reply
	if err := json.Unmarshal(data, &answer); err != nil || answer.Code == 0 {
		return attempt{err: fmt.Errorf("the reply on %s is not that of a gateway: %.80q", subject, data), useless: true, unknown: true}
	}
	text := Printable(answer.Error)
	switch {
	case accepted(answer.Code):
		return attempt{}
	case passing(answer.Code):
		// The reply says no time; over HTTP it is this one.
		return attempt{err: errors.New(statusText(answer.Code, text)), retryAfter: time.Second, unknown: unknown(answer.Code)}
	}
	return attempt{err: &Refused{By: "a gateway over NATS", Status: answer.Code, Text: text}}
}

// servers is a list of URLs without what may be secret: also the name of a user
// can be a token.
func servers(urls string) string {
	list := strings.Split(urls, ",")
	for i, u := range list {
		if _, rest, ok := strings.Cut(u, "://"); ok {
			u = rest
		}
		list[i] = strings.TrimSpace(u[strings.LastIndexByte(u, '@')+1:])
	}
	return strings.Join(list, ",")
}

// denied tells whether the server does not let us do what we ask.
func denied(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrPermissionViolation) ||
		errors.Is(err, nats.ErrAuthExpired) || errors.Is(err, nats.ErrSecureConnRequired) || permanent(err)
}

// options are those of a connection. Each server gets the timeout twice, for
// the connection and for the handshake. ctx ends the first; fail gets an
// error that another try would meet again.
func (n *NATS) options(ctx context.Context, timeout time.Duration, fail context.CancelCauseFunc) ([]nats.Option, error) {
	opts := []nats.Option{
		nats.Name("sluice client"), nats.Timeout(timeout), nats.NoReconnect(),
		nats.SetCustomDialer(dialer{ctx, timeout}), nats.SkipHostLookup(), // the dialer does it, and is bounded
		// The server reports missing permissions later than other errors, and the
		// request would wait.
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if denied(err) && fail != nil {
				fail(err)
			}
		}),
	}
	if n.cfg.Creds != "" {
		opts = append(opts, nats.UserCredentials(n.cfg.Creds))
	}
	if n.cfg.NKey != "" {
		opt, err := nats.NkeyOptionFromSeed(n.cfg.NKey)
		if err != nil {
			return nil, fmt.Errorf("cannot use the nkey of %s: %w", n.cfg.NKey, err)
		}
		opts = append(opts, opt)
	}
	if n.cfg.TLSCA != "" {
		opts = append(opts, nats.RootCAs(n.cfg.TLSCA))
	}
	if n.cfg.TLSCert != "" {
		opts = append(opts, nats.ClientCert(n.cfg.TLSCert, n.cfg.TLSKey))
	}
	return opts, nil
}

// dialer connects within a time and a context, looking up the name included.
type dialer struct {
	ctx     context.Context // of one attempt; a CustomDialer is given none
	timeout time.Duration
}

// Dial fills nats.CustomDialer.
func (d dialer) Dial(network, address string) (net.Conn, error) {
	return (&net.Dialer{Timeout: d.timeout}).DialContext(d.ctx, network, address)
}
