package decode

import (
	"bytes"
	"errors"
	"fmt"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// maxLineLabels bounds the labels of a text line. expfmt looks for duplicates
// anew after every label, so its time grows with the square of their number: a
// line of 35 KB with 4,000 labels takes a second, one of 1 MB would take a
// quarter of an hour. With 128 labels in each line a body takes some 20 times as
// long as another of its size.
const maxLineLabels = 128

// parseText is the slow path: the parser of Prometheus. The error is a
// *SyntaxError.
func parseText(body []byte, scheme model.ValidationScheme) (families map[string]*dto.MetricFamily, err error) {
	if line := crowdedLine(body); line > 0 {
		return nil, &SyntaxError{Line: line, Message: fmt.Sprintf(
			"text format parsing error in line %d: more than %d labels", line, maxLineLabels)}
	}
	// expfmt v0.73.1 panics where the quoted name of a summary or histogram
	// stands in braces and the line before was of another family.
	defer func() {
		if cause := recover(); cause != nil {
			families = nil
			err = &SyntaxError{Message: fmt.Sprintf("text format parsing error: %v", cause)}
		}
	}()
	parser := expfmt.NewTextParser(scheme)
	families, err = parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		syntax := &SyntaxError{Message: shorten(err.Error())}
		if parse, ok := errors.AsType[expfmt.ParseError](err); ok {
			syntax.Line = parse.Line
		}
		return nil, syntax
	}
	return families, nil
}

// crowdedLine returns the first line with more than maxLineLabels labels, from
// 1, or 0 if there is none. Comments do not count.
func crowdedLine(body []byte) int {
	for line := 1; len(body) > 0; line++ {
		text := body
		if end := bytes.IndexByte(body, '\n'); end >= 0 {
			text, body = body[:end], body[end+1:]
		} else {
			body = nil
		}
		if len(text) > maxLineLabels && !bytes.HasPrefix(bytes.TrimLeft(text, " \t"), []byte("#")) &&
			countLabels(text) > maxLineLabels {
			return line
		}
	}
	return 0
}

// countLabels counts the equals signs outside of quotes.
func countLabels(text []byte) int {
	n, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && c == '=':
			n++
		}
	}
	return n
}
