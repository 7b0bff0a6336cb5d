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
	escapeCure = `In a label value write \\ for a backslash, \" for a quote and \n for a line feed. There are no other escapes.`
)

// labels reads labels from behind the opening brace and returns the index behind
// the closing one. inside says that the metric name stands among them.
func (d *diagnosis) labels(text []byte, i int, inside bool) (int, finding) {
	r := &labelReader{diagnosis: d, text: text, i: i, named: !inside, seen: map[string]int{}}
	for {
		closed, f := r.next()
		if f.found() || closed {
			return r.i, f
		}
	}
}

// labelReader reads the labels of one line.
type labelReader struct {
	*diagnosis
	text  []byte
	i     int            // in text
	named bool           // the metric name has been read
	seen  map[string]int // where each label began
}

// next reads the closing brace, the metric's name, or a label, and the comma
// behind it.
func (r *labelReader) next() (closed bool, f finding) {
	if r.skipBlanks(); r.i == len(r.text) {
		return false, r.openBrace()
	}
	if r.text[r.i] == '}' {
		return r.close()
	}
	start := r.i
	name, end, f := r.labelName(r.text, start)
	if f.found() {
		return false, f
	}
	r.i = end
	if r.skipBlanks(); !r.named && r.endsName() {
		return false, r.metricName(name, start, end)
	}
	if f := r.labelNamed(name, start, end); f.found() {
		return false, f
	}
	r.i++ // the equals sign
	r.skipBlanks()
	if r.i, f = r.labelValue(r.text, r.i, name); f.found() {
		return false, f
	}
	return false, r.behindLabel()
}

// skipBlanks goes to the first byte that is no blank.
func (r *labelReader) skipBlanks() { r.i = decode.SkipBlanks(r.text, r.i) }

// openBrace says that the line ends within its labels.
func (r *labelReader) openBrace() finding {
	return finding{at: r.i, gist: "the closing brace of the labels is missing", cure: labelCure}
}

// close reads the closing brace.
func (r *labelReader) close() (closed bool, f finding) {
	if !r.named {
		return false, finding{at: r.i, gist: "there is no metric name", cure: lineCure}
	}
	r.i++
	return true, finding{}
}

// endsName tells whether a name ends here that has no value: that of the metric.
func (r *labelReader) endsName() bool {
	return r.i == len(r.text) || r.text[r.i] == ',' || r.text[r.i] == '}'
}

// metricName takes a name without a value, and the comma behind it.
func (r *labelReader) metricName(name string, start, end int) finding {
	r.named = true
	if !r.opts.Scheme.IsValidMetricName(name) {
		return r.badName(r.text, start, end, "metric")
	}
	if r.i < len(r.text) && r.text[r.i] == ',' {
		r.i++
	}
	return finding{}
}

// labelNamed checks the name of a label, which an equals sign must follow.
func (r *labelReader) labelNamed(name string, start, end int) finding {
	switch {
	case r.i == len(r.text):
		return finding{at: start, gist: fmt.Sprintf("label %s has no value, and the line ends", quote.Excerpt(name)), cure: labelCure}
	case r.text[r.i] != '=':
		return r.noEquals(r.text, start, end, r.i)
	case name == string(model.MetricNameLabel):
		return finding{at: start, gist: "the label __name__ is reserved: it is the metric's name", cure: "Write the name before the braces. " + lineCure}
	case !r.opts.Scheme.IsValidLabelName(name):
		return r.badName(r.text, start, end, "label")
	}
	if first, ok := r.seen[name]; ok {
		return finding{at: start, gist: fmt.Sprintf("the label %s occurs twice, first in column %d", quote.Excerpt(name), column(r.text, first)), cure: "A series must have each label once."}
	}
	r.seen[name] = start
	return finding{}
}

// behindLabel reads the comma behind a label. The closing brace is read next.
func (r *labelReader) behindLabel() finding {
	end := r.i
	if r.skipBlanks(); r.i == len(r.text) {
		return r.openBrace()
	}
	switch r.text[r.i] {
	case ',':
		r.i++
	case '}':
	default:
		return r.behindValue(r.text, end, r.i)
	}
	return finding{}
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
		return finding{at: i, gist: fmt.Sprintf("the label name %s begins with a digit", quote.Excerpt(word(text, i))), cure: d.nameCure(word(text, i), "label")}
	}
	if f := template(text, i); f.found() {
		return f
	}
	return d.oddInName(text, i, "label")
}

// noEquals says what stands where an equals sign should.
func (d *diagnosis) noEquals(text []byte, start, next, i int) finding {
	name := quote.Excerpt(text[start:next])
	switch c := text[i]; {
	case c == ':' && text[start] != '"' && i == next && d.hasColonName(text, i):
		return d.oddInName(text, i, "label")
	case c == ':':
		return finding{at: i, gist: "there is a colon after the label name " + name, cure: "Write = instead. " + labelCure}
	case c == '}' || c == ',':
		return finding{at: i, gist: "label " + name + " has no value", cure: labelCure}
	case c == '"' || c == '\'':
		return finding{at: i, gist: "there is no = after the label name " + name, cure: labelCure}
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
		return i, finding{at: i, gist: fmt.Sprintf("the value of label %s is missing", quote.Excerpt(name)), cure: labelCure}
	}
	if text[i] != '"' {
		return i, d.noQuote(text, i)
	}
	start := i
	for i++; i < len(text) && text[i] != '"'; {
		if text[i] == '\\' {
			if i+1 < len(text) && strings.IndexByte(`\n"`, text[i+1]) < 0 {
				return i, finding{at: i, gist: fmt.Sprintf("the backslash in %s must be written twice", quote.Excerpt(text[i:min(i+2, len(text))])), cure: escapeCure}
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
		return i, finding{at: start, gist: fmt.Sprintf("the value of label %s is not closed in this line: a quote is missing, or there is a raw line feed in the value", quote.Excerpt(name)), cure: escapeCure}
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
		return finding{at: i, gist: "the quote before the label value is escaped", cure: "The body may have been quoted twice, by the shell or as JSON. " + labelCure}
	case rest[0] == '}' || rest[0] == ',':
		return finding{at: i, gist: "the label has no value", cure: `Write "" for an empty value. ` + labelCure}
	case rest[0] == '~' || rest[0] == '=':
		return finding{at: i, gist: "this is a selector, not a label", cure: labelCure}
	}
	if f := template(text, i); f.found() {
		return f
	}
	return finding{at: i, gist: "the label value " + quote.Excerpt(untilEquals(text, i)) + " is not in quotes", cure: labelCure}
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
		return finding{at: end - 1, gist: "there is a quote inside a label value", cure: escapeCure}
	}
	if rest[0] == ')' || rest[0] == ']' {
		return finding{at: i, gist: fmt.Sprintf("there is a %q where the closing brace should be", rest[0]), cure: labelCure}
	}
	return finding{at: i, gist: "the closing brace of the labels is missing before " + quote.Excerpt(firstField(rest)), cure: labelCure}
}
