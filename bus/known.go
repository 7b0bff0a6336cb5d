package bus

import (
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/nats-io/nats.go/jetstream"
)

// Known is what a gateway knows of its stream without asking.
type Known struct {
	// Bytes and Events are its size some seconds ago, at most.
	Bytes, Events uint64
	// History is how many events it keeps of a group.
	History int
	// External tells whether the server is not the embedded one. Then URL has its
	// addresses, without what authenticates.
	External bool
	URL      string
}

// size is how large the stream is.
type size struct{ bytes, events atomic.Uint64 }

func (s *size) know(info *jetstream.StreamInfo) {
	s.bytes.Store(info.State.Bytes)
	s.events.Store(info.State.Msgs)
}

// Known returns what is known of the stream. It does not block.
func (b *Bus) Known() Known {
	return Known{
		Bytes: b.size.bytes.Load(), Events: b.size.events.Load(), History: b.cfg.History,
		External: b.embedded == nil, URL: RedactURL(b.cfg.URL),
	}
}

// RedactURL returns addresses of NATS servers, separated by commas, without the
// names, passwords and tokens that they may have.
func RedactURL(urls string) string {
	var shown []string
	for one := range strings.SplitSeq(urls, ",") {
		one = strings.TrimSpace(one)
		if one == "" {
			continue
		}
		scheme, rest, ok := strings.Cut(one, "://")
		if !ok {
			scheme, rest = "", one
		}
		// What cannot be parsed may be a password, too: all before the last @ goes.
		rest = rest[strings.LastIndexByte(rest, '@')+1:]
		if u, err := url.Parse("nats://" + rest); err == nil {
			rest = u.Host
		} else {
			rest = "?"
		}
		if ok {
			rest = scheme + "://" + rest
		}
		shown = append(shown, rest)
	}
	return strings.Join(shown, ",")
}
