package ingest

import (
	"errors"
	"io"
	"time"

	"sluice/ingest/decode"
	"sluice/store"
)

// FrontConfig are the settings that both front ends share.
type FrontConfig struct {
	// MaxBytes bounds a body, on the wire and after decompression.
	MaxBytes int64
	// UTF8Names allows UTF-8 names in bodies and, escaped, in grouping keys.
	UTF8Names bool
	// Unchecked says that the ledger checks no consistency; an accepted push is
	// then answered by 202.
	Unchecked bool
}

// Front is what the front ends for HTTP and NATS have in common: it turns a
// request into a change for the ledger.
type Front struct {
	ledger   *Ledger
	refusals *Refusals
	metrics  *Metrics
	keys     keyReader
	bodies   *bodies
	options  decode.Options
	now      func() time.Time
}

// NewFront returns a front that submits to the ledger and keeps refusals.
func NewFront(ledger *Ledger, refusals *Refusals, cfg FrontConfig, m *Metrics) *Front {
	keys := newKeyReader(cfg.UTF8Names)
	return &Front{
		ledger:   ledger,
		refusals: refusals,
		metrics:  m,
		keys:     keys,
		bodies:   newBodies(cfg.MaxBytes),
		options:  decode.Options{Scheme: keys.scheme, Unchecked: cfg.Unchecked},
		now:      time.Now,
	}
}

// pushed reads a body into a change. A body that can be read but not be taken
// makes a change that records the failure.
func (f *Front) pushed(op store.Op, key store.Key, body io.Reader, encoding, contentType, origin string) (Change, error) {
	raw, free, err := f.bodies.read(body, encoding)
	if err != nil {
		return Change{}, err
	}
	defer free()
	c := Change{Op: op, Key: key, Origin: origin}
	families, err := decode.Families(raw, contentType, key, f.options)
	var refused *decode.RefusedError
	switch {
	case errors.As(err, &refused):
		c.Refusal = refused
	case err != nil:
		return Change{}, refuse(CodeInvalid, "%v", err)
	}
	c.Families = families
	c.Time = f.now()
	return c, nil
}

// settle counts a verdict, and keeps it if it is a refusal that the client can
// do something about. The zero key is no group.
func (f *Front) settle(op store.Op, via string, key store.Key, err error, origin func() string) {
	f.metrics.count(op.String(), via, err)
	var refused *Error
	if !errors.As(err, &refused) || key.IsZero() || !refused.isClients() {
		return
	}
	f.refusals.note(store.Refusal{
		Key: key, Time: f.now().UnixNano(), Status: refused.Status(), Reason: reasons[refused.Code],
		Message: refused.Message, Origin: origin(),
	})
}
