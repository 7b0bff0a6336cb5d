package decode

import (
	"bytes"
	"iter"
)

// Lines yields the lines of a body, without their line feeds, and their numbers
// from 1.
func Lines(body []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		rest := body
		for number := 1; len(rest) > 0; number++ {
			var line []byte
			line, rest, _ = bytes.Cut(rest, []byte{'\n'})
			if !yield(number, line) {
				return
			}
		}
	}
}

// IsBlank tells whether the byte separates the parts of a line.
func IsBlank(c byte) bool { return c == ' ' || c == '\t' }

// nameBytes says for each byte where it may stand in a legacy name.
var nameBytes = func() (table [256]uint8) {
	for c := range table {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
			table[c] = nameStart | namePart | labelPart
		case '0' <= c && c <= '9':
			table[c] = namePart | labelPart
		case c == ':':
			table[c] = nameStart | namePart
		}
	}
	return table
}()

const (
	nameStart uint8 = 1 << iota // of a metric name; of a label name it is labelPart, too
	namePart
	labelPart
)

// IsNameStart tells whether a metric name without quotes may begin with the byte.
func IsNameStart(c byte) bool { return nameBytes[c]&nameStart != 0 }

// IsNamePart tells whether a metric name without quotes may have the byte behind its first.
func IsNamePart(c byte) bool { return nameBytes[c]&namePart != 0 }

// IsLabelStart tells whether a label name without quotes may begin with the byte.
func IsLabelStart(c byte) bool { return nameBytes[c]&(nameStart|labelPart) == nameStart|labelPart }

// IsLabelPart tells whether a label name without quotes may have the byte behind its first.
func IsLabelPart(c byte) bool { return nameBytes[c]&labelPart != 0 }

// isSample tells whether a line is neither blank nor a comment.
func isSample(line []byte) bool {
	i := SkipBlanks(line, 0)
	return i < len(line) && line[i] != '#'
}

// SkipBlanks returns the index of the first byte from i on that is no blank.
func SkipBlanks(text []byte, i int) int {
	for i < len(text) && IsBlank(text[i]) {
		i++
	}
	return i
}
