package exposer

import (
	"net/http"
	"slices"
	"strings"
)

// The content encodings that scrapes are sent in.
const (
	identity = "identity"
	gzipped  = "gzip"
	zstded   = "zstd"
)

// acceptedEncoding returns the content encoding of a scrape. It chooses between
// identity and gzip as Pushgateway does. Pushgateway does not have zstd: it is
// offered if the header names it and does not name gzip.
func acceptedEncoding(header http.Header) string {
	wishes := encodingWishes(header)
	named := func(encoding string) bool {
		return slices.ContainsFunc(wishes, func(w encodingWish) bool { return w.encoding == encoding })
	}
	offered := gzipped
	if named(zstded) && !named(gzipped) {
		offered = zstded
	}
	best, quality := identity, -1.0
	for _, encoding := range []string{identity, offered} {
		for _, w := range wishes {
			if w.quality > quality && (w.encoding == "*" || w.encoding == encoding) {
				best, quality = encoding, w.quality
			}
		}
	}
	if quality == 0 {
		return identity // nothing is accepted; promhttp sends it plain then, too
	}
	return best
}

// encodingWish is one item of an Accept-Encoding header.
type encodingWish struct {
	encoding string
	quality  float64
}

// encodingWishes reads the header as promhttp does: an item that it cannot read ends
// the line, and names are case-sensitive.
func encodingWishes(header http.Header) []encodingWish {
	var wishes []encodingWish
	for _, line := range header.Values("Accept-Encoding") {
		for {
			end := strings.IndexFunc(line, func(c rune) bool { return c >= 0x7f || !isEncodingByte(byte(c)) })
			if end < 0 {
				end = len(line)
			}
			w := encodingWish{encoding: line[:end], quality: 1}
			if w.encoding == "" {
				break
			}
			line = trimSpace(line[end:])
			if rest, ok := strings.CutPrefix(line, ";"); ok {
				if rest, ok = strings.CutPrefix(trimSpace(rest), "q="); !ok {
					break
				}
				if w.quality, line, ok = cutQuality(rest); !ok {
					break
				}
			}
			wishes = append(wishes, w)
			rest, more := strings.CutPrefix(trimSpace(line), ",")
			if !more {
				break
			}
			line = trimSpace(rest)
		}
	}
	return wishes
}

// isEncodingByte tells whether an ASCII character can be part of a name: those
// of a token (RFC 9110, section 5.6.2), and a slash.
func isEncodingByte(c byte) bool {
	return c > ' ' && !strings.ContainsRune(`"(),:;<=>?@[]\{}`, rune(c))
}

func trimSpace(text string) string { return strings.TrimLeft(text, " \t\r\n") }

// cutQuality reads a quality: 0 or 1, perhaps with a fraction. As in promhttp it may
// be of any length, and above 1.
func cutQuality(text string) (quality float64, rest string, ok bool) {
	if text == "" || text[0] != '0' && text[0] != '1' {
		return 0, "", false
	}
	quality, text = float64(text[0]-'0'), text[1:]
	fraction, dotted := strings.CutPrefix(text, ".")
	if !dotted {
		return quality, text, true
	}
	digits, scale := 0.0, 1.0
	for fraction != "" && '0' <= fraction[0] && fraction[0] <= '9' {
		digits, scale = digits*10+float64(fraction[0]-'0'), scale*10
		fraction = fraction[1:]
	}
	quality += digits / scale
	return quality, fraction, true
}
