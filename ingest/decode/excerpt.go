package decode

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxExcerpt bounds in bytes what a message quotes of a name, value or token.
const maxExcerpt = 80

// excerpt quotes what was pushed, so that it has no control characters and is
// valid UTF-8, up to a length in bytes of the quoted text.
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

// clip shortens a text that needs no quotes around it, such as labels.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// column returns the column of a byte of a line: characters from 1. A byte that
// is no UTF-8 is a character.
func column(line []byte, at int) int {
	return utf8.RuneCount(line[:min(at, len(line))]) + 1
}
