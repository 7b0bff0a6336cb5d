package event

import (
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
)

// Header returns a header's value without canonicalising its name.
func Header(m *nats.Msg, name string) string {
	if values := m.Header[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// HeaderText makes a text fit for a header: one line of printable ASCII.
func HeaderText(s string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return clean[:min(len(clean), maxOrigin)]
}

// refusalHeader makes a text of several lines fit for a header, so that it can
// be read back: as between the quotes of a string in Go.
func refusalHeader(s string) string {
	quoted := strconv.QuoteToASCII(s)
	for len(quoted) > maxRefusal {
		s = s[:len(s)/2]
		quoted = strconv.QuoteToASCII(s)
	}
	return quoted[1 : len(quoted)-1]
}

// parseRefusal is the inverse of refusalHeader. What it cannot read is shown as
// it stands: it is for people.
func parseRefusal(h string) string {
	if s, err := strconv.Unquote(`"` + h + `"`); err == nil {
		return s
	}
	return strings.Clone(h)
}

// Size returns the bytes that an encoded message takes, and those of its
// headers.
func Size(m *nats.Msg) (total, headers int) {
	headers = len("NATS/1.0\r\n\r\n")
	for name, values := range m.Header {
		for _, v := range values {
			headers += len(name) + len(": \r\n") + len(v)
		}
	}
	return headers + len(m.Data), headers
}
