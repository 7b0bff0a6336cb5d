// Package quote makes what was pushed safe to show in a message: short, valid
// UTF-8, and without control characters.
package quote

import (
	"strconv"
	"strings"
)

// MaxExcerpt bounds in bytes what a message quotes of a name, value or token.
const MaxExcerpt = 80

// Excerpt quotes a name, value or token that was pushed, or its beginning. The
// text is valid UTF-8 without control characters.
func Excerpt[T string | []byte](s T) string { return excerpt(s, MaxExcerpt) }

// Short is Excerpt with half of its length.
func Short[T string | []byte](s T) string { return excerpt(s, MaxExcerpt/2) }

// excerpt quotes up to a length in bytes of the quoted text.
func excerpt[T string | []byte](s T, most int) string {
	head := s
	if len(head) > most {
		head = head[:most]
	}
	quoted := strconv.Quote(string(head))
	cut := len(s) > len(head)
	for len(quoted) > most+2 && len(head) > 0 { // escapes are longer than what they stand for
		head = head[:len(head)*3/4]
		quoted, cut = strconv.Quote(string(head)), true
	}
	if cut {
		return quoted + "..."
	}
	return quoted
}

// Clip shortens a text that needs no quotes around it, such as labels, to a
// number of bytes and three dots.
func Clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
