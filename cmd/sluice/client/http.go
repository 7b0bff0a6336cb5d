package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/common/config"
	"github.com/prometheus/common/version"
)

// expectFrom is the size in bytes from which on a body is sent only when the
// gateway has said that it wants it, as curl does: a refusal that does not
// depend on the body would else be lost with the connection.
const expectFrom = 1 << 20

// HTTP asks gateways over HTTP.
type HTTP struct {
	addresses []*url.URL
	timeout   time.Duration
	client    *http.Client
}

// HTTPConfig says how to reach gateways.
type HTTPConfig struct {
	// Addresses are asked in this order.
	Addresses []*url.URL
	// Timeout bounds each call, all of its tries together.
	Timeout time.Duration
	// ConfigFile has credentials, TLS and proxy, as Prometheus' tools read them;
	// "" is none.
	ConfigFile string
	// TLSCA, TLSCert and TLSKey are PEM files, which come before those that
	// ConfigFile names.
	TLSCA, TLSCert, TLSKey string
}

// settings reads and checks the files.
func (cfg HTTPConfig) settings() (config.HTTPClientConfig, error) {
	settings := config.DefaultHTTPClientConfig
	if cfg.ConfigFile != "" {
		loaded, content, err := config.LoadHTTPConfigFile(cfg.ConfigFile)
		if err != nil {
			return settings, fmt.Errorf("cannot use %s: %w", cfg.ConfigFile, err)
		}
		if len(bytes.TrimSpace(content)) > 0 { // else it has not even the defaults
			settings = *loaded
		}
	}
	for file, field := range map[*string]*string{
		&cfg.TLSCA: &settings.TLSConfig.CAFile, &cfg.TLSCert: &settings.TLSConfig.CertFile, &cfg.TLSKey: &settings.TLSConfig.KeyFile,
	} {
		if *file != "" {
			*field = *file
		}
	}
	return settings, errors.Join(settings.Validate(), settings.TLSConfig.Validate())
}

// NewHTTP returns a client that has not connected yet.
func NewHTTP(cfg HTTPConfig) (*HTTP, error) {
	settings, err := cfg.settings()
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: dialTimeout}
	c, err := config.NewClientFromConfig(settings, "sluice",
		config.WithDialContextFunc(dialer.DialContext), config.WithUserAgent("sluice/"+version.Version))
	if err != nil {
		return nil, err
	}
	c.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		// 301 to 303 make a GET of a push, whose 200 would say that it was taken.
		if !settings.FollowRedirects || r.Method != via[0].Method {
			return http.ErrUseLastResponse
		}
		if len(via) >= 10 {
			return errors.New("redirected ten times")
		}
		return nil
	}
	return &HTTP{addresses: cfg.Addresses, timeout: cfg.Timeout, client: c}, nil
}

// Close gives back idle connections.
func (h *HTTP) Close() { h.client.CloseIdleConnections() }

// Change pushes or deletes. A *Refused is final; any other error says what was
// wrong with each address when the time was over.
func (h *HTTP) Change(ctx context.Context, c Change) error {
	r := request{method: strings.ToUpper(c.Method), path: "/metrics" + c.Group, query: url.Values{}, header: http.Header{}, body: c.Body}
	if c.TTL != "" {
		r.query.Set("ttl", c.TTL)
	}
	if c.ContentType != "" {
		r.header.Set("Content-Type", c.ContentType)
	}
	if c.ContentEncoding != "" {
		r.header.Set("Content-Encoding", c.ContentEncoding)
	}
	if len(c.Body) >= expectFrom {
		r.header.Set("Expect", "100-continue")
	}
	_, err := h.ask(ctx, r)
	return err
}

// Get returns the body of the first address that answers, of at most limit
// bytes. The path is percent-encoded.
func (h *HTTP) Get(ctx context.Context, path string, query url.Values, limit int64) ([]byte, error) {
	return h.ask(ctx, request{method: http.MethodGet, path: path, query: query, limit: limit})
}

// request is what is asked of each address, until one gives a verdict.
type request struct {
	method string
	path   string // percent-encoded, below the route prefix
	query  url.Values
	header http.Header
	body   []byte
	limit  int64 // the most bytes to read of the answer; 0 reads none of it
}

// ask goes on until there is a verdict or the time is over.
func (h *HTTP) ask(ctx context.Context, asked request) ([]byte, error) {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	names := make([]string, len(h.addresses))
	for i, a := range h.addresses {
		names[i] = a.Redacted()
	}
	r, open := newRounds(deadline, names...), false
	for {
		which, from, ok := r.next(time.Now())
		if !ok {
			return nil, failure(begin, r.reasons(), open)
		}
		if err := sleepUntil(ctx, from); err != nil {
			return nil, interrupted(ctx, failure(begin, r.reasons(), open))
		}
		u, err := below(h.addresses[which], asked.path, asked.query)
		if err != nil {
			return nil, fmt.Errorf("cannot make a URL of %s: %w", asked.path, err)
		}
		attempt, done := context.WithTimeout(ctx, r.patience(which, time.Now()))
		got := h.try(attempt, deadline, u, asked)
		done() // before the next one is asked: no push is with two gateways
		open = open || got.unknown && asked.method != http.MethodGet
		var refused *Refused
		switch {
		case got.err == nil:
			return got.body, nil
		case errors.As(got.err, &refused):
			refused.By = names[which]
			return nil, got.err
		case context.Cause(ctx) != nil && !errors.Is(context.Cause(ctx), context.DeadlineExceeded):
			return nil, interrupted(ctx, got.err)
		case got.useless:
			r.giveUp(which, got.err)
		default:
			r.failed(which, time.Now(), got.err, got.retryAfter)
		}
	}
}

// attempt is what came of asking one address once.
type attempt struct {
	body       []byte
	err        error         // nil, a *Refused, or a reason to go on
	retryAfter time.Duration // when to ask again; 0 if the answer does not say
	useless    bool          // asking this address again would fail the same way
	unknown    bool          // the change may have been taken
}

// try asks one address once. ctx bounds it, deadline the whole call.
func (h *HTTP) try(ctx context.Context, deadline time.Time, u *url.URL, asked request) attempt {
	begin := time.Now()
	r, err := http.NewRequestWithContext(ctx, asked.method, u.String(), bytes.NewReader(asked.body))
	if err != nil {
		return attempt{err: err, useless: true}
	}
	if asked.header != nil {
		r.Header = asked.header.Clone()
	}
	answer, err := h.client.Do(r)
	if err != nil {
		return attempt{err: readable(ctx, err, begin), useless: permanent(err), unknown: !notSent(err)}
	}
	defer answer.Body.Close()
	if accepted(answer.StatusCode) {
		return read(ctx, answer, asked.limit, begin)
	}
	return judge(answer, deadline)
}

// read reads the answer of an address that has done what was asked.
func read(ctx context.Context, answer *http.Response, limit int64, begin time.Time) attempt {
	if limit == 0 {
		return attempt{} // a push is taken with its status
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	if err == nil && int64(len(text)) > limit {
		return attempt{err: fmt.Errorf("the answer is longer than %d bytes", limit), useless: true}
	}
	if err != nil {
		err = readable(ctx, err, begin)
	}
	return attempt{body: text, err: err}
}

// judge tells from an answer that is no success whether to ask again.
func judge(answer *http.Response, deadline time.Time) attempt {
	wait := retryAfter(answer.Header, time.Now())
	text := textOf(answer)
	if to := answer.Header.Get("Location"); to != "" && answer.StatusCode/100 == 3 {
		text = "redirected to " + Printable(to) + ", which is not followed"
	}
	// Too many groups are refused by 429 with a minute to wait; 429 with less is
	// somebody's limit on the rate of requests.
	if passing(answer.StatusCode) || answer.StatusCode == http.StatusTooManyRequests && wait > 0 && wait < time.Until(deadline) {
		return attempt{err: errors.New(statusText(answer.StatusCode, text)), retryAfter: wait, unknown: unknown(answer.StatusCode)}
	}
	return attempt{err: &Refused{Status: answer.StatusCode, Text: text}}
}

// failure is the error of a call that has had no verdict.
func failure(begin time.Time, reasons string, open bool) error {
	hint := ""
	if open {
		hint = "; whether it was taken is not known, and it is safe to try again"
	}
	return fmt.Errorf("given up after %s: %s%s", time.Since(begin).Round(10*time.Millisecond), reasons, hint)
}

// interrupted is err, unless it is not the time that has ended ctx.
func interrupted(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.DeadlineExceeded) {
		return fmt.Errorf("interrupted: %w", cause)
	}
	return err
}

// readable is a transport's error without the URL, which the address names
// already.
func readable(ctx context.Context, err error, begin time.Time) error {
	if ctx.Err() != nil {
		return fmt.Errorf("no answer within %s", time.Since(begin).Round(10*time.Millisecond))
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return err
}

// tlsAlert is what package tls calls the operation that has failed when the other
// side refuses the handshake, as without a client certificate.
const tlsAlert = "remote error"

// permanent tells whether an address will fail the same way again: what it
// proves to be is not trusted, it speaks another protocol, or the credentials
// cannot be read.
func permanent(err error) bool {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var op *net.OpError
	var file *fs.PathError
	return errors.As(err, &certificate) || errors.As(err, &record) || errors.As(err, &file) ||
		errors.As(err, &op) && op.Op == tlsAlert || errors.Is(err, http.ErrSchemeMismatch)
}

// notSent tells whether nothing of a request can have reached a gateway.
func notSent(err error) bool {
	var op *net.OpError
	return permanent(err) || errors.As(err, &op) && op.Op == "dial"
}
