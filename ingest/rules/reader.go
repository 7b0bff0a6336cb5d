package rules

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"sluice/ingest"
	"sluice/store/selector"
)

// reader reads the nodes of a file. Its errors have file and line.
type reader struct {
	file string
	text []byte
}

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
// line. A construct that was begun before is named with its line: what is not
// closed is noticed at the end only.
func (r reader) unreadable(err error) error {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return fmt.Errorf("%s:1: %s", r.file, strings.Join(strings.Fields(err.Error()), " "))
	}
	line := load.Mark.Line
	if line == 0 { // of a byte that is no text, there is but the index
		line = lineOf(r.text, load.Mark.Index)
	}
	said := fmt.Sprintf("%s:%d: %s", r.file, min(line, r.lastLine()), load.Message)
	if load.ContextMsg != "" && load.ContextMark.Line > 0 {
		said += fmt.Sprintf(" (%s from line %d)", load.ContextMsg, load.ContextMark.Line)
	}
	return errors.New(strings.Join(strings.Fields(said), " "))
}

// lastLine returns the number of the last line that has something in it.
func (r reader) lastLine() int {
	return lineOf(r.text, len(bytes.TrimRight(r.text, "\r\n")))
}

// lineOf returns the line, from 1, that a byte of a text is in. A carriage return
// by itself ends a line in YAML, too.
func lineOf(text []byte, index int) int {
	before := text[:min(max(index, 0), len(text))]
	return 1 + bytes.Count(before, []byte("\n")) + bytes.Count(before, []byte("\r")) - bytes.Count(before, []byte("\r\n"))
}
