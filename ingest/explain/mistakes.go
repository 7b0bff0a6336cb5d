package explain

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"sluice/ingest/quote"
)

// mistake is a way to write a value that is no number. In gist and cure VALUE
// stands for the value in quotes, FIRST for its first byte, CHARACTER for the
// name of its first character, BEHIND for the byte behind the number that it
// begins with, and DECIMAL for the value with a dot instead of its comma.
type mistake struct {
	is         func(value string) bool
	gist, cure string
	at         func(value string) int // byte of the value that is wrong; nil for the first
}

// finding is the mistake in the value that stands at a byte of a line. s is the
// part of it that was looked at.
func (m mistake) finding(at int, value []byte, s string) finding {
	if m.at != nil {
		at += m.at(s)
	}
	first, _ := utf8.DecodeRuneInString(s)
	fill := strings.NewReplacer(
		"VALUE", quote.Excerpt(value),
		"FIRST", fmt.Sprintf("%q", s[0]),
		"CHARACTER", charName(first),
		"BEHIND", fmt.Sprintf("%q", s[min(numberPrefix(s), len(s)-1)]),
		"DECIMAL", quote.Excerpt(withDot(s)),
	)
	return finding{at: at, gist: fill.Replace(m.gist), cure: fill.Replace(m.cure)}
}

// valueMistakes are looked for in their order. A value is never empty.
var valueMistakes = [...]mistake{
	{
		is:   isWord("null", "none", "nil", "undefined", "n/a", "na", "-", "?", "<nil>", "none.", "missing", "unknown", "nan%", "--"),
		gist: "the value VALUE is not a number",
		cure: "Omit the line, or push NaN. " + valueCure,
	},
	{
		is:   isWord("true", "yes", "on", "up", "ok", "false", "no", "off", "down", "error", "failed"),
		gist: "the value VALUE is not a number",
		cure: "Push 1 for true and 0 for false. " + valueCure,
	},
	{
		is:   begins(`"`, "'", "`", "“", "‘", "„"),
		gist: "the value VALUE is in quotes",
		cure: "Write the number without them. " + valueCure,
	},
	{
		is:   begins("=", ":"),
		gist: "there is a FIRST before the value",
		cure: "Write a space instead. " + lineCure,
	},
	{
		is:   begins("{"),
		gist: "the labels in braces occur twice",
		cure: lineCure,
	},
	{
		is:   contains("|"),
		gist: "the value VALUE is not a number: the line looks like statsd",
		cure: "Statsd lines go to the statsd_exporter. " + lineCure,
	},
	{
		is:   contains("="),
		gist: "VALUE is not a number: the line looks like the line protocol of InfluxDB, or like a setting",
		cure: "Influx lines go to the influxdb_exporter or to Telegraf. " + lineCure,
	},
	{
		is:   hasDecimalComma,
		gist: "the value VALUE has a decimal comma",
		cure: "Write DECIMAL without the quotes (in a shell, set LC_ALL=C).",
	},
	{
		is:   hasUnclearComma,
		gist: "the value VALUE has a comma: a decimal comma or a thousands separator",
		cure: "Write the digits without separators and with a dot for the fraction (in a shell, set LC_ALL=C).",
	},
	{
		is:   hasDotsAndComma,
		gist: "the value VALUE has a decimal comma and thousands separators",
		cure: valueCure,
	},
	{
		is:   hasSeparators,
		gist: "the value VALUE has thousands separators",
		cure: "Write the digits without them. " + valueCure,
	},
	{
		is:   isTooLarge,
		gist: "the value VALUE is larger than the largest number",
		cure: "Push +Inf if you mean infinity. " + valueCure,
	},
	{
		is:   isOtherBase,
		gist: "the value VALUE is not written in decimal",
		cure: valueCure,
	},
	{
		is:   behindNumber("-:/"),
		gist: "the value VALUE looks like a date or time",
		cure: "Push the seconds since 1970: date +%s",
	},
	{
		is:   behindNumber(";)]}"),
		gist: "there is a BEHIND after the number in VALUE",
		cure: valueCure,
		at:   numberPrefix,
	},
	{
		is:   func(s string) bool { return numberPrefix(s) > 0 },
		gist: "the value VALUE has a unit, or something else, after the number",
		cure: "Push the number alone, in base units (seconds, bytes, ratios), and put the unit into the name.",
	},
	{
		is:   begins("$", "€", "£", "¥", "<", ">", "~"),
		gist: "the value VALUE begins with a sign that is not part of a number",
		cure: valueCure,
	},
	{
		is:   func(s string) bool { return s[0] >= utf8.RuneSelf },
		gist: "the value VALUE begins with CHARACTER",
		cure: valueCure,
	},
}

// isWord tells whether a value is one of some words, in any case.
func isWord(words ...string) func(string) bool {
	return func(s string) bool {
		lower := strings.ToLower(strings.TrimRight(s, "\r"))
		for _, word := range words {
			if lower == word {
				return true
			}
		}
		return false
	}
}

// begins tells whether a value begins with one of some texts.
func begins(prefixes ...string) func(string) bool {
	return func(s string) bool {
		for _, prefix := range prefixes {
			if strings.HasPrefix(s, prefix) {
				return true
			}
		}
		return false
	}
}

func contains(part string) func(string) bool {
	return func(s string) bool { return strings.Contains(s, part) }
}

// behindNumber tells whether one of some bytes follows the number that a value
// begins with.
func behindNumber(bytes string) func(string) bool {
	return func(s string) bool {
		n := numberPrefix(s)
		return n > 0 && strings.IndexByte(bytes, s[n]) >= 0
	}
}

// withDot writes the first comma as a dot.
func withDot(s string) string { return strings.Replace(s, ",", ".", 1) }

func hasOneComma(s string) bool { return strings.Count(s, ",") == 1 }

// hasDecimalComma tells 1,5.
func hasDecimalComma(s string) bool {
	return hasOneComma(s) && isNumber(withDot(s)) && !isThousands(s, ',')
}

// hasUnclearComma tells 1,500.
func hasUnclearComma(s string) bool {
	return hasOneComma(s) && isThousands(s, ',') && !strings.Contains(s, ".")
}

// hasDotsAndComma tells 1.000,5.
func hasDotsAndComma(s string) bool {
	dot := strings.IndexByte(s, '.')
	return hasOneComma(s) && dot >= 0 && dot < strings.IndexByte(s, ',') &&
		isNumber(strings.NewReplacer(".", "", ",", ".").Replace(s))
}

// hasSeparators tells 1,000,000, and the same with dots, apostrophes and
// underscores.
func hasSeparators(s string) bool {
	for _, separator := range []byte(",.'_") {
		if isThousands(s, separator) {
			return true
		}
	}
	return strings.Contains(s, "_") && isNumber(strings.ReplaceAll(s, "_", ""))
}

func isTooLarge(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return errors.Is(err, strconv.ErrRange)
}

// isOtherBase tells 0x1f.
func isOtherBase(s string) bool {
	_, err := strconv.ParseInt(s, 0, 64)
	return err == nil
}
