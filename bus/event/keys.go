package event

import (
	"strings"

	"sluice/store"
)

// decodeMarker reads what the server writes when a group's time to live has
// passed, or when somebody has removed its last event by hand.
func (c *Codec) decodeMarker(token, reason string) (e store.Event, ok bool, err error) {
	if token == wipeToken || token == importToken {
		return e, false, nil
	}
	key, err := parseToken(token)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if key, ok = c.hashed[token]; !ok {
			return e, false, nil // no group that we have seen
		}
		delete(c.hashed, token)
	}
	return store.Event{Op: store.OpExpire, Key: key, Origin: "nats " + reason}, true, nil
}

// Note does for an event that need not be decoded, since this gateway has sent it,
// what decoding would do besides.
func (c *Codec) Note(subject string, e store.Event) {
	switch e.Op {
	case store.OpWipe, store.OpImport:
		c.Forget()
		return
	case store.OpImported:
		return
	}
	c.remember(strings.TrimPrefix(subject, c.log), e)
}

// remember keeps the key of a group that exists and whose token does not tell
// it, so that there are never more of them than such groups.
func (c *Codec) remember(token string, e store.Event) {
	if token[0] != hashMark {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Op == store.OpDelete || e.Op == store.OpExpire {
		delete(c.hashed, token) // a marker of the server would say nothing new
		return
	}
	c.hashed[strings.Clone(token)] = e.Key
}

// Know makes the codec know a group whose subject does not tell its key.
func (c *Codec) Know(key store.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hashed[string(appendToken(nil, key))] = key
}

// Forget forgets the keys, since the groups are gone or about to be replayed.
func (c *Codec) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.hashed)
}
