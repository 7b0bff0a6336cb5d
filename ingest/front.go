package ingest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"sluice/bus/limitlog"
	"sluice/ingest/decode"
	"sluice/ingest/explain"
	"sluice/store"
)

// Limits bound what a push may hold.
type Limits = decode.Limits

// FrontConfig has the settings that both front ends share.
type FrontConfig struct {
	// Logger gets refused pushes and deletes, at a limited rate; nil gets none.
	Logger *slog.Logger
	// MaxBytes bounds a body in bytes, on the wire and after decompression.
	MaxBytes int64
	// MaxHeld bounds the memory in bytes of all pushes. Those that are being read and
	// decoded have three quarters of it, and the committer bounds those that wait;
	// 0 is no limit.
	MaxHeld int64
	// Limits bound what a push may hold. Labels and LabelBytes also bound grouping
	// keys.
	Limits Limits
	// UTF8Names allows UTF-8 names in bodies and, escaped, in grouping keys.
	UTF8Names bool
	// Unchecked means that consistency is not checked. Accepted pushes are answered
	// by 202 then.
	Unchecked bool
	// TTL returns the time to live of a group whose push asks for none, 0 for none;
	// nil means none for any group.
	TTL func(store.Key) time.Duration
}

// Front is what the front ends for HTTP and NATS have in common. It turns a request
// into a change for the committer. It is safe for concurrent use.
type Front struct {
	committer *Committer
	refusals  *Refusals
	metrics   *Metrics
	keys      keyReader
	bodies    *bodies
	ttl       func(store.Key) time.Duration
	options   decode.Options
	now       func() time.Time
	logger    *limitlog.Logger
}

// NewFront returns a front that submits changes to the committer and keeps
// refusals.
func NewFront(committer *Committer, refusals *Refusals, cfg FrontConfig, m *Metrics) *Front {
	keys := newKeyReader(cfg.UTF8Names, cfg.Limits)
	ttl := cfg.TTL
	if ttl == nil {
		ttl = noTTL
	}
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Front{
		logger:    limitlog.New(logger),
		committer: committer,
		refusals:  refusals,
		metrics:   m,
		keys:      keys,
		ttl:       ttl,
		bodies:    newBodies(cfg.MaxBytes, cfg.MaxHeld),
		options:   decode.Options{Scheme: keys.scheme, Unchecked: cfg.Unchecked, Limits: cfg.Limits},
		now:       time.Now,
	}
}

// source is a push as it was received.
type source struct {
	body                  io.Reader
	length                int64         // of body, -1 if it is not known
	wait                  time.Duration // for memory, at most
	encoding, contentType string        // headers
	remoteWrite           bool          // has a header of Prometheus remote write
	origin                string        // for people
	hasTTL                bool          // the client asks for a time to live
	ttl                   time.Duration
}

// readPush reads a push into a change. A body that can be read but not accepted
// becomes a change that records the failure.
func (f *Front) readPush(op store.Op, key store.Key, from source) (Change, error) {
	in, err := f.bodies.read(from.body, from.encoding, from.length, from.wait)
	if err != nil {
		return Change{}, err
	}
	defer in.free()
	raw, options := in.bytes(), f.options
	options.Admit = in
	c := Change{Op: op, Key: key, Origin: from.origin, Format: decode.FormatOf(raw, from.contentType)}
	families, err := decode.Families(raw, from.contentType, key, options)
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
	f.applyTTL(&c, from.hasTTL, from.ttl)
	return c, nil
}

// ReturnMemory gives memory back to the system after large pushes, until ctx ends.
// It returns nil.
func (f *Front) ReturnMemory(ctx context.Context) error {
	f.bodies.admission.trim(ctx)
	return nil
}

// record counts a verdict, and keeps it if it is a refusal that the client has
// caused. The zero key stands for no group.
func (f *Front) record(op store.Op, via string, key store.Key, err error, origin func() string) {
	f.metrics.count(op.String(), via, err)
	var refused *Error
	if !errors.As(err, &refused) || !refused.isClients() {
		return
	}
	f.logRefusal(op, via, key, refused, origin())
	if key.IsZero() {
		return
	}
	refusal := store.Refusal{
		Key: key, Time: f.now().UnixNano(), Status: refused.Status(), Reason: refused.Reason,
		Message: refused.Message, Origin: origin(),
	}
	f.refusals.add(refusal)
	if refused.Code != CodeInconsistent && f.refusals.observe != nil { // the event of the group notes those
		f.refusals.observe(refusal)
	}
}

// logRefusal logs a refusal that the client has caused: its first line, since the
// others only say what helps.
func (f *Front) logRefusal(op store.Op, via string, key store.Key, refused *Error, origin string) {
	message, _, _ := strings.Cut(refused.Message, "\n")
	f.logger.Info("refused", "op", op.String(), "via", via, "group", key.Path(), "origin", origin, "status", refused.Status(), "reason", refused.Reason, "err", message)
}

// checkDeletable refuses to delete a group whose key exceeds a limit, unless the
// group exists.
func (f *Front) checkDeletable(key store.Key) error {
	err := f.keys.checkLimits(key)
	if err != nil && f.committer.store.Group(key) != nil {
		return nil // created under another limit
	}
	return err
}
