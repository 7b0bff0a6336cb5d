package ingest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"

	"sluice/ingest/decode"
	"sluice/store"
)

// base64Suffix marks a label whose value is written in base64url.
const base64Suffix = "@base64"

// keyReader reads grouping keys as Pushgateway does. Its errors are *Error.
type keyReader struct {
	scheme   model.ValidationScheme // of label names
	escaping model.EscapingScheme   // of label names in paths
	limits   decode.Limits
}

func newKeyReader(utf8Names bool, limits decode.Limits) keyReader {
	if utf8Names {
		return keyReader{model.UTF8Validation, model.ValueEncodingEscaping, limits}
	}
	return keyReader{model.LegacyValidation, model.NoEscaping, limits}
}

// maxQuoted bounds in bytes how much of a part of a key a message shows.
const maxQuoted = 120

// quoted quotes a part of a key for a message.
func quoted(s string) string {
	if len(s) > maxQuoted {
		return strconv.Quote(strings.ToValidUTF8(s[:maxQuoted], "")) + "..."
	}
	return strconv.Quote(s)
}

// refuseKey refuses a grouping key.
func refuseKey(format string, args ...any) *Error {
	return refuse(CodeInvalid, format, args...).withReason(reasonKey)
}

// checkLimits refuses a key that is too long. The key is part of each series of its
// group, and of the group's subject in the stream.
func (r keyReader) checkLimits(key store.Key) error {
	labels := key.Labels()
	if most := r.limits.Labels; most > 0 && len(labels) > most {
		return refuse(CodeInvalid, "the grouping key has %d labels, the limit is %d (--push.max-labels)", len(labels), most).withReason(decode.TooManyLabels)
	}
	if size := sizeOf("", labels); r.limits.LabelBytes > 0 && size > r.limits.LabelBytes {
		job, _ := key.Get(store.JobLabel)
		return r.tooLong(size, job)
	}
	return nil
}

// sizeOf returns the bytes of a job and of label names and values.
func sizeOf(job string, labels []store.Label) int {
	size := len(job)
	for _, l := range labels {
		size += len(l.Name) + len(l.Value)
	}
	return size
}

func (r keyReader) tooLong(size int, job string) error {
	return refuse(CodeInvalid, "the grouping key has %d bytes in its label names and values, the limit is %d (--push.max-label-bytes): job %s",
		size, r.limits.LabelBytes, quoted(job)).withReason(decode.LabelTooLong)
}

// path reads the key from the URL path behind the push route: job and labels, with
// percent-encoding resolved. A slash splits a value even if it was encoded; such
// values need base64.
func (r keyReader) path(job string, jobBase64 bool, labels string) (store.Key, error) {
	var parts []string
	if len(labels) > 1 {
		parts = strings.Split(labels[1:], "/")
		if len(parts)%2 != 0 {
			return store.Key{}, refuseKey("odd number of components in label string %s%s", quoted(labels), oddHint(jobBase64, parts))
		}
	}
	return r.parts(job, jobBase64, parts)
}

// parts reads the key from a job and a list of alternating label names and values.
func (r keyReader) parts(job string, jobBase64 bool, parts []string) (store.Key, error) {
	if jobBase64 {
		decoded, err := store.DecodeBase64URL(job)
		if err != nil {
			return store.Key{}, refuseKey("invalid base64url encoding in job name %s: %v%s", quoted(job), err, base64Hint(job))
		}
		job = decoded
	}
	labels := make([]store.Label, 0, len(parts)/2)
	for i := 0; i+1 < len(parts); i += 2 {
		written, value := parts[i], parts[i+1]
		trimmed, encoded := strings.CutSuffix(written, base64Suffix)
		name := model.UnescapeName(trimmed, r.escaping)
		if !r.valid(trimmed, name) {
			hint := r.nameHint(trimmed)
			if behindBase64 := i == 0 && jobBase64 || i > 1 && strings.HasSuffix(parts[i-2], base64Suffix); behindBase64 && strings.ContainsAny(written, "+=") {
				hint = "; the value before it is in the standard alphabet of base64, with a slash" + base64How
			}
			return store.Key{}, refuseKey("improper label name %s%s", quoted(trimmed), hint)
		}
		if encoded {
			decoded, err := store.DecodeBase64URL(value)
			if err != nil {
				return store.Key{}, refuseKey("invalid base64url encoding for label %s=%s: %v%s", trimmed, quoted(value), err, base64Hint(value))
			}
			value = decoded
		}
		labels = append(labels, store.Label{Name: name, Value: value})
	}
	key, err := store.NewKey(job, labels...)
	if err != nil {
		if size := sizeOf(job, labels); r.limits.LabelBytes > 0 && size > r.limits.LabelBytes {
			return store.Key{}, r.tooLong(size, job)
		}
		return store.Key{}, refuseKey("%v", err)
	}
	return key, nil
}

// valid tells whether a name, written in the path as trimmed, may label a group.
// Scrapes cannot carry names with a colon or a NUL: a name with a colon would not
// be quoted, and the text parser of Prometheus stops at a NUL.
func (r keyReader) valid(trimmed, name string) bool {
	return r.scheme.IsValidLabelName(name) &&
		!strings.HasPrefix(trimmed, model.ReservedLabelPrefix) && !strings.HasPrefix(name, model.ReservedLabelPrefix) &&
		!strings.ContainsAny(name, ":\x00")
}

// base64How tells how to write base64url.
const base64How = "\nbase64url is base64 with - for + and _ for /, and padding may be left out: base64 -w0 | tr '+/' '-_'"

// oddHint tells those whose path has a name too many, or a value too few, what
// may be the cause: a slash, also one of the standard alphabet of base64.
func oddHint(jobBase64 bool, parts []string) string {
	isBase64 := func(part string) bool { return strings.HasSuffix(part, base64Suffix) }
	if jobBase64 || slices.ContainsFunc(parts, isBase64) {
		return "; a slash splits a value that is in the standard alphabet of base64" + base64How
	}
	return "\nEach label of the path is a name and a value. Write a value with a slash in base64url: /path@base64/L3Zhci90bXA"
}

// base64Hint names the encoding to those who used another one.
func base64Hint(value string) string {
	switch {
	case strings.ContainsAny(value, "+/"):
		return "; this is the standard alphabet of base64, not base64url" + base64How
	case strings.ContainsAny(value, " \t\r\n"):
		return "; there is a blank or line feed in it" + base64How
	case strings.Contains(value, "%"):
		return "; there is a percent sign in it: was it escaped twice?" + base64How
	}
	return base64How
}

// nameHint says which label names a grouping key may have.
func (r keyReader) nameHint(name string) string {
	switch {
	case strings.HasPrefix(name, model.ReservedLabelPrefix):
		return ": names that begin with __ are reserved"
	case name == "":
		return ": it is empty"
	case strings.HasSuffix(name, base64Suffix):
		return ": it ends with " + base64Suffix + " twice"
	case strings.Contains(name, "@"):
		return ": an encoded value is marked by " + base64Suffix + " behind the name"
	case r.escaping == model.ValueEncodingEscaping:
		return "\nLabel names have letters, digits and _, and no digit first; others are escaped as U__..., with _2d_ for a dash."
	}
	return "\nLabel names have letters, digits and _, and no digit first; others need the flag --push.enable-utf8-names and are escaped as U__..., with _2d_ for a dash."
}
