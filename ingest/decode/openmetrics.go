package decode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"sluice/ingest/quote"
	"sluice/store"
)

// openMetricsType is the media type of an OpenMetrics text body.
const openMetricsType = "application/openmetrics-text"

// isOpenMetrics tells whether a body is meant as OpenMetrics text of a version
// that is read: 1.0.0, 0.0.1, which differs in nothing that matters here, or
// none. A later version is another format.
func isOpenMetrics(contentType string) bool {
	base, _, _ := strings.Cut(contentType, ";")
	if !strings.EqualFold(strings.TrimSpace(base), openMetricsType) {
		return false // without the price of parsing all of it
	}
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false // as with protobuf: a type that cannot be parsed is none
	}
	switch params["version"] {
	case "", "0.0.1", "1.0.0":
		return true
	}
	return false
}

// openMetricsFamilies reads a body that is said to be OpenMetrics. One that is
// not, but is text format 0.0.4, is read as that: Pushgateway takes no notice of
// the content type, so there are clients that send plain text under it. What is
// neither gets the error of OpenMetrics, which is what was meant.
func openMetricsFamilies(body []byte, key store.Key, opts Options) ([]store.Family, error) {
	families, meant := parseOpenMetrics(body, opts.Scheme, opts.Limits)
	if meant == nil {
		return canonical(families, key, opts)
	}
	if _, limited := errors.AsType[*LimitError](meant); limited {
		return nil, meant
	}
	plain, err := textFamilies(body, key, opts)
	if _, unreadable := errors.AsType[*SyntaxError](err); unreadable {
		return nil, meant
	}
	return plain, err
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
