package explain

import (
	"bytes"
	"fmt"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"sluice/ingest/decode"
	"sluice/ingest/quote"
	"sluice/store"
)

const readAsText = "This push was read as text format, since it has no line # EOF. OpenMetrics must end with it."

// openMetricsCure tells how to send what was judged as OpenMetrics.
func (d *diagnosis) openMetricsCure() string {
	switch decode.FormatOf(d.body, d.req.ContentType) {
	case decode.TextInstead:
		return "The content type says OpenMetrics, and the body is no text format either. OpenMetrics must end with the line # EOF."
	case decode.OpenMetrics:
		return "The body is read as OpenMetrics, as its content type and the line # EOF say. Send text format with the header Content-Type: text/plain; version=0.0.4"
	}
	return ""
}

// readAsText is a line about a body that was meant as OpenMetrics.
func (d *diagnosis) readAsText() string {
	if decode.FormatOf(d.body, d.req.ContentType) != decode.TextInstead {
		return ""
	}
	return readAsText
}

// openMetrics is a line about a body that looks like OpenMetrics, unless the cure
// says so already.
func (d *diagnosis) openMetrics(cure string) string {
	isOM := bytes.HasSuffix(bytes.TrimRight(d.body[max(0, len(d.body)-16):], "\r\n"), []byte("# EOF")) || bytes.Contains(d.body, []byte("\n# UNIT "))
	if !isOM || strings.Contains(cure, "OpenMetrics") {
		return ""
	}
	return "The body looks like OpenMetrics (# EOF or # UNIT). Send OpenMetrics with the header Content-Type: application/openmetrics-text; version=1.0.0"
}

// Conflict returns a line, with a line feed before it, about a conflict of types that OpenMetrics without
// # EOF has caused: in this push, which was read in a format, or perhaps in that
// of the group in the way. It is empty if there is nothing to say.
func Conflict(c *store.Conflict, format decode.Format) string {
	for _, o := range c.Offenders {
		if o.Other != o.Name || o.Self || o.Group.IsZero() {
			continue
		}
		switch untyped := dto.MetricType_UNTYPED; {
		case o.Type == untyped && o.OtherType != untyped && format == decode.TextInstead:
			return "\n" + readAsText
		case o.Type != untyped && o.OtherType == untyped && (format == decode.OpenMetrics || hasOpenMetricsSuffix(o.Name)):
			return fmt.Sprintf("\nThe group %s may have been pushed as OpenMetrics without the line # EOF, which is read as text format. Push it again with # EOF, or delete it.",
				quote.Clip(quote.Printable(o.Group.Path()), maxPath))
		}
	}
	return ""
}

// maxPath bounds in bytes what a text shows of a grouping key.
const maxPath = 200

// hasOpenMetricsSuffix tells whether a name is one that text format has no type
// for, if its TYPE line is that of OpenMetrics.
func hasOpenMetricsSuffix(name string) bool {
	return strings.HasSuffix(name, "_total") || strings.HasSuffix(name, "_created")
}
