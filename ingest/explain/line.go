package explain

import (
	"bytes"
	"fmt"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"sluice/ingest/decode"
	"sluice/ingest/quote"
)

const (
	lineCure = `A line is a name, labels in braces, and a value: some_metric{label="value"} 3.14`
	omCure   = "This is OpenMetrics. Send it with the header Content-Type: application/openmetrics-text; version=1.0.0 and the last line # EOF, or leave it out."
)

// line finds what is wrong with a line of text. last says that the body ends
// without a line feed there; said are the parser's words.
func (d *diagnosis) line(text []byte, last bool, number int, said string) finding {
	if f := d.wrapped(text, last); f.found() {
		return f
	}
	f := d.lex(text)
	switch {
	case last && strings.HasPrefix(said, "unexpected end of input"):
		g := finding{at: len(text), gist: "the last line does not end with a line feed",
			cure: d.lineFeedCure()}
		if f.found() {
			g.gist += ", or the body was cut off"
		}
		return g
	case f.found():
		return f
	}
	return d.byState(text, number, said)
}

// lineFeedCure tells how to end the last line. A body without any line feed may
// be a file of which curl has removed them.
func (d *diagnosis) lineFeedCure() string {
	const example = "printf 'some_metric 3.14\\n'"
	if bytes.IndexByte(d.body, '\n') >= 0 {
		return "End the last line with a line feed (\\n), for example: " + example
	}
	return "End each line with a line feed (\\n), for example: " + example + " | curl --data-binary @-\nTo send a file use --data-binary as well: curl -d removes its line feeds."
}

// wrapped finds what stands around a line that is good without it: a carriage
// return, quotes, a prompt.
func (d *diagnosis) wrapped(text []byte, last bool) finding {
	good := func(text []byte) bool {
		text = bytes.Trim(text, " \t")
		return len(text) > 0 && !d.lex(text).found()
	}
	inner, isCR := bytes.CutSuffix(text, []byte{'\r'})
	if isCR {
		if f := d.lex(text); f.found() && !d.lex(inner).found() {
			return finding{at: len(inner), gist: "the line ends with CR LF, but it must end with LF",
				cure: "End lines with a line feed alone (\\n): use dos2unix, or in PowerShell join lines with `n."}
		}
	}
	start := decode.SkipBlanks(inner, 0)
	trimmed := bytes.Trim(inner, " \t\r")
	for _, q := range [...]struct{ open, close, name string }{
		{`"`, `"`, "quotes"}, {`'`, `'`, "single quotes"}, {"“", "”", "typographic quotes"}, {"‘", "’", "typographic quotes"},
		{"„", "“", "typographic quotes"}, {"«", "»", "typographic quotes"}, {"`", "`", "backquotes"},
	} {
		middle, ok := bytes.CutPrefix(trimmed, []byte(q.open))
		if middle, ok2 := bytes.CutSuffix(middle, []byte(q.close)); ok && ok2 && good(middle) && bytes.ContainsAny(middle, " \t") {
			return finding{at: start, gist: "there are " + q.name + " around the line",
				cure: "Send the line without them. The echo of the Windows shell keeps quotes: write echo some_metric 3.14"}
		}
	}
	for _, prompt := range []string{"$ ", "> ", "PS> ", "% ", "- ", "* "} {
		if rest, ok := bytes.CutPrefix(trimmed, []byte(prompt)); ok && good(rest) {
			return finding{at: start, gist: fmt.Sprintf("the line begins with %q, which is not part of a metric", prompt), cure: lineCure}
		}
	}
	for _, end := range []string{";", ","} {
		if rest, ok := bytes.CutSuffix(trimmed, []byte(end)); ok && good(rest) {
			return finding{at: start + len(rest), gist: fmt.Sprintf("the line ends with %q", end), cure: "Put each series on a line of its own, with nothing after the value."}
		}
	}
	return finding{}
}

// lex reads a line by expfmt's rules and finds where it goes wrong, if that
// does not depend on lines before.
func (d *diagnosis) lex(text []byte) finding {
	i := decode.SkipBlanks(text, 0)
	if i == len(text) {
		return finding{}
	}
	if text[i] == '#' {
		return d.comment(text, i)
	}
	if text[i] != '{' || bytes.HasPrefix(text[i:], []byte("{{")) {
		var f finding
		if i, f = d.metricName(text, i); f.found() {
			return f
		}
		if i = decode.SkipBlanks(text, i); i < len(text) && text[i] == '{' {
			if i, f = d.labels(text, i+1, false); f.found() {
				return f
			}
		}
	} else {
		var f finding
		if i, f = d.labels(text, i+1, true); f.found() {
			return f
		}
	}
	return d.valueAndRest(text, decode.SkipBlanks(text, i))
}

// comment finds what is wrong with a HELP or TYPE line.
func (d *diagnosis) comment(text []byte, i int) finding {
	i = decode.SkipBlanks(text, i+1)
	start := i
	for i < len(text) && !decode.IsBlank(text[i]) {
		i++
	}
	keyword := string(text[start:i])
	if keyword != "HELP" && keyword != "TYPE" {
		return finding{}
	}
	i = decode.SkipBlanks(text, i)
	if i == len(text) {
		return finding{}
	}
	i, f := d.nameOf(text, i)
	if f.found() {
		return f
	}
	if i == len(text) {
		return finding{}
	}
	if !decode.IsBlank(text[i]) {
		return d.oddInName(text, i, "metric")
	}
	i = decode.SkipBlanks(text, i)
	if i == len(text) {
		return finding{}
	}
	if keyword == "TYPE" {
		return d.typeWord(text, i)
	}
	for ; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if i++; i == len(text) || strings.IndexByte(`\n"`, text[i]) < 0 {
			return finding{at: i - 1, gist: "a backslash in a help text must be written twice", cure: `Write \\ for a backslash and \n for a line feed.`}
		}
	}
	return finding{}
}

// typeWord finds what is wrong with the type of a TYPE line.
func (d *diagnosis) typeWord(text []byte, i int) finding {
	word := string(text[i:])
	upper := strings.ToUpper(strings.ReplaceAll(word, `\`, ""))
	if _, ok := dto.MetricType_value[upper]; ok || upper == "GAUGEHISTOGRAM" {
		return finding{}
	}
	plain := strings.ToUpper(strings.TrimRight(word, " \t\r"))
	f := finding{at: i, gist: quote.Excerpt(word) + " is not a type of the text format", cure: "The types are counter, gauge, histogram, summary and untyped."}
	switch {
	case plain == "INFO" || plain == "STATESET" || plain == "UNKNOWN":
		f.gist = strings.ToLower(plain) + " is a type of OpenMetrics, not of the text format"
		f.cure = omCure
	case dto.MetricType_value[plain] != 0 || plain == "COUNTER" || plain == "GAUGEHISTOGRAM":
		f.at = i + len(plain)
		f.gist = "there is something after the type: " + quote.Excerpt(word[len(plain):])
		f.cure = "End the line directly after the type."
	}
	return f
}

// byState finds what is wrong only because of lines before.
func (d *diagnosis) byState(text []byte, number int, said string) finding {
	i := decode.SkipBlanks(text, 0)
	switch {
	case strings.Contains(said, "second TYPE line"), strings.Contains(said, "second HELP line"):
		keyword := "TYPE"
		if strings.Contains(said, "HELP") {
			keyword = "HELP"
		}
		name := commentName(text, keyword)
		first, isSample := d.firstMention(name, keyword, number)
		gist := fmt.Sprintf("line %d has one already", first)
		if isSample {
			gist = fmt.Sprintf("line %d has a sample of it already", first)
		}
		if first == 0 {
			gist = "there is one already"
		}
		return finding{at: i, gist: gist, cure: "Write one " + keyword + " line for each metric name, before all of its samples."}
	case strings.Contains(said, "for 'le' label"), strings.Contains(said, "for 'quantile' label"):
		label := "le"
		if strings.Contains(said, "quantile") {
			label = "quantile"
		}
		return finding{at: labelValueAt(text, label), gist: "the value of " + label + " must be a number", cure: `For example {` + label + `="0.5"}; the last bucket of a histogram is {le="+Inf"}.`}
	case strings.Contains(said, "negative"):
		return finding{at: valueAt(text), gist: "counts cannot be negative", cure: "The buckets and the count of a histogram are numbers of observations."}
	case strings.Contains(said, "invalid escape"):
		if at := bytes.IndexByte(text, '\\'); at >= 0 {
			return finding{at: at, gist: "a backslash must be written twice", cure: escapeCure}
		}
	}
	if number == 0 {
		return finding{at: -1}
	}
	return finding{at: i}
}

// firstMention returns the line before number that has the keyword or a sample
// of the name, 0 if there is none.
func (d *diagnosis) firstMention(name, keyword string, number int) (line int, isSample bool) {
	for line, text := range decode.Lines(d.body) {
		switch {
		case line >= number:
			return 0, false
		case commentName(text, keyword) == name && name != "":
			return line, false
		case keyword == "TYPE" && isSampleOf(text, name):
			return line, true
		}
	}
	return 0, false
}
