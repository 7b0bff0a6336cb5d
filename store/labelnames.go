package store

import (
	"bytes"
	"iter"
	"slices"
	"strings"
)

// mayHaveUTF8Names tells whether a name in the family may be no legacy name. It
// costs next to nothing where the parser has looked.
func (f *Family) mayHaveUTF8Names() bool {
	return !f.PlainNames && (mayQuoteNames(f.Text) || !isLegacyMetric(f.Name))
}

// labelled returns the labels of each metric of the family's text, as Metrics
// does, with the set of their names.
func (f *Family) labelled() iter.Seq2[[]byte, labelNames] {
	return func(yield func([]byte, labelNames) bool) {
		var written, last []byte // the names as they are written
		var names labelNames
		for m := range f.Metrics() {
			written = written[:0]
			for rest := m.Labels; len(rest) > 0; {
				var name []byte
				name, _, rest = cutLabel(rest)
				written = append(append(written, name...), nameSeparator...)
			}
			if !bytes.Equal(written, last) { // mostly they are those of the metric before
				written, last = last, written
				names = unquoteNames(last)
			}
			if !yield(m.Labels, names) {
				return
			}
		}
	}
}

// unquoteNames returns the set of names that are written one after another, each
// with a separator behind it.
func unquoteNames(written []byte) labelNames {
	var names []string
	for raw := range bytes.SplitSeq(bytes.TrimSuffix(written, []byte(nameSeparator)), []byte(nameSeparator)) {
		names = append(names, unquoteName(raw))
	}
	return joinNames(names)
}

// utf8LabelNames returns the sets of label names that metrics of the family have
// and that are not all legacy names, each once.
func (f *Family) utf8LabelNames() []labelNames {
	var sets []labelNames
	var last labelNames
	seen := map[labelNames]bool{}
	for _, names := range f.labelled() {
		if names == last || seen[names] {
			continue
		}
		last, seen[names] = names, true
		if !names.legacy() {
			sets = append(sets, names)
		}
	}
	return sets
}

// isLegacy tells whether all labels of the key have legacy names.
func (k Key) isLegacy() bool {
	return !slices.ContainsFunc(k.labels, func(l Label) bool { return !isLegacyLabel(l.Name) })
}

// scraped returns the labels that the group's own series have: those of the key,
// and instance.
func (k Key) scraped() []Label {
	if _, has := k.Get(InstanceLabel); has {
		return k.labels
	}
	at, _ := slices.BinarySearchFunc(k.labels, InstanceLabel, func(l Label, name string) int { return strings.Compare(l.Name, name) })
	return slices.Insert(slices.Clone(k.labels), at, Label{Name: InstanceLabel})
}

// namesOf returns the names of labels that are sorted by name.
func namesOf(labels []Label) labelNames {
	names := make([]string, len(labels))
	for i, l := range labels {
		names[i] = l.Name
	}
	return joinNames(names)
}

// setLabelNames keeps the sets of label names that escaping changes.
func (h *held) setLabelNames(sets []labelNames) {
	if len(sets) == 0 {
		return
	}
	if h.extra == nil {
		h.extra = &extra{}
	}
	h.extra.labels = sets
}

// labelNames returns these sets.
func (h *held) labelNames() []labelNames {
	if h == nil || h.extra == nil {
		return nil
	}
	return h.extra.labels
}

// noteLabels counts the label names of a group's family in and those of its
// former state out, nil for none.
func (f *family) noteLabels(old, now *held) {
	for _, names := range now.labelNames() {
		f.labels.add(names)
	}
	for _, names := range old.labelNames() {
		f.labels.remove(names)
	}
}
