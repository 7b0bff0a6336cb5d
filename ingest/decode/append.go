package decode

import (
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	"sluice/store"
)

// typeWords are the types as a TYPE line has them. The text format knows no
// gauge histogram.
var typeWords = [...]string{
	dto.MetricType_COUNTER:         "counter",
	dto.MetricType_GAUGE:           "gauge",
	dto.MetricType_SUMMARY:         "summary",
	dto.MetricType_UNTYPED:         "untyped",
	dto.MetricType_HISTOGRAM:       "histogram",
	dto.MetricType_GAUGE_HISTOGRAM: "histogram",
}

// appendHead writes the HELP line, unless help is empty, and the TYPE line.
// name and help are as written: quoted and escaped where they must be.
func appendHead[T string | []byte](dst []byte, name, help T, typ string) []byte {
	if len(help) > 0 {
		dst = append(dst, "# HELP "...)
		dst = append(dst, name...)
		dst = append(dst, ' ')
		dst = append(dst, help...)
		dst = append(dst, '\n')
	}
	dst = append(dst, "# TYPE "...)
	dst = append(dst, name...)
	dst = append(dst, ' ')
	dst = append(dst, typ...)
	return append(dst, '\n')
}

// headSize is the length of what appendHead writes.
func headSize[T string | []byte](name, help T, typ string) int {
	size := len("# TYPE  \n") + len(name) + len(typ)
	if len(help) > 0 {
		size += len("# HELP  \n") + len(name) + len(help)
	}
	return size
}

// appendName writes a metric or label name, quoted if it is no legacy name.
func appendName(dst []byte, name string) []byte {
	if model.LegacyValidation.IsValidMetricName(name) {
		return append(dst, name...)
	}
	dst = append(dst, '"')
	dst = store.AppendEscaped(dst, name)
	return append(dst, '"')
}

// AppendLabel writes name="value".
func AppendLabel(dst []byte, name, value string) []byte {
	dst = appendName(dst, name)
	dst = append(dst, '=', '"')
	dst = store.AppendEscaped(dst, value)
	return append(dst, '"')
}

// appendHelp writes a help text. Quotes are not escaped there.
func appendHelp(dst []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
