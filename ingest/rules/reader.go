package rules

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v4"

	"sluice/ingest"
	"sluice/store/selector"
)

// maxBy bounds the labels of max_groups_by.
const maxBy = 10

// reader reads the nodes of a file. Its errors begin with file and line.
type reader struct {
	file string
	text []byte
}

func (r reader) errorf(at *yaml.Node, format string, args ...any) error {
	return r.errorAt(at.Line, format, args...)
}

func (r reader) errorAt(line int, format string, args ...any) error {
	text := fmt.Sprintf("%s:%d: %s", r.file, max(line, 1), fmt.Sprintf(format, args...))
	return errors.New(strings.Join(strings.Fields(text), " "))
}

// load reads a mapping into a struct. what names the mapping in errors, and known lists
// its fields.
func (r reader) load(node *yaml.Node, fields any, what, known string) error {
	if node.Kind != yaml.MappingNode {
		return r.errorf(node, "%s is not a mapping with %s", what, known)
	}
	err := node.Load(fields, yaml.WithKnownFields())
	if err == nil {
		return nil
	}
	var found *yaml.LoadError
	if !errors.As(err, &found) {
		return r.errorf(node, "%s: %v", what, err)
	}
	// The library names the Go type of the struct.
	if name, _, unknown := strings.Cut(strings.TrimPrefix(found.Message, "field "), " not found in type "); unknown {
		return r.errorAt(found.Mark.Line, "%s: unknown field %.60q, the fields are: %s", what, name, known)
	}
	return r.errorAt(found.Mark.Line, "%s: %s", what, found.Message)
}

// rule reads the nth rule, from 1.
func (r reader) rule(node *yaml.Node, n int) (rule, error) {
	what := fmt.Sprintf("rule %d", n)
	var fields struct {
		Match       yaml.Node `yaml:"match"`
		TTL         yaml.Node `yaml:"ttl"`
		MaxGroups   yaml.Node `yaml:"max_groups"`
		MaxGroupsBy yaml.Node `yaml:"max_groups_by"`
	}
	if err := r.load(node, &fields, what, "match, ttl, max_groups, max_groups_by"); err != nil {
		return rule{}, err
	}
	switch {
	case fields.Match.IsZero():
		return rule{}, r.errorf(node, "%s has no match", what)
	case fields.TTL.IsZero() && fields.MaxGroups.IsZero():
		return rule{}, r.errorf(node, "%s sets nothing: it has neither ttl nor max_groups", what)
	case fields.MaxGroups.IsZero() && !fields.MaxGroupsBy.IsZero():
		return rule{}, r.errorf(&fields.MaxGroupsBy, "%s has max_groups_by without max_groups", what)
	}
	var one rule
	err := cmp.Or(
		r.scalar(&fields.Match, what+": match", func(text string) (err error) {
			one.match, err = selector.Parse(text)
			one.name = fmt.Sprintf("rule %d (%s)", n, one.match)
			return err
		}),
		r.scalar(&fields.TTL, what+": ttl", func(text string) (err error) {
			one.hasTTL = true
			one.ttl, err = ingest.ParseTTL(text)
			return err
		}),
		r.scalar(&fields.MaxGroups, what+": max_groups", func(text string) (err error) {
			if one.maxGroups, err = strconv.Atoi(text); err != nil || one.maxGroups < 1 {
				return fmt.Errorf("%.60q is not a whole number above 0", text)
			}
			return nil
		}),
		r.labels(&fields.MaxGroupsBy, what+": max_groups_by", &one.by))
	return one, err
}

// scalar reads a value if it is there.
func (r reader) scalar(node *yaml.Node, what string, read func(text string) error) error {
	if node.IsZero() {
		return nil
	}
	if node.Kind != yaml.ScalarNode || isNull(node) {
		return r.errorf(node, "%s is not a single value", what)
	}
	if err := read(node.Value); err != nil {
		return r.errorf(node, "%s: %v", what, err)
	}
	return nil
}

// labels reads a list of label names if it is there.
func (r reader) labels(node *yaml.Node, what string, names *[]string) error {
	if node.IsZero() {
		return nil
	}
	if node.Kind != yaml.SequenceNode || len(node.Content) == 0 || len(node.Content) > maxBy {
		return r.errorf(node, "%s is not a list of 1 to %d labels", what, maxBy)
	}
	for _, element := range node.Content {
		err := r.scalar(element, what, func(name string) error {
			switch {
			case !model.UTF8Validation.IsValidLabelName(name):
				return fmt.Errorf("%.60q is not a label name", name)
			case slices.Contains(*names, name):
				return fmt.Errorf("%.60q is there twice", name)
			}
			*names = append(*names, name)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

// syntaxError writes an error of the YAML parser in one line that begins with file and
// line. The parser notices a construct that is not closed only at its end, so the text
// also says where it begins.
func (r reader) syntaxError(err error) error {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return r.errorAt(1, "%v", err)
	}
	line := load.Mark.Line
	if line == 0 { // an invalid byte has no line, only an index
		line = lineOf(r.text, load.Mark.Index)
	}
	text := load.Message
	if load.ContextMsg != "" && load.ContextMark.Line > 0 {
		text += fmt.Sprintf(" (%s from line %d)", load.ContextMsg, load.ContextMark.Line)
	}
	return r.errorAt(min(line, r.lastLine()), "%s", text)
}

// lastLine returns the number of the last line that is not empty.
func (r reader) lastLine() int {
	return lineOf(r.text, len(bytes.TrimRight(r.text, "\r\n")))
}

// lineOf returns the line of a byte in a text, from 1. In YAML a carriage return alone
// ends a line, too.
func lineOf(text []byte, index int) int {
	before := text[:min(max(index, 0), len(text))]
	return 1 + bytes.Count(before, []byte("\n")) + bytes.Count(before, []byte("\r")) - bytes.Count(before, []byte("\r\n"))
}
