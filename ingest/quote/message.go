package quote

import (
	"fmt"
	"strings"
)

// Printable makes a text a single line that no terminal takes for commands.
func Printable(s string) string {
	clean := true
	for _, r := range s {
		clean = clean && r >= ' ' && r != 0x7f && r != '\uFFFD' && r != '\u2028' && r != '\u2029' && (r < 0x80 || r > 0x9f)
	}
	if clean {
		return s
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "?") {
		if r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029' {
			fmt.Fprintf(&b, `\x%02x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// MaxMessage bounds an error's text in bytes, since it goes into an answer and
// perhaps into a log.
const MaxMessage = 900

// Message bounds an error's text to MaxMessage bytes and three dots.
func Message(text string) string { return Clip(text, MaxMessage) }
