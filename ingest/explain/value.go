package explain

import (
	"bytes"
	"strings"

	"sluice/ingest/decode"
	"sluice/ingest/quote"
)

const valueCure = "Values are numbers such as 3, 3.14, 1e9, NaN, +Inf; write a dot for the decimal point."

// valueAndRest finds what is wrong from the value on.
func (d *diagnosis) valueAndRest(text []byte, i int) finding {
	if i >= len(text) || text[i] == '\r' {
		return finding{at: min(i, len(text)), gist: d.noValue(text), cure: lineCure}
	}
	start := i
	for i < len(text) && !decode.IsBlank(text[i]) {
		i++
	}
	value := text[start:i]
	if f := d.badValue(text, start, value); f.found() {
		return f
	}
	if i == len(text) {
		return finding{}
	}
	if i = decode.SkipBlanks(text, i); i == len(text) {
		return finding{at: start + len(value), gist: "there is a blank at the end of the line, after the value", cure: "End the line directly after the value."}
	}
	return d.badTimestamp(text, i)
}

// noValue says that there is no value.
func (d *diagnosis) noValue(text []byte) string {
	if trimmed := bytes.TrimRight(text, " \t\r"); bytes.HasSuffix(trimmed, []byte{':'}) {
		return "there is no value: is the body YAML?"
	}
	return "there is no value"
}

// maxValue bounds in bytes what is looked at of a value.
const maxValue = 400

// badValue finds what is wrong with a value.
func (d *diagnosis) badValue(text []byte, at int, value []byte) finding {
	s := string(value[:min(len(value), maxValue)])
	if len(value) <= maxValue && isNumber(s) {
		return finding{}
	}
	if f := template(text, at); f.found() {
		return f
	}
	if nul := bytes.IndexByte(value, 0); nul >= 0 {
		return finding{at: at + nul, gist: "there is a NUL byte in the value " + quote.Excerpt(value), cure: "Check the program that writes the body: it may write fields of fixed length, or UTF-16. " + valueCure}
	}
	if odd := invalidUTF8(value); odd >= 0 {
		return d.badUTF8(text, at+odd)
	}
	for _, m := range valueMistakes {
		if m.is(s) {
			return m.finding(at, value, s)
		}
	}
	gist := "the value " + quote.Excerpt(value) + " is not a number"
	if isBehindName(text, at, len(value)) {
		return finding{at: at, gist: gist + ": is there a blank in the metric name?", cure: "Names must not have blanks. " + lineCure}
	}
	return finding{at: at, gist: gist, cure: valueCure}
}

// isBehindName tells whether a value without labels before it has something
// behind it, too: then it may be a part of the name.
func isBehindName(text []byte, at, size int) bool {
	return len(bytes.TrimSpace(text[at+size:])) > 0 && at > 0 && decode.IsBlank(text[at-1]) && bytes.IndexByte(text[:at], '{') < 0
}

// badTimestamp finds what is wrong behind the value.
func (d *diagnosis) badTimestamp(text []byte, i int) finding {
	start := i
	for i < len(text) && !decode.IsBlank(text[i]) {
		i++
	}
	token := text[start:i]
	s := string(token[:min(len(token), 100)])
	const remove = "Remove it: pushed samples must not have timestamps. push_time_seconds is the time of the push."
	switch {
	case isInteger(s):
		if i < len(text) {
			rest := text[i:]
			if g := decode.SkipBlanks(text, i); g < len(text) && text[g] == '#' {
				return finding{at: g, gist: "there is an exemplar or a comment after the sample", cure: omCure}
			}
			if fields := bytes.Fields(rest); len(fields) > 0 && isInteger(string(fields[0])) && len(s) == 3 {
				return finding{at: start, gist: "the number has blanks as thousands separators", cure: "Write the digits without them. " + valueCure}
			}
			return finding{at: i, gist: "there is " + quote.Excerpt(rest) + " after a timestamp", cure: remove + " A line has one value."}
		}
		return finding{}
	case bytes.HasPrefix(text[start:], []byte("# {")) || bytes.HasPrefix(text[start:], []byte("#{")):
		return finding{at: start, gist: "there is an exemplar after the value", cure: omCure}
	case token[0] == '#':
		return finding{at: start, gist: "there is a comment after the value", cure: "Write comments in lines of their own."}
	case token[0] == '\r':
		return finding{at: start, gist: "there is a carriage return after the value", cure: "End the line directly after the value, with a line feed alone (\\n)."}
	case isNumber(strings.TrimRight(s, "\r")):
		return finding{at: start, gist: "there is a timestamp in seconds, as in OpenMetrics: " + quote.Excerpt(token), cure: remove + " " + omCure}
	case len(s) >= 8 && s[0] >= '0' && s[0] <= '9' && strings.ContainsAny(s, "-:/"):
		return finding{at: start, gist: "there is a date after the value: " + quote.Excerpt(token), cure: remove}
	}
	return finding{at: start, gist: "there is " + quote.Excerpt(token) + " after the value", cure: "Put a unit into the metric name. A line has one value. " + lineCure}
}
