package quote

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Printable makes a text a single line that no terminal takes for commands: it
// escapes control characters and line separators, and writes "?" for bytes that are
// not UTF-8.
func Printable(s string) string { return printable(s, isUnsafe) }

// PrintableLines is Printable for a text of several lines: it keeps line feeds.
func PrintableLines(s string) string {
	return printable(s, func(r rune) bool { return r != '\n' && isUnsafe(r) })
}

func printable(s string, unsafe func(rune) bool) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, unsafe) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "?") {
		if unsafe(r) {
			fmt.Fprintf(&b, `\x%02x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isUnsafe tells whether a character could end a line or control a terminal.
func isUnsafe(r rune) bool {
	return r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029'
}

// MaxMessage bounds an error's text in bytes, since it goes into an answer and
// perhaps into a log.
const MaxMessage = 900

// Message bounds an error's text to MaxMessage bytes and three dots.
func Message(text string) string { return Clip(text, MaxMessage) }
