package decode

import (
	"bytes"
	"mime"
	"strings"
)

// Format is how a body is read.
type Format int

// The formats.
const (
	Text        Format = iota // text format 0.0.4
	Protobuf                  // delimited protobuf
	OpenMetrics               // OpenMetrics text 1.0
	TextInstead               // text format, though the content type is that of OpenMetrics: there is no # EOF
)

// ProtobufType is the media type of a delimited protobuf body.
const ProtobufType = "application/vnd.google.protobuf"

// openMetricsType is the media type of an OpenMetrics text body.
const openMetricsType = "application/openmetrics-text"

// FormatOf returns how Families reads a body under a content type. It takes an
// OpenMetrics content type at its word only if the body has a line # EOF, which
// text format has no use for. It looks at the body of these types only.
func FormatOf(body []byte, contentType string) Format {
	switch {
	case IsDelimitedProtobuf(contentType):
		return Protobuf
	case !isOpenMetrics(contentType):
		return Text
	case hasEOF(body):
		return OpenMetrics
	}
	return TextInstead
}

// hasEOF tells whether a body has a line # EOF. Blanks around it, and a carriage
// return, are wrong, but say the same.
func hasEOF(body []byte) bool {
	eof := []byte("# EOF")
	if !bytes.Contains(body, eof) {
		return false
	}
	for _, line := range Lines(body) {
		if bytes.Equal(bytes.Trim(line, " \t\r"), eof) {
			return true
		}
	}
	return false
}

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
