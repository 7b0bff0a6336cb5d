package decode

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"sluice/ingest/quote"
	"sluice/store"
)

// textInstead reads a body that is said to be OpenMetrics but has no # EOF, so
// that it cannot be: Pushgateway takes no notice of the content type, so there are
// clients that send plain text under it. What is no text format either gets the
// error of OpenMetrics, which is what was meant.
func textInstead(body []byte, key store.Key, opts Options) ([]store.Family, error) {
	families, err := textFamilies(body, key, opts)
	if _, unreadable := errors.AsType[*SyntaxError](err); !unreadable {
		return families, err
	}
	if _, meant := parseOpenMetrics(body, opts.Scheme, opts.Limits); meant != nil {
		return nil, meant
	}
	return nil, err
}

// parseOpenMetrics reads OpenMetrics 1.0 text. The grammar of a line is the
// business of Prometheus' parser; which lines belong together, and what the
// specification demands of them, which that parser does not look at, is checked
// by openMetricsReader. The families have the names and types that client
// libraries give them in text format 0.0.4. The error is a *SyntaxError or a
// *LimitError.
func parseOpenMetrics(body []byte, scheme model.ValidationScheme, limits Limits) (families map[string]*dto.MetricFamily, err error) {
	if err := limits.checkBody(body); err != nil {
		return nil, err
	}
	r := newOpenMetricsReader(scheme)
	// Over NATS nobody else would stop a panic of the parser, and it would take
	// the gateway with it.
	defer func() {
		if cause := recover(); cause != nil {
			families, err = nil, openMetricsError(r.line, fmt.Errorf("%v", cause))
		}
	}()
	parser := textparse.NewOpenMetricsParser(body, labels.NewSymbolTable())
	for rest := body; ; r.line++ {
		entry, err := parser.Next()
		if err == io.EOF {
			// Quoted names could hide line feeds from the parser; then the lines
			// counted here would not be those that it has read.
			if word := string(bytes.TrimSuffix(rest, []byte{'\n'})); word != "# EOF" {
				return nil, openMetricsError(r.line, errLineFeed)
			}
			if err := r.closeFamily(); err != nil {
				return nil, err
			}
			return r.families, nil
		}
		if err != nil {
			return nil, openMetricsError(r.line, err)
		}
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte{'\n'})
		if err := r.entry(entry, parser, line); err != nil {
			if syntax, ok := errors.AsType[*SyntaxError](err); ok {
				return nil, syntax // it is about an earlier line
			}
			return nil, openMetricsError(r.line, err)
		}
	}
}

var errLineFeed = errors.New("a line feed within a name must be written as \\n")

func openMetricsError(line int, err error) *SyntaxError {
	return &SyntaxError{Line: line, Message: quote.Message(fmt.Sprintf("OpenMetrics parsing error in line %d: %v", line, err))}
}
