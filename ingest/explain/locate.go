package explain

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"sluice/ingest/decode"
	"sluice/ingest/quote"
	"sluice/store"
)

// timestampText says where in a text body the metric has its first timestamp,
// and how many lines have one.
func (d *diagnosis) timestampText(name string) string {
	line, at, count := 0, 0, 0
	var where string
	for body := d.body; len(body) > 0; {
		var text []byte
		text, body, _ = bytes.Cut(body, []byte{'\n'})
		line++
		if at = timestampAt(text); at < 0 {
			continue
		}
		if count++; where == "" && isPartOf(text, name) {
			where = fmt.Sprintf("line %d, column %d: %s", line, column(text, at), quote.Excerpt(text[at:], quote.MaxExcerpt/2))
		}
	}
	if where != "" && count > 1 {
		where += fmt.Sprintf(" (%d lines have one)", count)
	}
	return where
}

// timestampAt returns where the timestamp of a good line is, -1 if there is none.
func timestampAt(text []byte) int {
	i := decode.SkipBlanks(text, 0)
	if i == len(text) || text[i] == '#' {
		return -1
	}
	i = valueAt(text)
	for i < len(text) && !decode.IsBlank(text[i]) {
		i++
	}
	if i = decode.SkipBlanks(text, i); i == len(text) {
		return -1
	}
	return i
}

// isPartOf tells whether a line has a sample of a metric, or of a part of it.
func isPartOf(text []byte, name string) bool {
	if isSampleOf(text, name) {
		return true
	}
	for _, suffix := range [...]string{"_bucket", "_sum", "_count"} {
		if at := bytes.Index(text[:min(len(text), len(name)+64)], []byte(suffix)); at >= 0 && isSampleOf(text, name+suffix) {
			return true
		}
	}
	return false
}

// timestampIndex says which metric of a protobuf body has the first timestamp.
func (d *diagnosis) timestampIndex() string {
	body := d.body
	for count := 1; len(body) > 0; count++ {
		mf, rest, err := decode.CutFamily(body)
		if err != nil {
			return ""
		}
		body = rest
		for i, m := range mf.GetMetric() {
			if m.TimestampMs != nil {
				return fmt.Sprintf("the first one is in family %d (%s), metric %d", count, quote.Excerpt(mf.GetName(), quote.MaxExcerpt), i+1)
			}
		}
	}
	return ""
}

// maxLooked bounds the lines that are compared with a series: they are taken
// apart for that.
const maxLooked = 100_000

// duplicateText says which lines of a text body have the series that is there
// twice.
func (d *diagnosis) duplicateText(err *decode.RefusedError, key store.Key) string {
	seen := map[string]int{}
	line, looked := 0, 0
	for body := d.body; len(body) > 0; {
		var text []byte
		text, body, _ = bytes.Cut(body, []byte{'\n'})
		line++
		if !isPartOf(text, err.Metric) {
			continue
		}
		if looked++; looked > maxLooked {
			return ""
		}
		identity, ok := matches(text, err.Labels, key)
		if !ok {
			continue
		}
		if first := seen[identity]; first > 0 {
			return fmt.Sprintf("line %d, column %d: the same series as in line %d", line, column(text, decode.SkipBlanks(text, 0)), first)
		}
		seen[identity] = line
	}
	return ""
}

// matches tells whether the labels of a line, with those of the group, are the
// label text of a metric, and returns what tells the lines of that metric apart.
func matches(text []byte, want string, key store.Key) (identity string, ok bool) {
	name, labels := sampleLabels(text)
	set := map[string]string{model.InstanceLabel: ""}
	for _, l := range append(labels, key.Labels()...) {
		set[l.Name] = l.Value
	}
	for _, part := range []string{"", model.BucketLabel, model.QuantileLabel} {
		bound, has := set[part]
		if part != "" && !has {
			continue
		}
		delete(set, part)
		if joinLabels(set) == want {
			return name + "\xff" + part + "\xff" + bound, true
		}
		if has {
			set[part] = bound
		}
	}
	return "", false
}

// joinLabels is the canonical label text.
func joinLabels(set map[string]string) string {
	all := make([]store.Label, 0, len(set))
	for name, value := range set {
		all = append(all, store.Label{Name: name, Value: value})
	}
	slices.SortFunc(all, func(a, b store.Label) int { return cmp.Compare(a.Name, b.Name) })
	var text []byte
	for _, l := range all {
		if len(text) > 0 {
			text = append(text, ',')
		}
		text = decode.AppendLabel(text, l.Name, l.Value)
	}
	return string(text)
}

// sampleLabels reads the name and the labels of a good line.
func sampleLabels(text []byte) (name string, labels []store.Label) {
	i := decode.SkipBlanks(text, 0)
	start := i
	for i < len(text) && !decode.IsBlank(text[i]) && text[i] != '{' {
		i++
	}
	name = string(text[start:i])
	if i = decode.SkipBlanks(text, i); i == len(text) || text[i] != '{' {
		return name, nil
	}
	unescape := strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n")
	for i++; i < len(text); i++ {
		i = decode.SkipBlanks(text, i)
		var token []byte
		next := i
		if i < len(text) && text[i] == '"' {
			if next = quotedEnd(text, i); next < 0 {
				return name, labels
			}
			token = text[i+1 : next-1]
		} else {
			token = word(text, i)
			next = i + len(token)
		}
		label := unescape.Replace(string(token))
		if i = decode.SkipBlanks(text, next); i < len(text) && text[i] == '=' {
			i = decode.SkipBlanks(text, i+1)
			end := -1
			if i < len(text) && text[i] == '"' {
				end = quotedEnd(text, i)
			}
			if end < 0 {
				return name, labels
			}
			labels = append(labels, store.Label{Name: label, Value: unescape.Replace(string(text[i+1 : end-1]))})
			i = decode.SkipBlanks(text, end)
		} else if name == "" {
			name = label
		}
		if i >= len(text) || text[i] != ',' {
			return name, labels
		}
	}
	return name, labels
}
