package ingest

import (
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"sluice/store"
)

// minTTL is the shortest time to live. A group expires up to some hundred
// milliseconds late, so that shorter times would have no meaning.
const minTTL = time.Second

// neverTTL stands for no time to live, where a default would give one. NATS uses
// the same word.
const neverTTL = "never"

// ParseTTL reads a time to live: "never", or a duration as Prometheus writes it
// (10m, 1h30m, 7d) or as Go does (1.5h), of a second or more. 0 is never. The
// error is one line.
func ParseTTL(text string) (time.Duration, error) {
	if text == neverTTL {
		return 0, nil
	}
	ttl, err := parseDuration(text)
	switch {
	case err != nil:
		return 0, refuse(CodeInvalid, "time to live %s: no duration such as 90s, 10m, 1h30m or 7d, and not %q", quoted(text), neverTTL).withReason(reasonTTL)
	case ttl < minTTL:
		return 0, refuse(CodeInvalid, "time to live %s: the shortest is %s", quoted(text), minTTL).withReason(reasonTTL)
	}
	return ttl, nil
}

func parseDuration(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	d, err := model.ParseDuration(text)
	return time.Duration(d), err
}

// parseNatsTTL reads the header Nats-TTL, as the NATS server does: seconds as a
// whole number, "never", or a duration.
func parseNatsTTL(text string) (time.Duration, error) {
	if text != "" && strings.Trim(text, "0123456789") == "" {
		text += "s"
	}
	return ParseTTL(text)
}

// applyTTL gives a push the time to live that it asks for, or else that of its group.
func (f *Front) applyTTL(c *Change, hasTTL bool, ttl time.Duration) {
	if !hasTTL {
		ttl = f.ttl(c.Key)
	}
	c.Expires = store.ExpiresAt(c.Time.UnixNano(), int64(ttl))
}

// noTTL gives no group a time to live.
func noTTL(store.Key) time.Duration { return 0 }
