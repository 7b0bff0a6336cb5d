package ingest

import (
	"strings"

	"github.com/prometheus/common/model"

	"sluice/store"
)

// base64Suffix marks a label whose value is written in base64url.
const base64Suffix = "@base64"

// keyReader reads grouping keys as Pushgateway does.
type keyReader struct {
	scheme   model.ValidationScheme // of label names
	escaping model.EscapingScheme   // of label names in paths
}

func newKeyReader(utf8Names bool) keyReader {
	if utf8Names {
		return keyReader{model.UTF8Validation, model.ValueEncodingEscaping}
	}
	return keyReader{model.LegacyValidation, model.NoEscaping}
}

// path reads the key from what follows the push route: job and labels as the
// URL path has them, with percent-encoding resolved. A slash in a value splits
// it even if it was encoded: base64 is the cure.
func (r keyReader) path(job string, jobBase64 bool, labels string) (store.Key, error) {
	var parts []string
	if len(labels) > 1 {
		parts = strings.Split(labels[1:], "/")
		if len(parts)%2 != 0 {
			return store.Key{}, refuse(CodeInvalid, "odd number of components in label string %q", labels)
		}
	}
	return r.parts(job, jobBase64, parts)
}

// parts reads the key from a job and a list of label names and values in turn.
func (r keyReader) parts(job string, jobBase64 bool, parts []string) (store.Key, error) {
	if jobBase64 {
		decoded, err := store.DecodeBase64URL(job)
		if err != nil {
			return store.Key{}, refuse(CodeInvalid, "invalid base64url encoding in job name %q: %v%s", job, err, base64Hint(job))
		}
		job = decoded
	}
	labels := make([]store.Label, 0, len(parts)/2)
	for i := 0; i+1 < len(parts); i += 2 {
		written, value := parts[i], parts[i+1]
		trimmed, encoded := strings.CutSuffix(written, base64Suffix)
		name := model.UnescapeName(trimmed, r.escaping)
		if !r.valid(trimmed, name) {
			return store.Key{}, refuse(CodeInvalid, "improper label name %q", trimmed)
		}
		if encoded {
			decoded, err := store.DecodeBase64URL(value)
			if err != nil {
				return store.Key{}, refuse(CodeInvalid, "invalid base64url encoding for label %s=%q: %v%s", trimmed, value, err, base64Hint(value))
			}
			value = decoded
		}
		labels = append(labels, store.Label{Name: name, Value: value})
	}
	key, err := store.NewKey(job, labels...)
	if err != nil {
		return store.Key{}, refuse(CodeInvalid, "%v", err)
	}
	return key, nil
}

// valid tells whether a name, written in the path as trimmed, may label a group.
// Names with a colon or a NUL are no names in a scrape: the first ones would not
// be quoted, and the text parser of Prometheus ends at the second ones.
func (r keyReader) valid(trimmed, name string) bool {
	return r.scheme.IsValidLabelName(name) &&
		!strings.HasPrefix(trimmed, model.ReservedLabelPrefix) && !strings.HasPrefix(name, model.ReservedLabelPrefix) &&
		!strings.ContainsAny(name, ":\x00")
}

// base64Hint tells those who used the other alphabet which one it is.
func base64Hint(value string) string {
	if strings.ContainsAny(value, "+/") {
		return " (this is the standard alphabet: use '-' for '+' and '_' for '/')"
	}
	return ""
}
