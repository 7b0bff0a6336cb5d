package explain

import (
	"bytes"
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/snappy"
	"google.golang.org/protobuf/encoding/protowire"

	"sluice/ingest/decode"
	"sluice/ingest/quote"
	"sluice/store"
)

// magics are the first bytes of compressed bodies, and what to do with them.
var magics = [...]struct{ bytes, name, encoding string }{
	{"\x1f\x8b", "gzip", "gzip"},
	{"\x28\xb5\x2f\xfd", "zstd", "zstd"},
	{"\xff\x06\x00\x00sNaPpY", "framed snappy", "snappy"},
	{"\xff\x06\x00\x00S2sTwO", "S2", ""},
	{"BZh", "bzip2", ""},
	{"\xfd7zXZ\x00", "xz", ""},
	{"PK\x03\x04", "a zip archive", ""},
	{"\x04\x22\x4d\x18", "lz4", ""},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive", ""},
}

// whole finds what is wrong with the body as a whole: it is something else than
// text format.
func (d *diagnosis) whole() finding {
	for _, find := range []func() finding{d.compressed, d.otherCharset, d.otherProtocol, d.unknownEncoding, d.form, d.markup, d.oldLineEnds} {
		if f := find(); f.found() {
			return f
		}
	}
	return finding{}
}

// compressed finds a compressed body without its header, or with another one.
func (d *diagnosis) compressed() finding {
	body := d.body
	for _, m := range magics {
		if !bytes.HasPrefix(body, []byte(m.bytes)) || m.name == "bzip2" && !bytes.HasPrefix(body[min(4, len(body)):], []byte("1AY&SY")) {
			continue
		}
		return d.compressedBy(m.name, m.encoding, m.bytes)
	}
	// zlib: the first two bytes are a multiple of 31, and say deflate.
	if len(body) > 2 && body[0]&0x8f == 0x08 && (int(body[0])<<8|int(body[1]))%31 == 0 && !isPrintable(body) {
		return d.compressedBy("deflate (zlib)", "", string(body[:2]))
	}
	return finding{}
}

func (d *diagnosis) compressedBy(name, encoding, magic string) finding {
	f := finding{gist: fmt.Sprintf("the body looks like %s (it begins with % x)", name, magic)}
	switch {
	case d.req.Decoded:
		f.gist += " after Content-Encoding " + quote.Short(d.req.Encoding) + " was decoded: it is compressed twice"
		f.cure = "Compress the body once."
	case d.req.Encoding == "":
		f.gist += ", but there is no header Content-Encoding"
	default:
		f.gist += ", and Content-Encoding " + quote.Short(d.req.Encoding) + " is not supported"
	}
	switch {
	case f.cure != "":
	case encoding != "":
		f.cure = "Send the header Content-Encoding: " + encoding + ", or the body uncompressed."
	default:
		f.cure = "Send the body uncompressed, or with Content-Encoding gzip, zstd or snappy (framed)."
	}
	return f
}

// otherCharset finds a byte order mark, UTF-16 and UTF-32.
func (d *diagnosis) otherCharset() finding {
	const cure = "Send UTF-8 without a byte order mark (PowerShell: [System.Text.UTF8Encoding]::new($false), or Out-File -Encoding utf8NoBOM)."
	b := d.body
	for _, mark := range []struct{ bytes, name string }{
		{"\x00\x00\xfe\xff", "UTF-32 (big endian)"}, {"\xff\xfe\x00\x00", "UTF-32 (little endian)"},
		{"\xff\xfe", "UTF-16 (little endian)"}, {"\xfe\xff", "UTF-16 (big endian)"},
	} {
		if bytes.HasPrefix(b, []byte(mark.bytes)) {
			return finding{gist: "the body is " + mark.name + " with a byte order mark, not UTF-8", cure: cure}
		}
	}
	if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) {
		return finding{gist: "the body begins with a byte order mark (UTF-8 BOM, EF BB BF)", cure: cure}
	}
	// Of ASCII every second byte is NUL, or three of four.
	head := b[:min(len(b), 64)]
	var nul [4]int
	for i, c := range head {
		if c == 0 {
			nul[i%4]++
		}
	}
	even, odd := nul[0]+nul[2], nul[1]+nul[3]
	most := func(n, of int) bool { return n > 1 && n*4 >= of*3 }
	switch half := len(head) / 2; {
	case most(nul[1]+nul[2]+nul[3], half+half/2) && nul[0] == 0:
		return finding{gist: "the body is UTF-32 (little endian), not UTF-8", cure: cure}
	case most(nul[0]+nul[1]+nul[2], half+half/2) && nul[3] == 0:
		return finding{gist: "the body is UTF-32 (big endian), not UTF-8", cure: cure}
	case most(odd, half) && even == 0:
		return finding{gist: "the body is UTF-16 (little endian), not UTF-8", cure: cure}
	case most(even, half) && odd == 0:
		return finding{gist: "the body is UTF-16 (big endian), not UTF-8", cure: cure}
	}
	return finding{}
}

// maxTried bounds in bytes what is decompressed or unmarshalled to see whether
// the body is that.
const maxTried = 1 << 20

// otherProtocol finds remote write, OTLP, and metric families in protobuf
// without their content type.
func (d *diagnosis) otherProtocol() finding {
	const toRemoteWrite = "Send remote write to Prometheus (/api/v1/write). A push gateway accepts text format 0.0.4, OpenMetrics and delimited protobuf, see README."
	const toOTLP = "Send OTLP to an OpenTelemetry collector or to Prometheus (/api/v1/otlp). A push gateway accepts text format 0.0.4, OpenMetrics and delimited protobuf, see README."
	media, _, _ := mime.ParseMediaType(d.req.ContentType)
	isBlock := d.isSnappyBlock()
	switch {
	case d.req.RemoteWrite || isBlock && media == "application/x-protobuf":
		return finding{gist: "this is Prometheus remote write, which a push gateway does not accept", cure: toRemoteWrite}
	case isBlock:
		return finding{gist: "the body looks like a snappy block, as remote write sends it", cure: "Framed snappy is supported (header Content-Encoding: snappy), the block format is not. " + toRemoteWrite}
	case media == "application/x-protobuf" && !isPrintable(d.body):
		return finding{gist: "application/x-protobuf is the content type of remote write and OTLP, which a push gateway does not accept", cure: toRemoteWrite}
	case bytes.Contains(d.body[:min(len(d.body), 4096)], []byte(`"resourceMetrics"`)):
		return finding{gist: "this is OTLP in JSON, which a push gateway does not accept", cure: toOTLP}
	case !isPrintable(d.body) && d.isFamilies():
		return finding{gist: "the body looks like delimited protobuf, but its content type does not say so",
			cure: "Send the header Content-Type: " + decode.ProtobufType + "; proto=io.prometheus.client.MetricFamily; encoding=delimited"}
	}
	return finding{}
}

// isSnappyBlock tells whether the body is a snappy block: a length, and a stream
// of copies that makes just that much.
func (d *diagnosis) isSnappyBlock() bool {
	size, err := snappy.DecodedLen(d.body)
	if err != nil || size == 0 || isPrintable(d.body) || len(d.body) > maxTried || size > 16*maxTried {
		return false
	}
	_, err = snappy.Decode(nil, d.body)
	return err == nil
}

// isFamilies tells whether the body begins with a metric family in delimited
// protobuf.
func (d *diagnosis) isFamilies() bool {
	if size, n := protowire.ConsumeVarint(d.body); n < 0 || size < 4 || size > maxTried {
		return false
	}
	mf, _, err := decode.CutFamily(d.body)
	return err == nil && mf.GetName() != "" && len(mf.GetMetric()) > 0
}

// isPrintable tells whether the beginning of a body is text.
func isPrintable(body []byte) bool {
	head := body[:min(len(body), 512)]
	odd := 0
	for i := 0; i < len(head); {
		r, size := utf8.DecodeRune(head[i:])
		if (r == utf8.RuneError && size == 1 && len(head)-i >= utf8.UTFMax) || r < ' ' && r != '\n' && r != '\r' && r != '\t' {
			odd++
		}
		i += size
	}
	return odd*20 <= len(head) // a stray byte does not make it binary
}

// unknownEncoding finds an encoding that nobody has taken off.
func (d *diagnosis) unknownEncoding() finding {
	if d.req.Encoding == "" || d.req.Decoded || isPrintable(d.body) {
		return finding{}
	}
	return finding{
		gist: "Content-Encoding " + quote.Short(d.req.Encoding) + " is not supported, so the body was read as it is",
		cure: "Use one of gzip, zstd or snappy (framed), or send the body uncompressed.",
	}
}

// formType is the content type of curl where none is given, with -d and with
// --data-binary.
const formType = "application/x-www-form-urlencoded"

// form finds the bodies of web forms, which curl -d and Postman make.
func (d *diagnosis) form() finding {
	media, _, _ := mime.ParseMediaType(d.req.ContentType)
	const file = "Send the file as it is: curl --data-binary @FILE"
	switch {
	case strings.HasPrefix(media, "multipart/") || bytes.HasPrefix(d.body, []byte("--")) && bytes.Contains(d.body[:min(len(d.body), 1024)], []byte("Content-Disposition:")):
		return finding{gist: "the body is a multipart form, not text format",
			cure: file + " (not -F), or in Postman the body kind binary or raw."}
	case media == formType && bytes.IndexByte(d.body, '\n') < 0 && d.lex(d.body).found():
		return finding{gist: "the body has no line feed at all: curl -d removes those of a file", cure: file + " (not -d)."}
	}
	return finding{}
}

// markup finds JSON, XML, HTML and YAML.
func (d *diagnosis) markup() finding {
	const cure = "The text format has one line for each series, such as: some_metric{label=\"value\"} 3.14"
	text := bytes.TrimLeft(d.body, " \t\r\n")
	media, _, _ := mime.ParseMediaType(d.req.ContentType)
	isJSON := media == "application/json" || strings.HasSuffix(media, "+json")
	begins := func(prefix string) bool {
		return len(text) >= len(prefix) && strings.EqualFold(string(text[:len(prefix)]), prefix)
	}
	switch {
	case begins("<?xml"):
		return finding{gist: "the body is XML, not text format", cure: cure}
	case begins("<!doctype") || begins("<html"):
		return finding{gist: "the body is HTML, not text format", cure: "It may be an error page or a login page that was downloaded and then pushed. " + cure}
	case len(text) > 0 && text[0] == '<':
		return finding{gist: "the body begins with a <: is it XML, HTML or a template?", cure: cure}
	case looksLikeJSON(text) || isJSON && len(text) > 0 && (text[0] == '{' || text[0] == '[' || text[0] == '"'):
		return finding{gist: "the body is JSON, not text format", cure: cure}
	case begins("---"):
		return finding{gist: "the body begins with ---: is it YAML?", cure: cure}
	}
	return finding{}
}

// looksLikeJSON tells an object or array from braces around a quoted name.
func looksLikeJSON(text []byte) bool {
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return false
	}
	rest := bytes.TrimLeft(text[1:], " \t\r\n")
	switch {
	case text[0] == '[':
		return len(rest) > 0 && (strings.IndexByte(`{["]-`, rest[0]) >= 0 || '0' <= rest[0] && rest[0] <= '9')
	case len(rest) == 0 || rest[0] != '"':
		return len(rest) == 1 && rest[0] == '}' || len(rest) > 1 && rest[0] == '}' && len(bytes.TrimSpace(rest[1:])) == 0
	}
	end := quotedEnd(rest, 0)
	if end < 0 {
		return false
	}
	rest = bytes.TrimLeft(rest[end:], " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

// oldLineEnds finds carriage returns without any line feed.
func (d *diagnosis) oldLineEnds() finding {
	at := bytes.IndexByte(d.body, '\r')
	if at < 0 || bytes.IndexByte(d.body, '\n') >= 0 {
		return finding{}
	}
	return finding{at: at, gist: "lines end with a carriage return (CR) alone", cure: "End each line with a line feed (LF, \\n)."}
}

// notProtobuf finds what a body is that is no delimited protobuf but says so.
func (d *diagnosis) notProtobuf() finding {
	d.req.ContentType = ""
	switch {
	case len(d.body) > 0 && isPrintable(d.body):
		return finding{gist: "the body looks like text, not like protobuf", cure: "Send text with the header Content-Type: text/plain; version=0.0.4"}
	default:
		if f := d.compressed(); f.found() {
			return f
		}
		if f := d.otherProtocol(); f.found() && (d.req.RemoteWrite || d.isSnappyBlock()) {
			return f
		}
		return finding{cure: "The body must be a sequence of io.prometheus.client.MetricFamily messages, each with its length before it as a varint."}
	}
}

// quotedEnd returns the index behind the closing quote of what begins with the
// quote at i, or -1.
func quotedEnd(text []byte, i int) int {
	n := store.QuotedEnd(text[i:])
	if n < 0 {
		return -1
	}
	return i + n
}
