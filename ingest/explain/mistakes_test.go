package explain

import (
	"strings"
	"testing"

	"sluice/ingest/decode"
)

// Each mistake in a value is named, where it is, with its cure.
func TestValueMistakes(t *testing.T) {
	f := func(value string, wants ...string) {
		t.Helper()
		text := explained(t, "m "+value+"\n", Request{}, decode.Options{})
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q lacks %q", value, text, want)
			}
		}
	}
	f("null", `column 3: the value "null" is not a number`, "push NaN")
	f("N/A", "push NaN")
	f("True", "Push 1 for true and 0 for false")
	f("off", "Push 1 for true and 0 for false")
	f(`"1"`, "is in quotes")
	f("„1“", "is in quotes")
	f("=1", "there is a '=' before the value")
	f("1|c", "statsd")
	f("a=1", "InfluxDB")
	f("1,5", "decimal comma", `Write "1.5"`)
	f("1,500", "a decimal comma or a thousands separator")
	f("1.000,5", "a decimal comma and thousands separators")
	f("1,000,000", "thousands separators")
	f("1'000", "thousands separators")
	f("1_0", "thousands separators")
	f("1e999", "larger than the largest number", "+Inf")
	f("0x1f", "not written in decimal")
	f("2025-01-02", "a date or time", "date +%s")
	f("1)", "column 4: there is a ')' after the number")
	f("5ms", "a unit", "base units")
	f("$5", "begins with a sign")
	f("€5", "begins with a sign")
	f("\u00a05", "begins with a no-break space (U+00A0)")
	f("½", "begins with the character")
	f("b 1", "is there a blank in the metric name?")
	f("xyz", `the value "xyz" is not a number`)
	f("{{ .Value }}", "template")
	f("1\x002", "column 4: there is a NUL byte")
	f("1\xff", "column 4: the byte 0xff")
}
