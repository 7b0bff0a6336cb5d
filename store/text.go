package store

import (
	"bytes"
	"fmt"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
)

// typeNames are the types of the TYPE lines of canonical text. A gauge histogram is
// written as a histogram.
var typeNames = map[string]dto.MetricType{
	"counter":   dto.MetricType_COUNTER,
	"gauge":     dto.MetricType_GAUGE,
	"summary":   dto.MetricType_SUMMARY,
	"untyped":   dto.MetricType_UNTYPED,
	"histogram": dto.MetricType_HISTOGRAM,
}

// ParseText splits canonical text into its families. Their texts are parts of the given
// one. It checks what the store and a scrape rely on: the order of families and of
// metrics, the TYPE lines, the syntax of samples, and that samples belong to their
// family. An error names the line.
func ParseText(text []byte) ([]Family, error) {
	p := textParser{rest: text}
	families := make([]Family, 0, 8)
	for len(p.rest) > 0 {
		f, err := p.family()
		if err != nil {
			return nil, fmt.Errorf("canonical text, line %d: %w", p.line, err)
		}
		if n := len(families); n > 0 && families[n-1].Name >= f.Name {
			return nil, fmt.Errorf("canonical text, line %d: family %q follows %q", p.line, f.Name, families[n-1].Name)
		}
		families = append(families, f)
	}
	return families, nil
}

// textParser walks over canonical text line by line.
type textParser struct {
	rest []byte
	line int // of the line read last, from 1
}

// next cuts off a line without its line feed.
func (p *textParser) next() ([]byte, error) {
	p.line++
	end := bytes.IndexByte(p.rest, '\n')
	if end < 0 {
		return nil, fmt.Errorf("no line feed at the end")
	}
	line := p.rest[:end]
	p.rest = p.rest[end+1:]
	return line, nil
}

var (
	helpPrefix = []byte("# HELP ")
	typePrefix = []byte("# TYPE ")
)

// family reads one family: HELP if it is there, TYPE, and at least one sample.
func (p *textParser) family() (Family, error) {
	start := p.rest
	line, err := p.next()
	if err != nil {
		return Family{}, err
	}
	var helpName []byte
	if rest, ok := bytes.CutPrefix(line, helpPrefix); ok {
		if helpName, _, err = cutName(rest); err != nil {
			return Family{}, err
		}
		if line, err = p.next(); err != nil {
			return Family{}, err
		}
	}
	rest, ok := bytes.CutPrefix(line, typePrefix)
	if !ok {
		return Family{}, fmt.Errorf("TYPE line wanted, got %.40q", line)
	}
	raw, word, err := cutName(rest)
	if err != nil {
		return Family{}, err
	}
	if helpName != nil && !bytes.Equal(helpName, raw) {
		return Family{}, fmt.Errorf("HELP of %s before TYPE of %s", helpName, raw)
	}
	typ, ok := typeNames[string(word)]
	if !ok {
		return Family{}, fmt.Errorf("unknown type %q", word)
	}
	f := Family{Name: unquoteName(raw), Type: typ, Head: len(start) - len(p.rest)}
	quoted, err := p.samples(raw, typ)
	if err != nil {
		return Family{}, err
	}
	f.PlainNames = !quoted
	f.Text = start[: len(start)-len(p.rest) : len(start)-len(p.rest)]
	if f.Head == len(f.Text) {
		return Family{}, fmt.Errorf("family %s has no sample", raw)
	}
	return f, nil
}

// samples reads the samples of a family up to the first line of the next family. It
// reports whether a name in them is quoted.
func (p *textParser) samples(raw []byte, typ dto.MetricType) (quoted bool, err error) {
	var last []byte
	for len(p.rest) > 0 && p.rest[0] != '#' {
		line, err := p.next()
		if err != nil {
			return false, err
		}
		s, ok := cutSample(line)
		if !ok {
			return false, fmt.Errorf("malformed sample %.80q", line)
		}
		suffix, ok := cutRawName(s.name, raw)
		if !ok || !suffixFits(suffix, typ) {
			return false, fmt.Errorf("sample %s in %s %s", s.name, typeWord(typ), raw)
		}
		labels := s.metricLabels(typ)
		if bytes.Compare(last, labels) > 0 {
			return false, fmt.Errorf("metric {%s} follows {%s}", labels, last)
		}
		last = labels
		quoted = quoted || s.quoted
	}
	return quoted, nil
}

// suffixFits reports whether a sample of a family may have the suffix.
func suffixFits(suffix string, typ dto.MetricType) bool {
	switch typ {
	case dto.MetricType_HISTOGRAM, dto.MetricType_GAUGE_HISTOGRAM:
		return suffix == "_bucket" || suffix == "_sum" || suffix == "_count"
	case dto.MetricType_SUMMARY:
		return suffix == "" || suffix == "_sum" || suffix == "_count"
	default:
		return suffix == ""
	}
}

// typeWord is the word for a type as in TYPE lines.
func typeWord(typ dto.MetricType) string {
	return strings.ToLower(strings.ReplaceAll(typ.String(), "_", " "))
}

// cutName splits "name rest". The name may be quoted; raw is the name as written.
func cutName(text []byte) (raw, rest []byte, err error) {
	end := bytes.IndexByte(text, ' ')
	if len(text) > 0 && text[0] == '"' {
		end = QuotedEnd(text)
	}
	if end <= 0 || end >= len(text) || text[end] != ' ' {
		return nil, nil, fmt.Errorf("name wanted, got %.40q", text)
	}
	raw = text[:end]
	if raw[0] != '"' && !model.LegacyValidation.IsValidMetricName(string(raw)) {
		return nil, nil, fmt.Errorf("invalid name %q", raw)
	}
	return raw, text[end+1:], nil
}

// cutRawName returns the suffix by which the name of a sample differs from that of its
// family, both as written.
func cutRawName(sample, raw []byte) (string, bool) {
	if raw[0] != '"' {
		rest, ok := bytes.CutPrefix(sample, raw)
		return string(rest), ok
	}
	rest, ok := bytes.CutPrefix(sample, raw[:len(raw)-1]) // the suffix stands inside the quotes
	if !ok || len(rest) == 0 {
		return "", false
	}
	return string(rest[:len(rest)-1]), true
}
