package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"sluice/ingest"
	"sluice/store/selector"
)

// reader reads the nodes of a file. Its errors have file and line.
type reader struct{ file string }

func (r reader) errorf(at *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", r.file, at.Line, fmt.Sprintf(format, args...))
}

// fields returns the values of a mapping, whose keys must be known and be there
// once.
func (r reader) fields(node *yaml.Node, what string, known ...string) (map[string]*yaml.Node, error) {
	if node.Kind != yaml.MappingNode {
		return nil, r.errorf(node, "%s is no mapping with %s", what, strings.Join(known, ", "))
	}
	fields := map[string]*yaml.Node{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		if !slices.Contains(known, name.Value) {
			return nil, r.errorf(name, "%s: unknown field %.60q, there are %s", what, name.Value, strings.Join(known, ", "))
		}
		if fields[name.Value] != nil {
			return nil, r.errorf(name, "%s: %s is there twice", what, name.Value)
		}
		fields[name.Value] = value
	}
	return fields, nil
}

// rule reads the nth rule, from 1.
func (r reader) rule(node *yaml.Node, n int) (rule, error) {
	what := fmt.Sprintf("rule %d", n)
	fields, err := r.fields(node, what, "match", "ttl", "max_groups")
	if err != nil {
		return rule{}, err
	}
	for name, value := range fields {
		if value.Kind != yaml.ScalarNode || isNull(value) {
			return rule{}, r.errorf(value, "%s: %s is no single value", what, name)
		}
	}
	match, ttl, groups := fields["match"], fields["ttl"], fields["max_groups"]
	if match == nil {
		return rule{}, r.errorf(node, "%s: it has no match", what)
	}
	if ttl == nil && groups == nil {
		return rule{}, r.errorf(node, "%s: it says nothing: neither ttl nor max_groups", what)
	}
	var one rule
	if one.match, err = selector.Parse(match.Value); err != nil {
		return rule{}, r.errorf(match, "%s: match: %v", what, err)
	}
	if ttl != nil {
		one.hasTTL = true
		if one.ttl, err = ingest.ParseTTL(ttl.Value); err != nil {
			return rule{}, r.errorf(ttl, "%s: ttl: %v", what, err)
		}
	}
	if groups != nil {
		if one.maxGroups, err = strconv.Atoi(groups.Value); err != nil || one.maxGroups < 1 {
			return rule{}, r.errorf(groups, "%s: max_groups: %.60q is no number above 0", what, groups.Value)
		}
	}
	return one, nil
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

// unreadable is what the YAML parser says, in one line that begins with file and
// line.
func (r reader) unreadable(err error) error {
	said := strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "yaml: ")
	if rest, ok := strings.CutPrefix(said, "line "); ok {
		return fmt.Errorf("%s:%s", r.file, rest)
	}
	return fmt.Errorf("%s: %s", r.file, said)
}
