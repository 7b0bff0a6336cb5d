// Package search selects groups by the text that a person types into a search box.
package search

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"sluice/store"
)

// Search selects groups. The zero Search selects all. Its methods may be called
// concurrently.
type Search struct {
	terms []term
	words bool // one of the terms is a word
	paths bool // one of these words may be in the path only
}

// term is one condition.
type term struct {
	kind  kind
	label string
	text  string // the value, or the word in lower case
	not   bool
	re    *regexp.Regexp
	// anchored says that the expression may match a value, but not the name=value pair
	// that ends in it.
	anchored bool
}

type kind int

const (
	word       kind = iota // part of a name=value pair, or of the path
	value                  // of the label
	expression             // of the label
	anything               // an expression of any label
)

// separator is in no label and no search, because it is not valid UTF-8.
const separator = 0xff

// Matches reports whether the search selects the group of the key. It may be called
// concurrently.
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

// Narrows reports whether a term requires something that not every group has. Only then
// may the search select what is deleted.
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
