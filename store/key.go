package store

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
)

// JobLabel is the grouping label that every group has.
const JobLabel = model.JobLabel

// InstanceLabel is the label that every sample has. It is empty if neither the key nor
// the push has it, so that Prometheus does not set it to the gateway's address.
const InstanceLabel = model.InstanceLabel

// base64Suffix marks a label name whose value is written in base64url.
const base64Suffix = "@base64"

// Label is one label of a grouping key.
type Label struct {
	Name, Value string
}

// Key is a grouping key: the labels that name a group, "job" among them. The
// zero Key names no group. Keys are values: they may be copied and shared.
type Key struct {
	labels []Label // sorted by name, each name once
	path   string
}

// NewKey returns the key with the given labels. If a label is given twice, the last
// one counts. No label overrides job. Both are as in Pushgateway. It fails if job is
// empty or a value is not valid UTF-8, because such a group could not be scraped.
func NewKey(job string, labels ...Label) (Key, error) {
	if job == "" {
		return Key{}, errors.New("job name is required")
	}
	all := make([]Label, 0, len(labels)+1)
	for _, l := range slices.Backward(labels) {
		if l.Name != JobLabel && !slices.ContainsFunc(all, func(have Label) bool { return have.Name == l.Name }) {
			all = append(all, l)
		}
	}
	all = append(all, Label{JobLabel, job})
	for _, l := range all {
		if !model.LabelValue(l.Value).IsValid() {
			return Key{}, fmt.Errorf("value %.60q of label %.60q is not valid UTF-8", l.Value, l.Name)
		}
	}
	slices.SortFunc(all, func(a, b Label) int { return strings.Compare(a.Name, b.Name) })
	k := Key{labels: all}
	k.path = k.appendPath(nil)
	return k, nil
}

// ParseKey is the inverse of Key.Path. It also reads paths whose labels have another
// order, or whose values are in base64 without need.
func ParseKey(path string) (Key, error) {
	parts := strings.Split(path, "/")
	if len(parts) < 3 || parts[0] != "" || len(parts)%2 == 0 {
		return Key{}, fmt.Errorf("grouping key %q is not of the form /job/<job>{/<label>/<value>}", path)
	}
	var job string
	labels := make([]Label, 0, len(parts)/2)
	for i := 1; i < len(parts); i += 2 {
		name, value := parts[i], parts[i+1]
		if plain, ok := strings.CutSuffix(name, base64Suffix); ok {
			name = plain
			decoded, err := DecodeBase64URL(value)
			if err != nil {
				return Key{}, fmt.Errorf("value %q of label %q in grouping key %q is not base64url: %w", value, name, path, err)
			}
			value = decoded
		}
		name = model.UnescapeName(name, model.ValueEncodingEscaping)
		if name == JobLabel {
			job = value
		}
		labels = append(labels, Label{name, value})
	}
	return NewKey(job, labels...)
}

// DecodeBase64URL decodes a value in the URL-safe alphabet with or without
// padding, as Pushgateway does: the padding is optional and "=" is the empty
// value.
func DecodeBase64URL(value string) (string, error) {
	decoded, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(value, "="))
	return string(decoded), err
}

// Labels returns the labels sorted by name. The slice is shared: it must not be
// changed.
func (k Key) Labels() []Label { return k.labels }

// Map returns the labels as a new map.
func (k Key) Map() map[string]string {
	labels := make(map[string]string, len(k.labels))
	for _, l := range k.labels {
		labels[l.Name] = l.Value
	}
	return labels
}

// Get returns the value of a label and whether the key has it.
func (k Key) Get(name string) (string, bool) {
	for _, l := range k.labels {
		if l.Name == name {
			return l.Value, true
		}
	}
	return "", false
}

// Path returns the key as the URL path that follows the push route, for
// example /job/backup/instance/db1: job first, the other labels by name, values
// in base64url where they are not plain, and names that are no legacy names in
// the escaping U__. No two keys have the same path, so it identifies the group.
func (k Key) Path() string { return k.path }

// IsZero reports whether the key is the zero Key, which names no group.
func (k Key) IsZero() bool { return k.path == "" }

// String is Path.
func (k Key) String() string { return k.path }

func (k Key) appendPath(dst []byte) string {
	job, _ := k.Get(JobLabel)
	dst = appendPathLabel(dst, Label{JobLabel, job})
	for _, l := range k.labels {
		if l.Name != JobLabel {
			dst = appendPathLabel(dst, l)
		}
	}
	return string(dst)
}

func appendPathLabel(dst []byte, l Label) []byte {
	dst = append(dst, '/')
	dst = append(dst, escapeName(l.Name)...)
	if isPlain(l.Value) {
		dst = append(dst, '/')
		return append(dst, l.Value...)
	}
	dst = append(dst, base64Suffix+"/"...)
	if l.Value == "" {
		return append(dst, '=') // an empty path component would be lost
	}
	return base64.RawURLEncoding.AppendEncode(dst, []byte(l.Value))
}

// escapeName returns a legacy name as it is and any other in the escaping that
// Pushgateway reads in paths. A legacy name that looks escaped is escaped, too,
// or it would be read as another name.
func escapeName(name string) string {
	const mark = "U__"
	if model.LegacyValidation.IsValidLabelName(name) && !strings.HasPrefix(name, mark) {
		return name
	}
	if strings.HasPrefix(name, mark) {
		return mark + strings.ReplaceAll(name, "_", "__")
	}
	return model.EscapeName(name, model.ValueEncodingEscaping)
}

// isPlain reports whether a path can have the value as it is: it is not empty, and
// none of its characters needs percent-encoding.
func isPlain(value string) bool {
	if value == "" || value == "." || value == ".." {
		return false // routers remove such path components
	}
	for i := range len(value) {
		c := value[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("-._~:@!$&'()*+,;=", c) >= 0:
		default:
			return false
		}
	}
	return true
}
