package decode

import (
	"bytes"
	"errors"
	"fmt"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"sluice/ingest/quote"
)

// maxLineLabels bounds the labels of a text line. expfmt looks for duplicates
// anew after every label, so its time grows with the square of their number: a
// line of 35 KB with 4,000 labels takes a second, one of 1 MB would take a
// quarter of an hour. With 128 labels in each line a body takes some 20 times as
// long as another of its size. It is the bound where Limits has none.
const maxLineLabels = 128

// parseText is the slow path: the parser of Prometheus. The error is a
// *SyntaxError or a *LimitError.
func parseText(body []byte, scheme model.ValidationScheme, limits Limits) (families map[string]*dto.MetricFamily, err error) {
	if err := limits.checkBody(body); err != nil {
		return nil, err
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
		syntax := &SyntaxError{Message: quote.Message(err.Error())}
		if parse, ok := errors.AsType[expfmt.ParseError](err); ok {
			syntax.Line = parse.Line
		}
		return nil, syntax
	}
	return families, nil
}

// crowdedLine returns the first line with more labels than the most, from 1, or
// 0 if there is none. Comments do not count.
func crowdedLine(body []byte, most int) int {
	for number, line := range Lines(body) {
		if len(line) > most && isSample(line) && countLabels(line) > most {
			return number
		}
	}
	return 0
}

// countLabels counts what begins a label value: an equals sign and a quote. A
// line that has many equals signs of another kind is broken before they matter.
func countLabels(text []byte) int {
	n, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && c == '=':
			if next := SkipBlanks(text, i+1); next < len(text) && text[next] == '"' {
				n++
			}
		}
	}
	return n
}
