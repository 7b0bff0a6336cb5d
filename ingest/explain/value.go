package explain

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"sluice/ingest/decode"
	"sluice/ingest/quote"
)

const valueCure = "Values are numbers such as 3, 3.14, 1e9, NaN, +Inf; the point is a dot."

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
		return finding{at: start + len(value), gist: "there is a blank at the end of the line, behind the value", cure: "End the line right behind the value."}
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

// badValue finds what is wrong with a value.
func (d *diagnosis) badValue(text []byte, at int, value []byte) finding {
	s := string(value[:min(len(value), 400)])
	if len(value) <= 400 && isNumber(s) {
		return finding{}
	}
	quoted := quote.Excerpt(value, quote.MaxExcerpt)
	f := func(gist, cure string) finding { return finding{at: at, gist: gist, cure: cure} }
	if g := template(text, at); g.found() {
		return g
	}
	if nul := bytes.IndexByte(value, 0); nul >= 0 {
		return finding{at: at + nul, gist: "there is a NUL byte in the value " + quoted, cure: "Look at what makes the body: it may write fixed fields, or UTF-16. " + valueCure}
	}
	if !utf8.Valid(value) {
		for i := 0; i < len(value); {
			r, size := utf8.DecodeRune(value[i:])
			if r == utf8.RuneError && size == 1 {
				return d.badUTF8(text, at+i)
			}
			i += size
		}
	}
	switch lower := strings.ToLower(strings.TrimRight(s, "\r")); lower {
	case "null", "none", "nil", "undefined", "n/a", "na", "-", "?", "<nil>", "none.", "missing", "unknown", "nan%", "--":
		return f("the value "+quoted+" is no number", "Leave the line out, or push NaN. "+valueCure)
	case "true", "yes", "on", "up", "ok":
		return f("the value "+quoted+" is no number", "Push 1 for true and 0 for false. "+valueCure)
	case "false", "no", "off", "down", "error", "failed":
		return f("the value "+quoted+" is no number", "Push 1 for true and 0 for false. "+valueCure)
	}
	switch {
	case strings.IndexByte(`"'`+"`", s[0]) >= 0 || strings.HasPrefix(s, "“") || strings.HasPrefix(s, "‘") || strings.HasPrefix(s, "„"):
		return f("the value "+quoted+" is in quotes", "Write the number without them. "+valueCure)
	case s[0] == '=' || s[0] == ':':
		return f(fmt.Sprintf("there is a %q before the value", s[0]), "Write a blank there. "+lineCure)
	case s[0] == '{':
		return f("there are labels twice, or behind a blank too many", lineCure)
	case strings.Contains(s, "|"):
		return f("the value "+quoted+" is no number: the line looks like statsd", "Statsd lines go to the statsd_exporter. "+lineCure)
	case strings.Contains(s, "="):
		return f(quoted+" is no number: the line looks like the line protocol of InfluxDB, or like a setting", "Influx lines go to the influxdb_exporter or to Telegraf. "+lineCure)
	case strings.Count(s, ",") == 1 && isNumber(strings.Replace(s, ",", ".", 1)) && !isThousands(s, ','):
		return f("the value "+quoted+" has a decimal comma", "Write "+quote.Excerpt(strings.Replace(s, ",", ".", 1), quote.MaxExcerpt)+" without quotes: the point is a dot (in a shell LC_ALL=C helps).")
	case strings.Count(s, ",") == 1 && isThousands(s, ',') && !strings.Contains(s, "."):
		return f("the value "+quoted+" has a comma, a decimal comma or a separator of thousands", "Write the digits without separators: the point is a dot (in a shell LC_ALL=C helps).")
	case strings.Count(s, ",") == 1 && strings.IndexByte(s, '.') >= 0 && strings.IndexByte(s, '.') < strings.IndexByte(s, ',') && isNumber(strings.NewReplacer(".", "", ",", ".").Replace(s)):
		return f("the value "+quoted+" has a decimal comma and separators between its thousands", valueCure)
	case isThousands(s, ','), isThousands(s, '.'), isThousands(s, '\''), isThousands(s, '_'), strings.Contains(s, "_") && isNumber(strings.ReplaceAll(s, "_", "")):
		return f("the value "+quoted+" has separators between its thousands", "Write the digits without them. "+valueCure)
	}
	if _, err := strconv.ParseFloat(s, 64); errors.Is(err, strconv.ErrRange) {
		return f("the value "+quoted+" is larger than any number can be", "Push +Inf if that is meant. "+valueCure)
	}
	if _, err := strconv.ParseInt(s, 0, 64); err == nil {
		return f("the value "+quoted+" is not written in decimal", valueCure)
	}
	if n := numberPrefix(s); n > 0 {
		if n < len(s) && (s[n] == '-' || s[n] == ':' || s[n] == '/') {
			return f("the value "+quoted+" looks like a date or time", "Push the seconds since 1970 instead: date +%s")
		}
		if s[n] == ';' || s[n] == ')' || s[n] == ']' || s[n] == '}' {
			return finding{at: at + n, gist: fmt.Sprintf("there is a %q behind the number in %s", s[n], quoted), cure: valueCure}
		}
		return f("the value "+quoted+" has a unit, or something else, behind the number", "Push the number alone, in base units (seconds, bytes, ratios), and put the unit into the name.")
	}
	if strings.IndexByte("$€£¥<>~", s[0]) >= 0 {
		return f("the value "+quoted+" begins with a sign that is no part of a number", valueCure)
	}
	if r, _ := utf8.DecodeRuneInString(s); r >= 0x80 {
		return f("the value "+quoted+" begins with "+d.charName(r), valueCure)
	}
	if rest := text[at+len(value):]; len(bytes.TrimSpace(rest)) > 0 && at > 0 && decode.IsBlank(text[at-1]) && bytes.IndexByte(text[:at], '{') < 0 {
		return f("the value "+quoted+" is no number: is there a blank in the metric name?", "Names have no blanks. "+lineCure)
	}
	return f("the value "+quoted+" is no number", valueCure)
}

// badTimestamp finds what is wrong behind the value.
func (d *diagnosis) badTimestamp(text []byte, i int) finding {
	start := i
	for i < len(text) && !decode.IsBlank(text[i]) {
		i++
	}
	token := text[start:i]
	s := string(token[:min(len(token), 100)])
	const remove = "Remove it: pushes have no timestamps, push_time_seconds says when they came."
	switch {
	case isInteger(s):
		if i < len(text) {
			rest := text[i:]
			if g := decode.SkipBlanks(text, i); g < len(text) && text[g] == '#' {
				return finding{at: g, gist: "there is an exemplar or a comment behind the sample", cure: omCure}
			}
			if fields := bytes.Fields(rest); len(fields) > 0 && isInteger(string(fields[0])) && len(s) == 3 {
				return finding{at: start, gist: "the number has blanks between its thousands", cure: "Write the digits without them. " + valueCure}
			}
			return finding{at: i, gist: "there is " + quote.Excerpt(rest, quote.MaxExcerpt) + " behind a timestamp", cure: remove + " A line has one value only."}
		}
		return finding{}
	case bytes.HasPrefix(text[start:], []byte("# {")) || bytes.HasPrefix(text[start:], []byte("#{")):
		return finding{at: start, gist: "there is an exemplar behind the value", cure: omCure}
	case token[0] == '#':
		return finding{at: start, gist: "there is a comment behind the value", cure: "Comments have a line of their own."}
	case token[0] == '\r':
		return finding{at: start, gist: "there is a carriage return behind the value", cure: "End the line right behind the value, with a line feed alone (\\n)."}
	case isNumber(strings.TrimRight(s, "\r")):
		return finding{at: start, gist: "there is a timestamp in seconds, as in OpenMetrics: " + quote.Excerpt(token, quote.MaxExcerpt), cure: remove + " " + omCure}
	case len(s) >= 8 && s[0] >= '0' && s[0] <= '9' && strings.ContainsAny(s, "-:/"):
		return finding{at: start, gist: "there is a date behind the value: " + quote.Excerpt(token, quote.MaxExcerpt), cure: remove}
	}
	return finding{at: start, gist: "there is " + quote.Excerpt(token, quote.MaxExcerpt) + " behind the value", cure: "A unit belongs into the name, and a line has one value only. " + lineCure}
}

// isNumber tells whether expfmt reads it as a value.
func isNumber(s string) bool {
	if strings.ContainsAny(s, "pP_") {
		return false
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

func isInteger(s string) bool {
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil
}

// isThousands tells whether the separator stands between groups of three digits.
func isThousands(s string, separator byte) bool {
	s = strings.TrimLeft(s, "+-")
	whole, _, _ := strings.Cut(s, ".")
	if separator == '.' {
		whole, _, _ = strings.Cut(s, ",")
	}
	groups := strings.Split(whole, string(separator))
	if len(groups) < 2 || len(groups) == 2 && separator == ',' && whole == s && groups[0] == "0" {
		return false
	}
	for i, group := range groups {
		if strings.Trim(group, "0123456789") != "" || group == "" || len(group) > 3 || i > 0 && len(group) != 3 {
			return false
		}
	}
	return true
}

// numberPrefix returns the length of the longest beginning that is a number, if
// there is more behind it.
func numberPrefix(s string) int {
	n := 0
	for n < len(s) && strings.IndexByte("+-.0123456789", s[n]) >= 0 && (n == 0 || s[n] != '-' && s[n] != '+') {
		n++
	}
	if n == len(s) || !isNumber(s[:n]) {
		return 0
	}
	return n
}
