package explain

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/common/model"

	"sluice/ingest/decode"
	"sluice/ingest/quote"
)

const (
	labelCure  = `Labels are written as {name="value",other="value"}, with double quotes.`
	escapeCure = `Within quotes write \\ for a backslash, \" for a quote and \n for a line feed; there are no other escapes.`
)

// labels reads labels from behind the opening brace. inside says that the metric
// name stands among them.
func (d *diagnosis) labels(text []byte, i int, inside bool) (int, finding) {
	seen := map[string]int{}
	named := !inside
	for {
		if i = decode.SkipBlanks(text, i); i == len(text) {
			return i, d.openBrace(text, i)
		}
		if text[i] == '}' {
			if !named {
				return i, finding{at: i, gist: "there is no metric name", cure: lineCure}
			}
			return i + 1, finding{}
		}
		start := i
		name, next, f := d.labelName(text, i)
		if f.found() {
			return i, f
		}
		i = decode.SkipBlanks(text, next)
		if !named && (i == len(text) || text[i] == ',' || text[i] == '}') {
			named = true
			if !d.opts.Scheme.IsValidMetricName(name) {
				if text[start] == '"' {
					return i, d.badQuoted(text, start, next, "metric")
				}
				return i, d.oddInName(text, start, "metric")
			}
			if i < len(text) && text[i] == ',' {
				i++
			}
			continue
		}
		switch {
		case i == len(text):
			return i, finding{at: start, gist: fmt.Sprintf("label %s has no value, and the line ends", quote.Excerpt(name, quote.MaxExcerpt)), cure: labelCure}
		case text[i] != '=':
			return i, d.noEquals(text, start, next, i)
		case name == string(model.MetricNameLabel):
			return i, finding{at: start, gist: "the label __name__ is reserved: it is the metric's name", cure: "Write the name before the braces. " + lineCure}
		case !d.opts.Scheme.IsValidLabelName(name):
			if text[start] == '"' {
				return i, d.badQuoted(text, start, next, "label")
			}
			return i, d.oddInName(text, start, "label")
		}
		if first, ok := seen[name]; ok {
			return i, finding{at: start, gist: fmt.Sprintf("the label %s is there twice, first in column %d", quote.Excerpt(name, quote.MaxExcerpt), column(text, first)), cure: "A series has each label once."}
		}
		seen[name] = start
		if i, f = d.labelValue(text, decode.SkipBlanks(text, i+1), name); f.found() {
			return i, f
		}
		end := i
		if i = decode.SkipBlanks(text, i); i == len(text) {
			return i, d.openBrace(text, i)
		}
		switch text[i] {
		case ',':
			i++
		case '}':
		default:
			return i, d.behindValue(text, end, i)
		}
	}
}

// openBrace says that a line ends within its labels.
func (d *diagnosis) openBrace(text []byte, i int) finding {
	return finding{at: i, gist: "the closing brace of the labels is missing", cure: labelCure}
}

// labelName reads a label name, quoted or not.
func (d *diagnosis) labelName(text []byte, i int) (name string, next int, f finding) {
	switch {
	case text[i] == '"':
		end := quotedEnd(text, i)
		if end < 0 {
			return "", i, finding{at: i, gist: "the quoted name that begins here is not closed", cure: labelCure}
		}
		return string(text[i+1 : end-1]), end, finding{}
	case !decode.IsLabelStart(text[i]):
		return "", i, d.oddLabelStart(text, i)
	}
	start := i
	for i < len(text) && decode.IsLabelPart(text[i]) {
		i++
	}
	return string(text[start:i]), i, finding{}
}

// oddLabelStart says what stands where a label name should begin.
func (d *diagnosis) oddLabelStart(text []byte, i int) finding {
	if text[i] == '{' && i > 0 && text[i-1] == '{' {
		return template(text, i-1)
	}
	switch c := text[i]; {
	case c == ',':
		return finding{at: i, gist: "there is a comma where a label name should begin", cure: labelCure}
	case c == '\'' || c == '`' || bytes.HasPrefix(text[i:], []byte("“")):
		return finding{at: i, gist: "there is a quote where a label name should begin", cure: labelCure}
	case c == '=':
		return finding{at: i, gist: "the label before the = has no name", cure: labelCure}
	case '0' <= c && c <= '9':
		return finding{at: i, gist: fmt.Sprintf("the label name %s begins with a digit", quote.Excerpt(word(text, i), quote.MaxExcerpt)), cure: d.nameCure(word(text, i), "label")}
	}
	if f := template(text, i); f.found() {
		return f
	}
	return d.oddInName(text, i, "label")
}

// noEquals says what stands where an equals sign should.
func (d *diagnosis) noEquals(text []byte, start, next, i int) finding {
	name := quote.Excerpt(text[start:next], quote.MaxExcerpt)
	switch c := text[i]; {
	case c == ':' && text[start] != '"' && i == next && d.hasColonName(text, i):
		return d.oddInName(text, i, "label")
	case c == ':':
		return finding{at: i, gist: "there is a colon behind the label name " + name, cure: "Write = there. " + labelCure}
	case c == '}' || c == ',':
		return finding{at: i, gist: "label " + name + " has no value", cure: labelCure}
	case c == '"' || c == '\'':
		return finding{at: i, gist: "there is no = behind the label name " + name, cure: labelCure}
	case i > next:
		return finding{at: next, gist: "there is a blank in the label name that begins with " + name, cure: d.nameCure(bytes.TrimRight(untilEquals(text, start), " \t"), "label")}
	}
	return d.oddInName(text, i, "label")
}

// hasColonName tells a name with a colon, a:b="c", from a:"c".
func (d *diagnosis) hasColonName(text []byte, i int) bool {
	return i+1 < len(text) && decode.IsLabelPart(text[i+1]) && bytes.IndexByte(text[i:], '=') > 0
}

func untilEquals(text []byte, i int) []byte {
	if end := bytes.IndexAny(text[i:], `=,}"`); end >= 0 {
		return text[i : i+end]
	}
	return text[i:]
}

// labelValue reads a quoted value.
func (d *diagnosis) labelValue(text []byte, i int, name string) (int, finding) {
	if i == len(text) {
		return i, finding{at: i, gist: fmt.Sprintf("the value of label %s is missing", quote.Excerpt(name, quote.MaxExcerpt)), cure: labelCure}
	}
	if text[i] != '"' {
		return i, d.noQuote(text, i)
	}
	start := i
	for i++; i < len(text) && text[i] != '"'; {
		if text[i] == '\\' {
			if i+1 < len(text) && strings.IndexByte(`\n"`, text[i+1]) < 0 {
				return i, finding{at: i, gist: fmt.Sprintf("the backslash in %s must be written twice", quote.Excerpt(text[i:min(i+2, len(text))], quote.MaxExcerpt)), cure: escapeCure}
			}
			i += 2
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i, d.badUTF8(text, i)
		}
		i += size
	}
	if i >= len(text) {
		return i, finding{at: start, gist: fmt.Sprintf("the value of label %s is not closed in this line: a quote is missing, or there is a raw line feed in the value", quote.Excerpt(name, quote.MaxExcerpt)), cure: escapeCure}
	}
	return i + 1, finding{}
}

// noQuote says what stands where a label value should begin.
func (d *diagnosis) noQuote(text []byte, i int) finding {
	rest := text[i:]
	switch {
	case rest[0] == '\'':
		return finding{at: i, gist: "the label value is in single quotes", cure: labelCure}
	case rest[0] == '`' || bytes.HasPrefix(rest, []byte("“")) || bytes.HasPrefix(rest, []byte("”")) || bytes.HasPrefix(rest, []byte("„")) || bytes.HasPrefix(rest, []byte("«")) || bytes.HasPrefix(rest, []byte("‘")):
		return finding{at: i, gist: "the label value is in typographic quotes", cure: labelCure}
	case bytes.HasPrefix(rest, []byte(`\"`)):
		return finding{at: i, gist: "the quote before the label value is escaped", cure: "Was the body quoted twice, by the shell or as JSON? " + labelCure}
	case rest[0] == '}' || rest[0] == ',':
		return finding{at: i, gist: "the label has no value", cure: `Write "" for an empty value. ` + labelCure}
	case rest[0] == '~' || rest[0] == '=':
		return finding{at: i, gist: "this is a selector, not a label", cure: labelCure}
	}
	if f := template(text, i); f.found() {
		return f
	}
	return finding{at: i, gist: "the label value " + quote.Excerpt(untilEquals(text, i), quote.MaxExcerpt) + " is not in quotes", cure: labelCure}
}

// behindValue says what follows a label value, which ends before end.
func (d *diagnosis) behindValue(text []byte, end, i int) finding {
	rest := text[i:]
	if decode.IsLabelStart(rest[0]) {
		next := 0
		for next < len(rest) && decode.IsLabelPart(rest[next]) {
			next++
		}
		if next = decode.SkipBlanks(rest, next); next < len(rest) && rest[next] == '=' {
			return finding{at: i, gist: "there is no comma between two labels", cure: labelCure}
		}
	}
	if rest[0] == ';' || rest[0] == '|' || rest[0] == '&' {
		return finding{at: i, gist: fmt.Sprintf("there is a %q where a comma should be", rest[0]), cure: labelCure}
	}
	if bytes.IndexByte(rest, '"') >= 0 {
		return finding{at: end - 1, gist: "there is a quote within a label value", cure: escapeCure}
	}
	if rest[0] == ')' || rest[0] == ']' {
		return finding{at: i, gist: fmt.Sprintf("there is a %q where the closing brace should be", rest[0]), cure: labelCure}
	}
	return finding{at: i, gist: "the closing brace of the labels is missing before " + quote.Excerpt(firstField(rest), quote.MaxExcerpt), cure: labelCure}
}

// labelValueAt returns where the value of a label is written.
func labelValueAt(text []byte, label string) int {
	for i := 0; i < len(text); i++ {
		if text[i] == '"' {
			if end := quotedEnd(text, i); end > 0 {
				i = end - 1
				continue
			}
			return -1
		}
		if bytes.HasPrefix(text[i:], []byte(label)) && (i == 0 || !decode.IsLabelPart(text[i-1])) {
			if next := decode.SkipBlanks(text, i+len(label)); next < len(text) && text[next] == '=' {
				return decode.SkipBlanks(text, next+1)
			}
		}
	}
	return -1
}

// valueAt returns where the value of a good line is written.
func valueAt(text []byte) int {
	i := decode.SkipBlanks(text, 0)
	for i < len(text) && !decode.IsBlank(text[i]) && text[i] != '{' {
		i++
	}
	if i = decode.SkipBlanks(text, i); i < len(text) && text[i] == '{' {
		for i++; i < len(text) && text[i] != '}'; i++ {
			if text[i] == '"' {
				if end := quotedEnd(text, i); end > 0 {
					i = end - 1
				}
			}
		}
		i++
	}
	return min(decode.SkipBlanks(text, min(i, len(text))), len(text))
}
