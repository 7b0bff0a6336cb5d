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
// The one deviation is OpenMetrics, which Pushgateway reads as plain text.
package decode

import (
	"mime"
	"strings"

	"github.com/prometheus/common/model"

	"sluice/store"
)

// ProtobufType is the media type of a delimited protobuf body.
const ProtobufType = "application/vnd.google.protobuf"

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
}

// Families returns what body pushes to the group of key, in canonical form:
// sorted by name, each name once, without the two families that the gateway
// adds itself (store.PushTimeName and store.PushFailureName). PushTime is left
// at 0. contentType is the Content-Type header as it came; a body that by its
// type is neither delimited protobuf nor OpenMetrics is text format 0.0.4.
//
// The families share memory with each other, but not with body. They are the
// caller's. Families may be called concurrently.
//
// The error is a *SyntaxError, a *RefusedError or a *LimitError; no family is
// returned then. Package explain says more about it.
func Families(body []byte, contentType string, key store.Key, opts Options) ([]store.Family, error) {
	if opts.Scheme == model.UnsetValidation {
		opts.Scheme = model.LegacyValidation
	}
	if IsDelimitedProtobuf(contentType) {
		families, err := parseProtobuf(body)
		if err != nil {
			return nil, err
		}
		return canonical(families, key, opts)
	}
	if isOpenMetrics(contentType) {
		return openMetricsFamilies(body, key, opts)
	}
	return textFamilies(body, key, opts)
}

// textFamilies reads text format 0.0.4.
func textFamilies(body []byte, key store.Key, opts Options) ([]store.Family, error) {
	if families, ok := scanText(body, key, opts.Limits); ok {
		return families, nil
	}
	families, err := parseText(body, opts.Scheme, opts.Limits)
	if err != nil {
		return nil, err
	}
	return canonical(families, key, opts)
}

// IsDelimitedProtobuf tells what Pushgateway takes for protobuf. A type that
// cannot be parsed is none.
func IsDelimitedProtobuf(contentType string) bool {
	base, _, _ := strings.Cut(contentType, ";")
	if !strings.EqualFold(strings.TrimSpace(base), ProtobufType) {
		return false // without the price of parsing all of it
	}
	mediaType, params, err := mime.ParseMediaType(contentType)
	return err == nil && mediaType == ProtobufType &&
		params["proto"] == "io.prometheus.client.MetricFamily" &&
		params["encoding"] == "delimited"
}
