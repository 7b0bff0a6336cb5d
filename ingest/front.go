package ingest

import (
	"errors"
	"io"
	"time"

	"sluice/ingest/decode"
	"sluice/ingest/explain"
	"sluice/store"
)

// Limits bound what a push may hold.
type Limits = decode.Limits

// FrontConfig are the settings that both front ends share.
type FrontConfig struct {
	// MaxBytes bounds a body, on the wire and after decompression.
	MaxBytes int64
	// MaxReading bounds the bytes of all bodies that are being read and decoded; 0
	// is no limit.
	MaxReading int64
	// Limits bound what a push may hold. Labels and LabelBytes are for grouping
	// keys, too.
	Limits Limits
	// UTF8Names allows UTF-8 names in bodies and, escaped, in grouping keys.
	UTF8Names bool
	// Unchecked says that the committer checks no consistency; an accepted push is
	// then answered by 202.
	Unchecked bool
	// Terms returns what a group gets without asking; nil for nothing.
	Terms func(store.Key) Terms
}

// Front is what the front ends for HTTP and NATS have in common: it turns a
// request into a change for the committer.
type Front struct {
	committer *Committer
	refusals  *Refusals
	metrics   *Metrics
	keys      keyReader
	bodies    *bodies
	terms     func(store.Key) Terms
	options   decode.Options
	now       func() time.Time
}

// NewFront returns a front that submits to the committer and keeps refusals.
func NewFront(committer *Committer, refusals *Refusals, cfg FrontConfig, m *Metrics) *Front {
	keys := newKeyReader(cfg.UTF8Names, cfg.Limits)
	terms := cfg.Terms
	if terms == nil {
		terms = noTerms
	}
	return &Front{
		committer: committer,
		refusals:  refusals,
		metrics:   m,
		keys:      keys,
		terms:     terms,
		bodies:    newBodies(cfg.MaxBytes, cfg.MaxReading),
		options:   decode.Options{Scheme: keys.scheme, Unchecked: cfg.Unchecked, Limits: cfg.Limits},
		now:       time.Now,
	}
}

// source says where a push comes from, and what it says of its body.
type source struct {
	body                  io.Reader
	encoding, contentType string // headers
	remoteWrite           bool   // has a header of Prometheus remote write
	origin                string // for people
	asked                 bool   // for a time to live
	ttl                   time.Duration
}

// pushed reads a body into a change. A body that can be read but not be taken
// makes a change that records the failure.
func (f *Front) pushed(op store.Op, key store.Key, from source) (Change, error) {
	raw, free, err := f.bodies.read(from.body, from.encoding)
	if err != nil {
		return Change{}, err
	}
	defer free()
	c := Change{Op: op, Key: key, Origin: from.origin}
	families, err := decode.Families(raw, from.contentType, key, f.options)
	if err != nil {
		err = explain.Explain(err, raw, explain.Request{
			ContentType: from.contentType, Encoding: from.encoding, Decoded: isKnown(from.encoding), RemoteWrite: from.remoteWrite,
		}, key, f.options)
		var refused *decode.RefusedError
		if !errors.As(err, &refused) {
			return Change{}, refuseBody(err)
		}
		c.Refusal = refused
	}
	c.Families = families
	c.Time = f.now()
	f.live(&c, from.asked, from.ttl)
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
	refusal := store.Refusal{
		Key: key, Time: f.now().UnixNano(), Status: refused.Status(), Reason: refused.Reason,
		Message: refused.Message, Origin: origin(),
	}
	f.refusals.note(refusal)
	if refused.Code != CodeInconsistent && f.refusals.observe != nil { // those are noted by the group
		f.refusals.observe(refusal)
	}
}

// deletable refuses the deletion of a group that could not have been made, since
// its key passes a limit, unless it is there.
func (f *Front) deletable(key store.Key) error {
	err := f.keys.bounded(key)
	if err != nil && f.committer.store.Group(key) != nil {
		return nil // made under another limit
	}
	return err
}
