package search

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/common/model"
)

const (
	// maxLength bounds a search in bytes, and maxTerms its terms.
	maxLength = 1 << 10
	maxTerms  = 16
	// maxProgram bounds a regular expression in instructions. At worst a match takes
	// as many steps for each byte.
	maxProgram = 1000
)

// Parse reads a search. Its terms are separated by spaces, and a group must match all:
//
//	label=value   label!=value   the value; an absent label counts as empty
//	label~regex   label!~regex   RE2, not anchored; =~ is the same as ~
//	~regex                       any value, or name=value pair
//	word                         part of a name=value pair, in any case; with a slash or @ also of the path
//
// Names and values may be written in double quotes, with \" and \\ inside. A quote that
// is not closed ends with the text. The error is one line.
func Parse(text string) (Search, error) {
	if len(text) > maxLength {
		return Search{}, fmt.Errorf("%d bytes: there may be %d", len(text), maxLength)
	}
	if !utf8.ValidString(text) {
		return Search{}, errors.New("it is not valid UTF-8")
	}
	var s Search
	r := reader{rest: text}
	for r.skipSpace(); r.rest != ""; r.skipSpace() {
		t, err := r.term()
		if err != nil {
			return Search{}, err
		}
		if len(s.terms) == maxTerms {
			return Search{}, fmt.Errorf("more than %d terms", maxTerms)
		}
		s.terms = append(s.terms, t)
		s.words = s.words || t.kind == word
		// The path adds only slashes and @base64 to what names and values have.
		s.paths = s.paths || t.kind == word && strings.ContainsAny(t.text, "/@")
	}
	return s, nil
}

// reader reads terms from a text.
type reader struct {
	rest string
}

func (r *reader) skipSpace() { r.rest = strings.TrimLeftFunc(r.rest, unicode.IsSpace) }

// operators have the longer ones first.
var operators = [...]struct {
	text string
	kind kind
	not  bool
}{{"!=", value, true}, {"!~", expression, true}, {"=~", expression, false}, {"=", value, false}, {"~", expression, false}}

func (r *reader) term() (term, error) {
	if rest, ok := strings.CutPrefix(r.rest, "~"); ok {
		r.rest = rest
		re, anchored, err := compile(r.text())
		return term{kind: anything, re: re, anchored: anchored}, err
	}
	start := r.rest
	name, named := r.name()
	if named {
		for _, op := range operators {
			rest, ok := strings.CutPrefix(r.rest, op.text)
			if !ok {
				continue
			}
			r.rest = rest
			t := term{kind: op.kind, label: name, text: r.text(), not: op.not}
			if op.kind == expression {
				var err error
				if t.re, _, err = compile(t.text); err != nil {
					return term{}, err
				}
			}
			return t, nil
		}
	}
	r.rest = start
	return term{kind: word, text: strings.ToLower(r.text())}, nil
}

// name reads a label name, in quotes if it is no legacy one.
func (r *reader) name() (string, bool) {
	if r.rest[0] == '"' {
		return r.quoted(), true
	}
	end := strings.IndexAny(r.rest, "=!~ ")
	if end < 0 || !model.LegacyValidation.IsValidLabelName(r.rest[:end]) {
		return "", false
	}
	name := r.rest[:end]
	r.rest = r.rest[end:]
	return name, true
}

// text reads a value: up to the next space, or in quotes.
func (r *reader) text() string {
	if strings.HasPrefix(r.rest, `"`) {
		return r.quoted()
	}
	end := strings.IndexFunc(r.rest, unicode.IsSpace)
	if end < 0 {
		end = len(r.rest)
	}
	text := r.rest[:end]
	r.rest = r.rest[end:]
	return text
}

func (r *reader) quoted() string {
	var b strings.Builder
	for i := 1; i < len(r.rest); i++ {
		c := r.rest[i]
		switch {
		case c == '"':
			r.rest = r.rest[i+1:]
			return b.String()
		case c == '\\' && i+1 < len(r.rest) && (r.rest[i+1] == '"' || r.rest[i+1] == '\\'):
			i++
			b.WriteByte(r.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	r.rest = ""
	return b.String()
}

// compile compiles a regular expression that is not too large. anchored reports whether
// it asks for the beginning of the text or of a line.
func compile(text string) (re *regexp.Regexp, anchored bool, err error) {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, false, fmt.Errorf("cannot read the regular expression %.80q: %w", text, reasonOf(err))
	}
	if program, err := syntax.Compile(parsed.Simplify()); err != nil || len(program.Inst) > maxProgram {
		return nil, false, fmt.Errorf("the regular expression %.80q is too large", text)
	}
	re, err = regexp.Compile(text)
	return re, anchors(parsed), err
}

// anchors reports whether the expression asks for the beginning of the text or of a line.
func anchors(re *syntax.Regexp) bool {
	return re.Op == syntax.OpBeginText || re.Op == syntax.OpBeginLine || slices.ContainsFunc(re.Sub, anchors)
}

// reasonOf returns the parser's error without the text, which is named already.
func reasonOf(err error) error {
	var e *syntax.Error
	if errors.As(err, &e) {
		return errors.New(e.Code.String())
	}
	return err
}
