// Package rules reads the file of --group.rules. It sets by grouping key how long groups
// live, and how many there may be.
package rules

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"sluice/store"
	"sluice/store/selector"
)

// maxRules bounds the rules of a file, because each push is matched against them.
const maxRules = 1000

// Set is the content of a file. It is immutable.
type Set struct {
	rules      []rule
	defaultTTL time.Duration
	hasQuotas  bool // some rule has max_groups
}

type rule struct {
	match     selector.Selector
	hasTTL    bool
	ttl       time.Duration // 0 for never
	maxGroups int           // 0 if the rule sets no limit
	by        []string      // labels; groups count together if they have the same values
	name      string        // for people
}

// Default returns a set without rules, in which every group has the same time to
// live, 0 for none.
func Default(ttl time.Duration) *Set { return &Set{defaultTTL: ttl} }

// Parse reads a file. Its error is one line that begins with file and line. Groups to
// which no rule gives a time to live have the default one, 0 for none.
//
//	rules:
//	  - match: job=~"batch-.*"
//	    ttl: 7d
//	  - match: '{job=~"ci-.*"}'
//	    max_groups: 500
//	    max_groups_by: [job]
func Parse(file string, text []byte, defaultTTL time.Duration) (*Set, error) {
	s, r := Default(defaultTTL), reader{file: file, text: text}
	list, err := r.list()
	if err != nil {
		return nil, err
	}
	if len(list) > maxRules {
		return nil, r.errorf(list[maxRules], "more than %d rules", maxRules)
	}
	for i, node := range list {
		one, err := r.rule(node, i+1)
		if err != nil {
			return nil, err
		}
		s.rules = append(s.rules, one)
		s.hasQuotas = s.hasQuotas || one.maxGroups > 0
	}
	return s, nil
}

// list returns the nodes of the rules.
func (r reader) list() ([]*yaml.Node, error) {
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(r.text))
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil // the file is empty
	case err != nil:
		return nil, r.syntaxError(err)
	}
	var second yaml.Node
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, r.errorf(&second, "a second document begins, but only one is allowed")
	case !errors.Is(err, io.EOF):
		return nil, r.syntaxError(err)
	}
	root := document.Content[0]
	if isNull(root) {
		return nil, nil // the file has only document markers
	}
	var fields struct {
		Rules yaml.Node `yaml:"rules"`
	}
	if err := r.load(root, &fields, "the file", "rules"); err != nil {
		return nil, err
	}
	switch list := &fields.Rules; {
	case list.IsZero(), isNull(list):
		return nil, nil
	case list.Kind != yaml.SequenceNode:
		return nil, r.errorf(list, "rules is not a list")
	default:
		return list.Content, nil
	}
}

// Len returns the number of rules.
func (s *Set) Len() int { return len(s.rules) }

// TTL returns the time to live that the first rule with a ttl gives to a group, or else
// the default one; 0 is none.
func (s *Set) TTL(key store.Key) time.Duration {
	for i := range s.rules {
		if r := &s.rules[i]; r.hasTTL && r.match.Matches(key) {
			return r.ttl
		}
	}
	return s.defaultTTL
}

// Quota returns the limit of the first rule with max_groups that matches a group; the
// zero Quota is no limit.
func (s *Set) Quota(key store.Key) store.Quota {
	for i := range s.rules {
		if r := &s.rules[i]; r.maxGroups > 0 && r.match.Matches(key) {
			return store.Quota{Max: r.maxGroups, Rule: r.name, Of: r.countedWith(key)}
		}
	}
	return store.Quota{}
}

// countedWith writes the labels by which the groups of a rule are counted. A label that
// a group does not have counts as empty, as in selectors.
func (r *rule) countedWith(key store.Key) string {
	var b strings.Builder
	for i, name := range r.by {
		if i > 0 {
			b.WriteString(", ")
		}
		value, _ := key.Get(name)
		b.WriteString(name + "=" + strconv.Quote(value))
	}
	return b.String()
}

// Quotas returns Quota, or nil if no rule sets a limit.
func (s *Set) Quotas() func(store.Key) store.Quota {
	if !s.hasQuotas {
		return nil
	}
	return s.Quota
}
