// Package exposer serves what the store holds: scrapes, the query API, health,
// and the gateway's own metrics. It never changes the store.
package exposer

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/common/expfmt"
)

// text100 is text format 1.0.0, which Prometheus 3 asks for: it is 0.0.4 with
// UTF-8 names in quotes.
const text100 = expfmt.Format("text/plain; version=1.0.0; charset=utf-8")

// negotiate returns the format of a scrape: text or protobuf by what is
// accepted, as Pushgateway does it. It takes a wish for text 1.0.0 as one for
// 0.0.4 with the escaping that is asked for.
func negotiate(header http.Header) expfmt.Format {
	format := expfmt.NegotiateAccept(header, append(expfmt.DefaultAcceptedFormats(), text100)...)
	if rest, ok := strings.CutPrefix(string(format), string(text100)); ok {
		return expfmt.FmtText + expfmt.Format(rest)
	}
	return format
}

// acceptsGzip tells whether the client wants gzip, as promhttp decides it: the
// header must name gzip with a quality that is not below that of identity.
func acceptsGzip(header http.Header) bool {
	gzip, identity := -1.0, 0.0
	for _, value := range header.Values("Accept-Encoding") {
		for item := range strings.SplitSeq(value, ",") {
			name, params, _ := strings.Cut(item, ";")
			q := 1.0
			if text, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
				parsed, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
				if err != nil {
					continue
				}
				q = parsed
			}
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "gzip":
				gzip = q
			case "identity":
				identity = q
			}
		}
	}
	return gzip > 0 && gzip >= identity
}
