package page

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/prometheus/common/model"
)

// quoteTerm writes a value as a search reads it back.
func quoteTerm(value string) string {
	if value != "" && !strings.ContainsFunc(value, func(c rune) bool { return unicode.IsSpace(c) || c == '"' || c == '\\' }) {
		return value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}

// selectorOf is a search as a selector of Prometheus, "" where no selector
// chooses the same: a bare word looks into values and names alike, and a label
// that must be absent is not the same as an empty one.
func selectorOf(search string) string {
	var matchers []string
	positive := false
	for _, term := range terms(search) {
		name, operator, value, ok := cutTerm(term)
		if !ok {
			return ""
		}
		switch operator {
		case "=":
			if value == "" {
				return ""
			}
			positive = true
		case "~":
			re, err := regexp.Compile(value)
			if err != nil {
				return ""
			}
			positive = positive || !re.MatchString("")
			if re.MatchString("") {
				return "" // it fits groups without the label, too
			}
			// Prometheus' expressions match whole values, and the dot of theirs
			// matches line breaks.
			operator, value = "=~", "(?s:.*)(?-s:"+value+")(?s:.*)"
		}
		matchers = append(matchers, labelName(name)+operator+strconv.Quote(value))
	}
	if !positive {
		return "" // it would choose all but some
	}
	return "{" + strings.Join(matchers, ",") + "}"
}

func labelName(name string) string {
	if model.LegacyValidation.IsValidLabelName(name) {
		return name
	}
	return strconv.Quote(name)
}

// term is a part of a search: its text without quotes, and where the first quote
// was, since what is quoted is no operator.
type term struct {
	text  string
	plain int // bytes of text before the first quote
}

// terms splits a search at its spaces, except in quotes, in which a backslash
// takes the next character as it is.
func terms(search string) []term {
	var all []term
	var text strings.Builder
	plain, quoted, begun := -1, false, false
	end := func() {
		if begun {
			if plain < 0 {
				plain = text.Len()
			}
			all = append(all, term{text.String(), plain})
		}
		text.Reset()
		plain, begun = -1, false
	}
	runes := []rune(search)
	for i := 0; i < len(runes); i++ {
		switch c := runes[i]; {
		case c == '"':
			quoted, begun = !quoted, true
			if plain < 0 {
				plain = text.Len()
			}
		case quoted && c == '\\' && i+1 < len(runes):
			i++
			text.WriteRune(runes[i])
		case !quoted && unicode.IsSpace(c):
			end()
		default:
			begun = true
			text.WriteRune(c)
		}
	}
	end()
	return all
}

// cutTerm splits label=value, label!=value and label~regex.
func cutTerm(t term) (name, operator, value string, ok bool) {
	at := strings.IndexAny(t.text[:t.plain], "=~!")
	if at <= 0 {
		return "", "", "", false
	}
	operator = t.text[at : at+1]
	if operator == "!" {
		if !strings.HasPrefix(t.text[at:], "!=") {
			return "", "", "", false
		}
		operator = "!="
	}
	return t.text[:at], operator, t.text[at+len(operator):], true
}
