package explain

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

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

// invalidUTF8 returns the index of the first byte that is not valid UTF-8, or -1.
func invalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}
