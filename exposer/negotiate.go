// Package exposer serves scrapes of what the store holds, the gateway's own metrics,
// and health. It never changes the store.
package exposer

import (
	"net/http"
	"strings"

	"github.com/munnerz/goautoneg"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// negotiate returns the format of a scrape. It is Pushgateway's choice (that of
// expfmt.Negotiate in common v0.67, which later releases have changed): the first
// clause for text or protobuf, else text. The escaping of names is the last one that
// a clause up to there asks for, whatever its format.
//
// Pushgateway never serves OpenMetrics. It is served here if the header names it and
// no other known format, wildcards included. So a scraper that accepts a format of
// Pushgateway gets the same format as from Pushgateway.
func negotiate(header http.Header) expfmt.Format {
	escaping := model.NameEscapingScheme.String()
	accept := header.Get("Accept") // the first line only, as there
	openMetrics := acceptsOnlyOpenMetrics(header)
	if openMetrics {
		accept = wholeAccept(header)
	}
	for _, clause := range goautoneg.ParseAccept(accept) {
		switch wish := clause.Params[model.EscapingKey]; wish {
		case model.AllowUTF8, model.EscapeUnderscores, model.EscapeDots, model.EscapeValues:
			escaping = wish
		}
		if format, ok := formatOf(clause); ok && (openMetrics || format.FormatType() != expfmt.TypeOpenMetrics) {
			return format + expfmt.Format("; escaping="+escaping)
		}
	}
	return expfmt.FmtText + expfmt.Format("; escaping="+escaping)
}

// formatOf returns the format that a clause of an Accept header names.
func formatOf(clause goautoneg.Accept) (expfmt.Format, bool) {
	version := clause.Params["version"]
	switch clause.Type + "/" + clause.SubType {
	case expfmt.ProtoType:
		if clause.Params["proto"] != expfmt.ProtoProtocol {
			return "", false
		}
		switch clause.Params["encoding"] {
		case "delimited":
			return expfmt.FmtProtoDelim, true
		case "text":
			return expfmt.FmtProtoText, true
		case "compact-text":
			return expfmt.FmtProtoCompact, true
		}
	case "text/plain":
		return expfmt.FmtText, version == expfmt.TextVersion || version == ""
	case expfmt.OpenMetricsType:
		if version == expfmt.OpenMetricsVersion_1_0_0 {
			return expfmt.FmtOpenMetrics_1_0_0, true
		}
		return expfmt.FmtOpenMetrics_0_0_1, version == expfmt.OpenMetricsVersion_0_0_1 || version == ""
	}
	return "", false
}

// acceptsOnlyOpenMetrics tells whether OpenMetrics is the only known format that the
// client accepts. In doubt it returns false.
func acceptsOnlyOpenMetrics(header http.Header) bool {
	named := false
	for _, clause := range goautoneg.ParseAccept(wholeAccept(header)) {
		if clause.Q <= 0 {
			continue
		}
		if clause.Type == "*" || clause.SubType == "*" {
			return false
		}
		switch clause.Type + "/" + clause.SubType {
		case "text/plain", expfmt.ProtoType: // whatever the version or encoding
			return false
		case expfmt.OpenMetricsType:
			_, ok := formatOf(clause)
			named = named || ok
		}
	}
	return named
}

func wholeAccept(header http.Header) string { return strings.Join(header.Values("Accept"), ",") }
