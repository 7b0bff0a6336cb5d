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

// isUTF8Scheme tells whether quoted names may have any character.
func (d *diagnosis) isUTF8Scheme() bool { return d.opts.Scheme == model.UTF8Validation }

// metricName reads the name that begins a sample.
func (d *diagnosis) metricName(text []byte, i int) (int, finding) {
	if !decode.IsNameStart(text[i]) && text[i] != '"' {
		return i, d.oddStart(text, i)
	}
	start := i
	i, f := d.nameOf(text, i)
	if f.found() {
		return i, f
	}
	if i == len(text) || decode.IsBlank(text[i]) || text[i] == '{' {
		return i, finding{}
	}
	return i, d.behindName(text, start, i)
}

// nameOf reads a metric name, quoted or not.
func (d *diagnosis) nameOf(text []byte, i int) (int, finding) {
	if text[i] == '"' {
		end := quotedEnd(text, i)
		if end < 0 {
			return i, finding{at: i, gist: "the quoted name that begins here is not closed", cure: lineCure}
		}
		if name := text[i+1 : end-1]; !d.opts.Scheme.IsValidMetricName(string(name)) {
			return i, d.badQuoted(text, i, end, "metric")
		}
		return end, finding{}
	}
	if !decode.IsNameStart(text[i]) {
		return i, d.oddInName(text, i, "metric")
	}
	for i < len(text) && decode.IsNamePart(text[i]) {
		i++
	}
	return i, finding{}
}

// badName says why a name is not valid, quoted or not.
func (d *diagnosis) badName(text []byte, start, end int, what string) finding {
	if text[start] == '"' {
		return d.badQuoted(text, start, end, what)
	}
	return d.oddInName(text, start, what)
}

// badQuoted says why a quoted name is not valid.
func (d *diagnosis) badQuoted(text []byte, start, end int, what string) finding {
	name := text[start+1 : end-1]
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRune(name[i:])
		if r == utf8.RuneError && size == 1 {
			return d.badUTF8(text, start+1+i)
		}
		valid := size == 1 && decode.IsLabelPart(name[i]) && (i > 0 || decode.IsLabelStart(name[i])) || what == "metric" && r == ':'
		if !valid && !d.isUTF8Scheme() {
			return finding{at: start + 1 + i, gist: fmt.Sprintf("%s in the %s name %s", charName(r), what, quote.Excerpt(name)), cure: d.nameCure(name, what)}
		}
		i += size
	}
	return finding{at: start, gist: fmt.Sprintf("%s is not a %s name", quote.Excerpt(name), what), cure: d.nameCure(name, what)}
}

// charName names a character.
func charName(r rune) string {
	switch r {
	case '.':
		return "a dot"
	case '-':
		return "a dash"
	case ' ':
		return "a blank"
	case '/':
		return "a slash"
	case 0:
		return "a NUL byte"
	case '\t':
		return "a tab"
	case 0xa0:
		return "a no-break space (U+00A0)"
	case 0xfeff:
		return "a byte order mark (U+FEFF)"
	case 0x200b:
		return "a zero width space (U+200B)"
	}
	if r < ' ' || r >= 0x7f {
		return fmt.Sprintf("the character %+q", r)
	}
	return fmt.Sprintf("the character %q", r)
}

// nameCure tells what names may be.
func (d *diagnosis) nameCure(name []byte, what string) string {
	allowed := "letters, digits and _"
	if what == "metric" {
		allowed = "letters, digits, _ and :"
	}
	quoted := quote.Short(name)
	if what == "metric" {
		quoted = "{" + quoted + "}"
	} else {
		quoted = "{" + quoted + `="value"}`
	}
	if d.isUTF8Scheme() {
		return fmt.Sprintf("Names without quotes consist of %s, and do not begin with a digit. Write any other name as %s.", allowed, quoted)
	}
	return fmt.Sprintf("Names consist of %s, and do not begin with a digit. Other names need the flag --push.enable-utf8-names and quotes: %s", allowed, quoted)
}

// word is what stands at i up to a blank, a brace or the like.
func word(text []byte, i int) []byte {
	end := i
	for end < len(text) && strings.IndexByte(" \t{}=,\"\r", text[end]) < 0 {
		end++
	}
	return text[i:end]
}

// badUTF8 names a byte that is no UTF-8.
func (d *diagnosis) badUTF8(text []byte, at int) finding {
	return finding{at: at, gist: fmt.Sprintf("the byte 0x%02x is not valid UTF-8", text[at]),
		cure: "Send UTF-8. The body may be in Latin-1 (ISO 8859-1) or Windows-1252: iconv -t UTF-8 converts it."}
}

// oddStart says what begins a line that begins with no name.
func (d *diagnosis) oddStart(text []byte, i int) finding {
	rest := text[i:]
	begins := func(prefixes ...string) bool {
		for _, prefix := range prefixes {
			if bytes.HasPrefix(rest, []byte(prefix)) {
				return true
			}
		}
		return false
	}
	switch {
	case begins("\xef\xbb\xbf"):
		return finding{at: i, gist: "there is a byte order mark (EF BB BF) inside the body", cure: "If files were joined, remove the byte order mark from each of them."}
	case begins("//", "--", ";", "/*"):
		return finding{at: i, gist: "the line looks like a comment", cure: "Comments begin with #."}
	case begins("“", "”", "‘", "’", "„", "«", "»", "'", "`"):
		return finding{at: i, gist: "the line begins with a quote", cure: "Send the line without quotes around it. " + lineCure}
	}
	if f := template(text, i); f.found() {
		return f
	}
	r, size := utf8.DecodeRune(rest)
	switch {
	case r == utf8.RuneError && size == 1:
		return d.badUTF8(text, i)
	case '0' <= r && r <= '9' && isNumber(string(firstField(rest))):
		return finding{at: i, gist: "the line begins with a number instead of a metric name", cure: lineCure}
	case '0' <= r && r <= '9':
		return finding{at: i, gist: fmt.Sprintf("the metric name %s begins with a digit", quote.Excerpt(word(text, i))), cure: d.nameCure(word(text, i), "metric")}
	case r == '}' || r == ',' || r == '|' || r == '=':
		return finding{at: i, gist: fmt.Sprintf("the line begins with %q", r), cure: lineCure}
	}
	return finding{at: i, gist: charName(r) + " where a metric name should begin", cure: d.nameCure(word(text, i), "metric")}
}

// firstField is the text up to a blank.
func firstField(text []byte) []byte {
	if end := bytes.IndexAny(text, " \t\r"); end >= 0 {
		return text[:end]
	}
	return text
}

// template finds what a template or shell should have replaced.
func template(text []byte, i int) finding {
	rest := text[i:]
	for _, mark := range []struct{ begin, what string }{
		{"{{", "a template expression was not replaced"}, {"${", "a variable was not replaced"}, {"$(", "a command was not replaced"},
		{"<no value>", "a template had no value here"}, {"#{", "an expression was not replaced"}, {"%(", "a format was not replaced"},
	} {
		if bytes.HasPrefix(rest, []byte(mark.begin)) {
			return finding{at: i, gist: fmt.Sprintf("%s: %s", mark.what, quote.Excerpt(rest)), cure: "Check the program that writes the body. A shell expands $VAR in double quotes, not in single quotes."}
		}
	}
	if len(rest) > 1 && (rest[0] == '$' || rest[0] == '%') && decode.IsLabelStart(rest[1]) {
		return finding{at: i, gist: fmt.Sprintf("a variable was not replaced: %s", quote.Excerpt(firstField(rest))), cure: "Check the program that writes the body. A shell expands $VAR in double quotes, not in single quotes."}
	}
	return finding{}
}

// behindName says what is wrong with what follows a metric name directly.
func (d *diagnosis) behindName(text []byte, start, i int) finding {
	rest := text[i:]
	name := word(text, start)
	fields := bytes.Fields(text[start:min(len(text), start+1000)])
	switch c := text[i]; {
	case c == '|' || bytes.Contains(fields[0], []byte{'|'}):
		return finding{at: i, gist: "the line looks like statsd", cure: "Statsd lines go to the statsd_exporter. " + lineCure}
	case c == '=':
		return finding{at: i, gist: "there is a = after the metric name", cure: "Write a space instead: " + quote.Clip(string(text[start:i]), 60) + " 3.14"}
	case c == ',' && bytes.IndexByte(rest, '=') > 0 && len(fields) > 1:
		return finding{at: i, gist: "the line looks like the line protocol of InfluxDB", cure: "Influx lines go to the influxdb_exporter or to Telegraf. " + lineCure}
	case c == ',' || c == ';':
		return finding{at: i, gist: fmt.Sprintf("the line looks like CSV: there is a %q after the name", c), cure: lineCure}
	case (c == '.' || c == '-' || c == '/') && len(fields) == 3 && isNumber(string(fields[1])) && isInteger(string(bytes.TrimRight(fields[2], "\r"))):
		return finding{at: i, gist: fmt.Sprintf("the line looks like Graphite: %s in the name, and a timestamp at the end", charName(rune(c))),
			cure: "Graphite lines go to the graphite_exporter. " + d.nameCure(name, "metric")}
	case c == '(' || c == '[' || c == '<':
		return finding{at: i, gist: fmt.Sprintf("there is a %q after the metric name", c), cure: lineCure}
	case c == '"' || c == '\'':
		return finding{at: i, gist: "there is a quote after the metric name", cure: lineCure}
	case c == '$' || c == '%':
		if f := template(text, i); f.found() {
			return f
		}
	}
	return d.oddInName(text, i, "metric")
}

// oddInName names the character that a name cannot have.
func (d *diagnosis) oddInName(text []byte, i int, what string) finding {
	r, size := utf8.DecodeRune(text[i:])
	if r == utf8.RuneError && size == 1 {
		return d.badUTF8(text, i)
	}
	start := i
	for start > 0 && strings.IndexByte(" \t{,", text[start-1]) < 0 {
		start--
	}
	name := word(text, start)
	return finding{at: i, gist: fmt.Sprintf("%s in the %s name %s", charName(r), what, quote.Excerpt(name)), cure: d.nameCure(name, what)}
}
