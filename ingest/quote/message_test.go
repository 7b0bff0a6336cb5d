package quote

import "testing"

func TestPrintable(t *testing.T) {
	f := func(s, line, lines string) {
		t.Helper()
		if got := Printable(s); got != line {
			t.Errorf("%q as a line: got %q, want %q", s, got, line)
		}
		if got := PrintableLines(s); got != lines {
			t.Errorf("%q as lines: got %q, want %q", s, got, lines)
		}
	}
	f("", "", "")
	f("plain äöü", "plain äöü", "plain äöü")
	f("two\nlines", `two\x0alines`, "two\nlines")
	f("a\x1b[31m\r\x7f\u009b", `a\x1b[31m\x0d\x7f\x9b`, `a\x1b[31m\x0d\x7f\x9b`)
	f("a\u2028b\u2029", `a\x2028b\x2029`, `a\x2028b\x2029`)
	f("bad \xff\xfe byte", "bad ? byte", "bad ? byte")
	f("a real \uFFFD stays", "a real \uFFFD stays", "a real \uFFFD stays")
	f("\xff\n\uFFFD", `?\x0a`+"\uFFFD", "?\n\uFFFD")
}
