// Package search chooses groups by what people type into a search box.
package search

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/common/model"

	"sluice/store"
)

const (
	// maxLength bounds a search in bytes, and maxTerms its terms.
	maxLength = 1 << 10
	maxTerms  = 16
	// maxProgram bounds a regular expression in instructions: matching takes as
	// many steps for each byte at worst.
	maxProgram = 1000
)

// Search chooses groups. The zero Search chooses all. It may be used by many
// goroutines.
type Search struct {
	terms []term
	words bool // one of the terms is a word
	paths bool // one of these may be found in the path only
}

// term is one condition. What is not a label's is a word, or the expression of
// any label.
type term struct {
	kind  kind
	label string
	text  string // value, or the word in lower case
	not   bool
	re    *regexp.Regexp
	// anchored tells that the expression may fit a value, and not the pair that
	// ends in it.
	anchored bool
}

type kind int

const (
	word       kind = iota // part of a name=value pair, or of the path
	value                  // of the label
	expression             // of the label
	anything               // an expression of any label
)

// Parse reads terms separated by spaces, all of which must fit:
//
//	label=value   label!=value   the value; an absent label counts as empty
//	label~regex   label!~regex   RE2, anchored nowhere; =~ is the same
//	~regex                       any value, or name=value pair
//	word                         part of a name=value pair, in any case; with a slash or @ also of the path
//
// Names and values may be written in double quotes, with \" and \\ inside; a
// quote that is not closed reaches to the end. The error is one line.
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
		// Any other part of a path is in a name or value, but for how it is encoded.
		s.paths = s.paths || t.kind == word && strings.ContainsAny(t.text, "/@")
	}
	return s, nil
}

// reader reads terms from a text.
type reader struct {
	rest string
}

func (r *reader) skipSpace() { r.rest = strings.TrimLeftFunc(r.rest, unicode.IsSpace) }

// operators are in an order in which the longer ones come first.
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

// compile reads a regular expression that is not too costly, and tells whether
// it may ask for the beginning of the text.
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

// anchors tells whether the beginning of the text or of a line is asked for.
func anchors(re *syntax.Regexp) bool {
	return re.Op == syntax.OpBeginText || re.Op == syntax.OpBeginLine || slices.ContainsFunc(re.Sub, anchors)
}

// reasonOf is an error of the parser without the text, which is named already.
func reasonOf(err error) error {
	var e *syntax.Error
	if errors.As(err, &e) {
		return errors.New(e.Code.String())
	}
	return err
}

// separator is in no label and no search: it is no UTF-8.
const separator = 0xff

// Matches tells whether the search chooses the group.
func (s Search) Matches(key store.Key) bool {
	if len(s.terms) == 0 {
		return true
	}
	var buf [256]byte
	all := buf[:0]
	if s.words {
		for _, l := range key.Labels() {
			all = append(appendLower(all, l.Name), '=')
			all = append(appendLower(all, l.Value), separator)
		}
		if s.paths {
			all = appendLower(all, key.Path())
		}
	}
	for i := range s.terms {
		if !s.terms[i].fits(key, all) {
			return false
		}
	}
	return true
}

func (t *term) fits(key store.Key, all []byte) bool {
	switch t.kind {
	case word:
		return bytes.Contains(all, []byte(t.text))
	case value:
		have, _ := key.Get(t.label)
		return (have == t.text) != t.not
	case expression:
		have, _ := key.Get(t.label)
		return t.re.MatchString(have) != t.not
	}
	for _, l := range key.Labels() {
		if t.anchored && t.re.MatchString(l.Value) || t.re.MatchString(l.Name+"="+l.Value) {
			return true
		}
	}
	return false
}

// Narrows tells whether the search asks for anything that groups have, so that it
// may choose what is deleted.
func (s Search) Narrows() bool {
	return slices.ContainsFunc(s.terms, func(t term) bool {
		if t.re != nil {
			return !t.not && !t.re.MatchString("")
		}
		return !t.not && t.text != ""
	})
}

// appendLower writes text in lower case.
func appendLower(dst []byte, text string) []byte {
	start := len(dst)
	dst = append(dst, text...)
	for i, c := range dst[start:] {
		switch {
		case c >= utf8.RuneSelf:
			return append(dst[:start], strings.ToLower(text)...)
		case 'A' <= c && c <= 'Z':
			dst[start+i] = c + 'a' - 'A'
		}
	}
	return dst
}
