package explain

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/prometheus/common/model"

	"sluice/ingest/decode"
	"sluice/ingest/quote"
	"sluice/store"
)

// timestampText says where in a text body the metric has its first timestamp,
// and how many lines have one.
func (d *diagnosis) timestampText(name string) string {
	var where string
	count := 0
	for line, text := range decode.Lines(d.body) {
		at := timestampAt(text)
		if at < 0 {
			continue
		}
		if count++; where == "" && isPartOf(text, name) {
			where = fmt.Sprintf("line %d, column %d: %s", line, column(text, at), quote.Short(text[at:]))
		}
	}
	if where != "" && count > 1 {
		where += fmt.Sprintf(" (%d lines have a timestamp)", count)
	}
	return where
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
				return fmt.Sprintf("the first one is in family %d (%s), metric %d", count, quote.Excerpt(mf.GetName()), i+1)
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
	looked := 0
	for line, text := range decode.Lines(d.body) {
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

// lineOfMetric returns the first line that has a sample of a metric, or of a
// part of it, from 1, or 0.
func lineOfMetric(body []byte, name string) int {
	for line, text := range decode.Lines(body) {
		if isPartOf(text, name) {
			return line
		}
	}
	return 0
}
