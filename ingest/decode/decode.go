// Package decode turns the body of a push into canonical families. It does no
// I/O: decompression and the bound on the size of a body are the caller's.
//
// What is read, and what is refused, is what Pushgateway 1.11.3 reads and
// refuses within one push. Whatever would make a scrape unreadable is refused
// as well. How families of one push or of several groups get along with each
// other is judged by package store.
//
// Text has two paths. The fast one goes from bytes to canonical bytes in one
// pass and takes only what it is sure about; all else, and with it every error,
// comes from the slow one, which is the parser of Prometheus.
//
// The one deviation is OpenMetrics, which Pushgateway reads as text format. Here a
// body is OpenMetrics if its content type says so and it has the line # EOF.
package decode

import (
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	"sluice/store"
)

// Options say how a body is read. The zero value is Pushgateway's default.
type Options struct {
	// Scheme is which names are valid in a text body. Unset means legacy names.
	// Names in protobuf may be any UTF-8 under both, as in Pushgateway.
	Scheme model.ValidationScheme
	// Unchecked keeps series that occur twice (Pushgateway's flag
	// --push.disable-consistency-check). All other checks remain.
	Unchecked bool
	// Limits bound what a push may hold.
	Limits Limits
	// Admit is asked before each way in which a large body is read; nil admits all.
	Admit Admitter
}

// Admitter admits bodies to be read.
type Admitter interface {
	// Admit is told how many bytes will be allocated, instead of those that it was
	// told before. It may block. Families returns its error as it is.
	Admit(bytes int64) error
}

// Families returns what body pushes to the group of key, in canonical form:
// sorted by name, each name once, without the two families that the gateway
// adds itself (store.PushTimeName and store.PushFailureName). PushTime is left
// at 0. contentType is the Content-Type header as it came; FormatOf says how a
// body is read.
//
// The families share memory with each other, but not with body. They are the
// caller's. Families may be called concurrently.
//
// The error is a *SyntaxError, a *RefusedError or a *LimitError, or that of
// Options.Admit; no family is returned then. Package explain says more about it.
func Families(body []byte, contentType string, key store.Key, opts Options) ([]store.Family, error) {
	if opts.Scheme == model.UnsetValidation {
		opts.Scheme = model.LegacyValidation
	}
	var families map[string]*dto.MetricFamily
	var err error
	switch FormatOf(body, contentType) {
	case Protobuf:
		if err := opts.admit(protobufCost, body, key); err != nil {
			return nil, err
		}
		families, err = parseProtobuf(body)
	case OpenMetrics:
		if err := opts.admit(textCost, body, key); err != nil {
			return nil, err
		}
		families, err = parseOpenMetrics(body, opts.Scheme, opts.Limits)
	case TextInstead:
		return textInstead(body, key, opts)
	default:
		return textFamilies(body, key, opts)
	}
	if err != nil {
		return nil, err
	}
	return canonical(families, key, opts)
}

// textFamilies reads text format 0.0.4.
func textFamilies(body []byte, key store.Key, opts Options) ([]store.Family, error) {
	if err := opts.admit(fastCost, body, key); err != nil {
		return nil, err
	}
	if families, ok := scanText(body, key, opts.Limits); ok {
		return families, nil
	}
	if err := opts.admit(textCost, body, key); err != nil {
		return nil, err
	}
	families, err := parseText(body, opts.Scheme, opts.Limits)
	if err != nil {
		return nil, err
	}
	return canonical(families, key, opts)
}
