// Package rules reads the file that gives groups their terms by their grouping
// keys: how long they live, and how many of them a job may have.
package rules

import (
	"bytes"
	"errors"
	"io"
	"time"

	"go.yaml.in/yaml/v4"

	"sluice/ingest"
	"sluice/store"
	"sluice/store/selector"
)

// maxRules bounds the rules of a file: each push looks at them.
const maxRules = 1000

// Set is what a file says. It is immutable.
type Set struct {
	rules    []rule
	standard time.Duration
}

type rule struct {
	match     selector.Selector
	hasTTL    bool
	ttl       time.Duration // 0 for never
	maxGroups int           // 0 for not said
}

// Default returns a set without rules, in which every group has the same time to
// live, 0 for none.
func Default(ttl time.Duration) *Set { return &Set{standard: ttl} }

// Parse reads a file. What is wrong is said in one line, with file and line, and
// then there is no set. Groups that no rule gives a time to live have the
// standard one, 0 for none.
//
//	rules:
//	  - match: job=~"batch-.*"
//	    ttl: 7d
//	  - match: '{job="ci"}'
//	    max_groups: 500
func Parse(file string, text []byte, standard time.Duration) (*Set, error) {
	s, r := &Set{standard: standard}, reader{file: file, text: text}
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return s, nil // nothing in it
	case err != nil:
		return nil, r.unreadable(err)
	}
	var second yaml.Node
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, r.errorf(&second, "a second document begins: there may be one")
	case !errors.Is(err, io.EOF):
		return nil, r.unreadable(err)
	}
	if isNull(document.Content[0]) {
		return s, nil // nothing but its marks
	}
	fields, err := r.fields(document.Content[0], "the file", "rules")
	if err != nil {
		return nil, err
	}
	list := fields["rules"]
	if list == nil || isNull(list) {
		return s, nil
	}
	if list.Kind != yaml.SequenceNode {
		return nil, r.errorf(list, "rules is no list")
	}
	if len(list.Content) > maxRules {
		return nil, r.errorf(list, "%d rules: there may be %d", len(list.Content), maxRules)
	}
	for i, node := range list.Content {
		one, err := r.rule(node, i+1)
		if err != nil {
			return nil, err
		}
		s.rules = append(s.rules, one)
	}
	return s, nil
}

// Len returns the number of rules.
func (s *Set) Len() int { return len(s.rules) }

// Terms returns the terms of a group: the first rule that matches it counts, for
// each setting by itself.
func (s *Set) Terms(key store.Key) ingest.Terms {
	terms := ingest.Terms{TTL: s.standard}
	hasTTL, hasMax := false, false
	for i := range s.rules {
		r := &s.rules[i]
		if (hasTTL || !r.hasTTL) && (hasMax || r.maxGroups == 0) || !r.match.Matches(key) {
			continue
		}
		if r.hasTTL && !hasTTL {
			terms.TTL, hasTTL = r.ttl, true
		}
		if r.maxGroups > 0 && !hasMax {
			terms.MaxOfJob, hasMax = r.maxGroups, true
		}
	}
	return terms
}
