package event

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"sluice/store"
)

// Headers of an event. docs/events.md specifies them.
const (
	headerVersion       = "Sluice-Version"
	headerOp            = "Sluice-Op"
	headerGroup         = "Sluice-Group"
	headerPushTime      = "Sluice-Push-Time"
	headerFailureTime   = "Sluice-Failure-Time"
	headerFamilyTimes   = "Sluice-Family-Times"
	headerProtoFamilies = "Sluice-Proto-Families"
	headerOrigin        = "Sluice-Origin"
	headerRefusal       = "Sluice-Refusal"
	headerExpires       = "Sluice-Expires"
	headerForget        = "Sluice-Forget"
	headerContentType   = "Content-Type"
)

// Headers that the server reads or writes.
const (
	// HeaderRollup is on the events that remove older ones: of their subject, or
	// with RollupAll of the whole stream.
	HeaderRollup      = "Nats-Rollup"
	RollupAll         = "all"
	headerTTL         = "Nats-TTL"
	headerMarker      = "Nats-Marker-Reason"
	headerKVOperation = "KV-Operation"
	rollupSubject     = "sub"
	kvPurge           = "PURGE"
	versionKnown      = "1"
	maxOrigin         = 256  // bytes; it is for people
	maxRefusal        = 4096 // bytes as a header; likewise
)

// TombstoneTTL is how long deletes, wipes and expiry markers stay in the
// stream. A gateway that was away for less than half of it resumes; whoever
// was away longer replays. An hour outlasts a reboot and costs about 200
// bytes for each group deleted within it.
const TombstoneTTL = time.Hour

// ErrDamaged is what Decode fails with, matched with errors.Is; the text says why.
var ErrDamaged = errors.New("damaged event")

func damagedf(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}

// Codec turns events into messages of the stream and back. Its methods may be
// called concurrently.
type Codec struct {
	// Tombstone is how long deletes and wipes stay in the stream. It must not be
	// changed while events are encoded.
	Tombstone time.Duration

	log string // the subjects' first part, with a dot at the end

	mu     sync.Mutex
	hashed map[string]store.Key // keys of groups whose token is a hash, by token
}

// NewCodec returns the codec for the stream of a prefix (Subjects).
func NewCodec(prefix string) *Codec {
	return &Codec{log: prefix + logPart, Tombstone: TombstoneTTL, hashed: map[string]store.Key{}}
}

// Encode makes the message of an event. The headers do not yet say behind which
// sequence it belongs.
func (c *Codec) Encode(e store.Event) (*nats.Msg, error) {
	m := &nats.Msg{Header: make(nats.Header, 12)}
	m.Header[headerVersion] = []string{versionKnown}
	m.Header[headerOp] = []string{e.Op.String()}
	if e.Origin != "" {
		m.Header[headerOrigin] = []string{HeaderText(e.Origin)}
	}
	switch e.Op {
	case store.OpWipe:
		c.makeTombstone(m.Header, RollupAll)
		m.Subject = c.log + wipeToken
		return m, nil
	case store.OpImport, store.OpImported:
		if e.Op == store.OpImport {
			m.Header[HeaderRollup] = []string{RollupAll}
		}
		m.Subject = c.log + importToken
		return m, nil
	}
	if err := c.encodeGroup(m, e); err != nil {
		return nil, err
	}
	return m, nil
}

// encodeGroup writes an event that is about one group.
func (c *Codec) encodeGroup(m *nats.Msg, e store.Event) error {
	switch e.Op {
	case store.OpPut, store.OpPost, store.OpFail:
		if err := encodeState(m, e); err != nil {
			return fmt.Errorf("cannot encode group %s: %w", e.Key, err)
		}
	case store.OpExpire:
		if e.Forget == 0 {
			return fmt.Errorf("cannot encode the expiry of group %s: it is not said when it is forgotten", e.Key)
		}
		// It replaces what older events the subject may have, and it stays: what
		// makes an end of it is the delete by which the group is forgotten.
		m.Header[HeaderRollup] = []string{rollupSubject}
		encodeTimes(m.Header, e)
	case store.OpDelete:
		c.makeTombstone(m.Header, rollupSubject)
	default:
		return fmt.Errorf("cannot encode operation %s", e.Op)
	}
	if e.Key.IsZero() {
		return fmt.Errorf("cannot encode %s of no group", e.Op)
	}
	m.Header[headerGroup] = []string{e.Key.Path()}
	m.Subject = string(appendToken(append(make([]byte, 0, 128), c.log...), e.Key))
	return nil
}

// makeTombstone makes a message the only one of its subject or of the stream, and
// temporary. The KV header is a convention that the server knows: without it,
// it would write an expiry marker when the tombstone itself expires.
func (c *Codec) makeTombstone(h nats.Header, rollup string) {
	h[HeaderRollup] = []string{rollup}
	h[headerTTL] = []string{c.Tombstone.String()}
	h[headerKVOperation] = []string{kvPurge}
}

// encodeTimes writes the times of a group, and why it was last refused.
func encodeTimes(h nats.Header, e store.Event) {
	for _, t := range []struct {
		header string
		nanos  int64
	}{{headerPushTime, e.PushTime}, {headerFailureTime, e.FailTime}, {headerExpires, e.Expires}, {headerForget, e.Forget}} {
		if t.nanos != 0 {
			h[t.header] = []string{formatTime(t.nanos)}
		}
	}
	if text := refusalHeader(e.Refusal); text != "" {
		h[headerRefusal] = []string{text}
	}
}

// decodeTimes is the inverse of encodeTimes.
func decodeTimes(m *nats.Msg, e *store.Event) (err error) {
	for _, t := range []struct {
		header string
		nanos  *int64
	}{{headerPushTime, &e.PushTime}, {headerFailureTime, &e.FailTime}, {headerExpires, &e.Expires}, {headerForget, &e.Forget}} {
		if *t.nanos, err = parseTime(Header(m, t.header)); err != nil {
			return damagedf("%s: %v", t.header, err)
		}
	}
	if text := Header(m, headerRefusal); text != "" {
		e.Refusal = parseRefusal(refusalHeader(parseRefusal(text))) // bounded like our own
	}
	if dies := e.Op == store.OpExpire; dies != (e.Forget != 0) || dies && e.Expires == 0 {
		return damagedf("%s with %s %q and %s %q", e.Op, headerExpires, Header(m, headerExpires), headerForget, Header(m, headerForget))
	}
	return nil
}

// encodeState writes what put, post and fail carry.
func encodeState(m *nats.Msg, e store.Event) error {
	encodeTimes(m.Header, e)
	if times := formatFamilyTimes(e); times != "" {
		m.Header[headerFamilyTimes] = []string{times}
	}
	data, contentType, withProto, err := encodePayload(e.Families)
	if err != nil {
		return err
	}
	m.Data = data
	m.Header[headerContentType] = []string{contentType}
	if withProto != "" {
		m.Header[headerProtoFamilies] = []string{withProto}
	}
	return nil
}

// IsMarker tells whether the server itself has written a message, since another one has
// expired or was removed.
func IsMarker(m *nats.Msg) bool { return Header(m, headerMarker) != "" }

// Decode reads an event. Its error is an ErrDamaged and says why. ok is false
// for a message that is none of ours to apply, such as the marker of a group
// that is unknown. Nothing of the event shares memory with the message.
func (c *Codec) Decode(m *nats.Msg) (e store.Event, ok bool, err error) {
	token, found := strings.CutPrefix(m.Subject, c.log)
	if !found {
		return e, false, damagedf("subject %q is not one of the stream", m.Subject)
	}
	if reason := Header(m, headerMarker); reason != "" {
		return c.decodeMarker(token, reason)
	}
	switch version := Header(m, headerVersion); version {
	case versionKnown:
	case "":
		return e, false, damagedf("no %s", headerVersion)
	default:
		return e, false, damagedf("format version %.20q, and this Sluice knows version %s", version, versionKnown)
	}
	if e.Op, err = store.ParseOp(Header(m, headerOp)); err != nil {
		return e, false, damagedf("%s: %v", headerOp, err)
	}
	e.Origin = strings.Clone(HeaderText(Header(m, headerOrigin)))
	switch e.Op {
	case store.OpWipe, store.OpImport, store.OpImported:
		err = c.decodeWholeStream(token, e.Op)
	default:
		err = c.decodeGroup(m, token, &e)
	}
	return e, err == nil, err
}

// decodeWholeStream reads an event that is about all groups.
func (c *Codec) decodeWholeStream(token string, op store.Op) error {
	want := importToken
	if op == store.OpWipe {
		want = wipeToken
	}
	if token != want {
		return damagedf("%s on the subject of a group", op)
	}
	if op != store.OpImported {
		c.Forget()
	}
	return nil
}

// decodeGroup reads an event that is about one group.
func (c *Codec) decodeGroup(m *nats.Msg, token string, e *store.Event) (err error) {
	// Keys are kept: a copy leaves the message's headers to the collector.
	if e.Key, err = store.ParseKey(strings.Clone(Header(m, headerGroup))); err != nil {
		return damagedf("%s: %v", headerGroup, err)
	}
	var buf [maxToken + 64]byte
	if string(appendToken(buf[:0], e.Key)) != token {
		return damagedf("%s %s does not belong on subject %q", headerGroup, e.Key, m.Subject)
	}
	switch e.Op {
	case store.OpDelete:
	case store.OpExpire:
		err = decodeTimes(m, e)
	default:
		err = decodeState(m, e)
	}
	if err == nil {
		c.remember(token, *e)
	}
	return err
}

// decodeState reads what put, post and fail carry.
func decodeState(m *nats.Msg, e *store.Event) (err error) {
	if err = decodeTimes(m, e); err != nil {
		return err
	}
	e.Families, err = decodePayload(m.Data, Header(m, headerContentType), Header(m, headerProtoFamilies))
	if err != nil {
		return damagedf("payload: %v", err)
	}
	if err := parseFamilyTimes(Header(m, headerFamilyTimes), e.Families); err != nil {
		return damagedf("%s: %v", headerFamilyTimes, err)
	}
	return nil
}
