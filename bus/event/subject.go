package event

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"sluice/store"
)

const (
	// logPart follows the prefix in the subjects of the stream.
	logPart = ".log."
	// maxToken is the longest readable token in bytes. Subjects go into the
	// server's index in memory, and a file name or a terminal line holds 255.
	maxToken = 200
	// hashMark begins the tokens that are not readable keys, all of which begin
	// with "job=".
	hashMark = '~'
	// wipeToken is the subject of wipes. A hash has 43 characters, so that it
	// cannot be one.
	wipeToken = string(hashMark) + "wipe"
	// importToken is the subject of what begins and ends an import.
	importToken = string(hashMark) + "import"
)

// Subjects returns the subjects of all events, with a wildcard.
func Subjects(prefix string) string { return prefix + logPart + "*" }

// Subject returns the subject of a group's events.
func Subject(prefix string, key store.Key) string {
	return string(appendToken([]byte(prefix+logPart), key))
}

// IsWipe tells whether a subject is that of wipes.
func IsWipe(subject string) bool { return strings.HasSuffix(subject, wipeToken) }

// appendToken writes the subject token of a group, for example
// job=backup,instance=db1: job first, then the other labels by name, all that
// is not plain percent-encoded. Of a key that would be longer than maxToken it
// is a hash. No two keys have the same token, and no key has wipeToken or
// importToken.
func appendToken(dst []byte, key store.Key) []byte {
	start := len(dst)
	job, _ := key.Get(store.JobLabel)
	dst = appendTokenLabel(dst, store.JobLabel, job)
	for _, l := range key.Labels() {
		if l.Name != store.JobLabel {
			dst = append(dst, ',')
			dst = appendTokenLabel(dst, l.Name, l.Value)
		}
	}
	if len(dst)-start <= maxToken {
		return dst
	}
	sum := sha256.Sum256(dst[start:])
	dst = append(dst[:start], hashMark)
	return base64.RawURLEncoding.AppendEncode(dst, sum[:])
}

func appendTokenLabel(dst []byte, name, value string) []byte {
	dst = appendPercent(dst, name)
	dst = append(dst, '=')
	return appendPercent(dst, value)
}

// parseToken is the inverse of appendToken. It fails for hashes.
func parseToken(token string) (store.Key, error) {
	if token == "" || token[0] == hashMark {
		return store.Key{}, fmt.Errorf("subject token %q does not tell the group", token)
	}
	var job string
	var labels []store.Label
	for part := range strings.SplitSeq(token, ",") {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return store.Key{}, fmt.Errorf("subject token %q has a label without a value", token)
		}
		name, err := parsePercent(name)
		if err != nil {
			return store.Key{}, fmt.Errorf("cannot read subject token %q: %w", token, err)
		}
		if value, err = parsePercent(value); err != nil {
			return store.Key{}, fmt.Errorf("cannot read subject token %q: %w", token, err)
		}
		if name == store.JobLabel {
			job = value
			continue
		}
		labels = append(labels, store.Label{Name: name, Value: value})
	}
	return store.NewKey(job, labels...)
}

// appendPercent writes s with all bytes percent-encoded that could mean
// something in a subject, in a token or in a header.
func appendPercent(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '_', c == '-', c == ':', c == '@', c == '/':
			dst = append(dst, c)
		default:
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

var errPercent = errors.New("bad percent-encoding")

// parsePercent is the inverse of appendPercent.
func parsePercent(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 {
		return strings.Clone(s), nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			out = append(out, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", errPercent
		}
		high, low := unhex(s[i+1]), unhex(s[i+2])
		if high < 0 || low < 0 {
			return "", errPercent
		}
		out = append(out, byte(high<<4|low))
		i += 2
	}
	return string(out), nil
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
