package store

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
)

// unquoteName returns the name that is written as raw.
func unquoteName(raw []byte) string {
	if raw[0] != '"' {
		return string(raw)
	}
	return Unescape(raw[1 : len(raw)-1])
}

// QuotedEnd returns the index behind the closing quote of the string that
// starts with the quote at text[0], or -1 if it is not closed.
func QuotedEnd(text []byte) int {
	for i := 1; i < len(text); {
		n := bytes.IndexByte(text[i:], '"')
		if n < 0 {
			return -1
		}
		i += n + 1
		if !escapedAt(text, i-1) {
			return i
		}
	}
	return -1
}

// escapedAt reports whether an odd number of backslashes stands before text[i].
func escapedAt(text []byte, i int) bool {
	n := 0
	for i-n-1 > 0 && text[i-n-1] == '\\' {
		n++
	}
	return n%2 == 1
}

// Unescape resolves the three escapes of quoted strings: \\, \" and \n. A
// backslash before anything else stands for itself, as Prometheus reads it.
func Unescape(text []byte) string {
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text)
	}
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' && i+1 < len(text) {
			switch text[i+1] {
			case '\\', '"':
				i++
				c = text[i]
			case 'n':
				i++
				c = '\n'
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// AppendEscaped appends a name or label value as text format 0.0.4 writes it between
// quotes: backslash, quote and line feed are escaped.
func AppendEscaped(dst []byte, value string) []byte {
	for i := range len(value) {
		switch c := value[i]; c {
		case '\\', '"':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// AppendNumber appends a number as expfmt writes it: in the shortest form that is read
// back as the same number. Zero has no sign.
func AppendNumber(dst []byte, v float64) []byte {
	if v == 0 {
		return append(dst, '0')
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}

// appendLabelName writes a label name as expfmt does: quoted if it is no legacy
// name.
func appendLabelName(dst []byte, name string) []byte {
	if model.LegacyValidation.IsValidLabelName(name) {
		return append(dst, name...)
	}
	dst = append(dst, '"')
	dst = AppendEscaped(dst, name)
	return append(dst, '"')
}
