package store

import "testing"

func TestUnescape(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := Unescape([]byte(text)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	f(``, "")
	f(`plain ü`, "plain ü")
	f(`a\\b\"c\nd`, "a\\b\"c\nd")
	f(`\\n`, `\n`)
	f(`\t \x`, `\t \x`)
	f(`\`, `\`)
}

// What is escaped comes back.
func TestUnescapeUndoesAppendEscaped(t *testing.T) {
	for _, value := range []string{"", "a", "\\", "\"", "\n", "\\n", "\\\\\"\n\\", "ü\xff\x00"} {
		if got := Unescape(AppendEscaped(nil, value)); got != value {
			t.Errorf("%q comes back as %q", value, got)
		}
	}
}

func TestQuotedEnd(t *testing.T) {
	f := func(text string, want int) {
		t.Helper()
		if got := QuotedEnd([]byte(text)); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
	f(`""`, 2)
	f(`"a" b"`, 3)
	f(`"a\"b"`, 6)
	f(`"a\\"b`, 5)
	f(`"a\\\"`, -1)
	f(`"`, -1)
	f(`"a`, -1)
}
