// Package explain says why a body was refused, for people: what is wrong, in
// which line and column, and what to do about it. Its one door is Explain. It
// does no I/O.
//
// It looks at bodies that package decode has refused, and knows nothing of how
// decode reads those that it takes.
package explain

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/common/model"

	"sluice/ingest/decode"
	"sluice/ingest/quote"
	"sluice/store"
)

// Request is what a request says about its body. Only the texts of errors depend
// on it.
type Request struct {
	// ContentType and Encoding are the headers Content-Type and Content-Encoding.
	ContentType, Encoding string
	// Decoded says that the encoding was known and has been taken off.
	Decoded bool
	// RemoteWrite says that there is a header of Prometheus remote write.
	RemoteWrite bool
}

// Explain returns the error of decode.Families with a text that helps: its first line
// says what is wrong and where, by line and column (characters, from 1), the
// lines below it say what to do. It has the same type, the words of Pushgateway
// come first, and it has less than 1,000 bytes, all printable. An error of
// another kind comes back as it is.
//
// It is for bodies that have been refused only: it looks at the body again, in
// time proportional to its length.
func Explain(err error, body []byte, req Request, key store.Key, opts decode.Options) error {
	if opts.Scheme == model.UnsetValidation {
		opts.Scheme = model.LegacyValidation
	}
	d := &diagnosis{body: body, req: req, opts: opts}
	switch err := err.(type) {
	case *decode.SyntaxError:
		return &decode.SyntaxError{Line: err.Line, Message: d.syntax(err)}
	case *decode.RefusedError:
		explained := *err
		explained.Message = d.refused(err, key)
		return &explained
	case *decode.LimitError:
		explained := *err
		explained.Message = d.limit(err)
		return &explained
	}
	return err
}

// diagnosis looks for the reason of a syntax error.
type diagnosis struct {
	body []byte
	req  Request
	opts decode.Options
}

// finding is what is wrong and how to cure it.
type finding struct {
	at   int    // byte of the line, negative if there is no place
	gist string // goes into the first line
	cure string // lines of their own, without a line feed at the end
}

func (f finding) found() bool { return f.gist != "" }

// syntax returns the text for a body that cannot be read.
func (d *diagnosis) syntax(err *decode.SyntaxError) string {
	if decode.IsDelimitedProtobuf(d.req.ContentType) {
		f := d.notProtobuf()
		return compose("the protobuf body cannot be read: "+err.Message, f.gist, f.cure)
	}
	said, isText := strings.CutPrefix(err.Message, fmt.Sprintf("text format parsing error in line %d: ", err.Line))
	if !isText && err.Line == 0 {
		said, isText = strings.CutPrefix(err.Message, "text format parsing error: ")
	}
	f := d.whole()
	if !isText {
		return compose(err.Message, f.gist, cmp.Or(f.cure, d.openMetricsCure()))
	}
	number := err.Line
	line, last := lineAt(d.body, number)
	if g := d.line(line, last, number, said); f.found() {
		f.at = g.at
	} else {
		f = g
	}
	said = quote.Clip(quote.Printable(said), 2*quote.MaxExcerpt)
	where := ""
	if f.at >= 0 && number > 0 {
		where = fmt.Sprintf("column %d: ", column(line, f.at))
	}
	if number > 0 {
		said = fmt.Sprintf("text format parsing error in line %d: %s", number, said)
	} else {
		said = "text format parsing error: " + said
	}
	if f.gist == "" {
		return compose(said+"; "+strings.TrimSuffix(where, ": "), "", d.ignoredEncoding())
	}
	return compose(said, where+f.gist, join(f.cure, d.openMetrics(f.cure), d.ignoredEncoding()))
}

// ignoredEncoding is a line about an encoding that was passed over.
func (d *diagnosis) ignoredEncoding() string {
	if d.req.Encoding == "" || d.req.Decoded || strings.EqualFold(d.req.Encoding, "identity") {
		return ""
	}
	return fmt.Sprintf("Content-Encoding %s is not supported and was ignored. Use gzip, zstd or framed snappy.", quote.Short(d.req.Encoding))
}

// compose puts the first line and the others together, within bounds.
func compose(said, gist, cure string) string {
	if gist == "" && cure == "" {
		return said
	}
	first := quote.Clip(quote.Printable(said), quote.MaxMessage/2)
	if gist != "" {
		first += "; " + quote.Clip(quote.Printable(gist), quote.MaxMessage/2-2)
	}
	first = strings.TrimSuffix(strings.TrimSpace(first), ";")
	if cure == "" {
		return first
	}
	return quote.Message(first + "\n" + cure)
}

// join puts lines together that are not empty.
func join(lines ...string) string {
	var all []string
	for _, line := range lines {
		if line != "" {
			all = append(all, line)
		}
	}
	return strings.Join(all, "\n")
}

// lineAt returns a line of the body, from 1, without its line feed, and whether
// the body ends within it.
func lineAt(body []byte, number int) (line []byte, last bool) {
	for n := 1; ; n++ {
		end := bytes.IndexByte(body, '\n')
		if n >= number {
			if end < 0 {
				return body, true
			}
			return body[:end], false
		}
		if end < 0 {
			return nil, true
		}
		body = body[end+1:]
	}
}

// column returns the column of a byte of a line: characters from 1. A byte that
// is no UTF-8 is a character.
func column(line []byte, at int) int {
	return utf8.RuneCount(line[:min(at, len(line))]) + 1
}

// refused returns the text for a body that can be read but not be taken.
func (d *diagnosis) refused(err *decode.RefusedError, key store.Key) string {
	where, cure := "", ""
	isText := !decode.IsDelimitedProtobuf(d.req.ContentType)
	switch err.Reason {
	case decode.HasTimestamp:
		cure = "Remove the timestamp. push_time_seconds is the time of the push.\n" +
			"To transfer samples with their timestamps, use federation (/federate) or remote write."
		if isText {
			where = d.timestampText(err.Metric)
		} else {
			where = d.timestampIndex()
		}
	case decode.DuplicateSeries:
		if isText {
			where = d.duplicateText(err, key)
		}
		cure = "Push each series once. Labels of the group replace pushed labels of the same name."
	}
	return compose(err.Message, where, join(cure, d.readAsText()))
}

// limit adds to the text of a limit the line.
func (d *diagnosis) limit(err *decode.LimitError) string {
	if err.Metric == "" || decode.IsDelimitedProtobuf(d.req.ContentType) {
		return err.Message
	}
	line := lineOfMetric(d.body, err.Metric)
	if line == 0 {
		return err.Message
	}
	return compose(err.Message, fmt.Sprintf("the metric begins in line %d", line), "")
}
