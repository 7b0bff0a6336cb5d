// Package exposer serves scrapes of what the store holds, health,
// and the gateway's own metrics. It never changes the store.
package exposer

import (
	"net/http"
	"strings"

	"github.com/munnerz/goautoneg"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// negotiate returns the format of a scrape. It is Pushgateway's choice (that of
// expfmt.Negotiate in common v0.67, which later releases have changed): the
// first wish for text or protobuf, else text; and the escaping of names is the
// last that has been asked for up to there, whichever format with.
//
// OpenMetrics, which Pushgateway never serves, is served where the header names
// it and no other format that there is, wildcards included. So no scraper gets
// another format than from Pushgateway that has said it would take one.
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

// acceptsOnlyOpenMetrics tells whether OpenMetrics is all that the client takes
// of what there is. In doubt it says no.
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
