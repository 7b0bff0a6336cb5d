package store

import (
	"slices"
	"strings"

	"github.com/prometheus/common/model"
)

// maxRespellings is how many other sets of label names may become one set when
// they are escaped. Each series of a push is looked up under each of them, so
// their number is bounded; nobody needs so many ways to write the same labels.
const maxRespellings = 8

// respelling is another set of label names that becomes the same set when the
// names are escaped, so that two series, or two groups, may become the same one.
type respelling struct {
	names  []string // the other set, sorted
	from   []int    // for each of them the index of the label that becomes the same
	scheme model.EscapingScheme
	form   labelNames // what both sets become
}

// respell returns the other set as a respelling of names. Both become form.
func respell(names, other, form labelNames, scheme model.EscapingScheme) respelling {
	r := respelling{names: other.split(), scheme: scheme, form: form}
	r.from = make([]int, len(r.names))
	ours := byEscaped(names.split(), scheme)
	for i, at := range byEscaped(r.names, scheme) {
		r.from[at] = ours[i]
	}
	return r
}

// byEscaped returns the indexes of the names, sorted by the escaped names.
func byEscaped(names []string, scheme model.EscapingScheme) []int {
	escaped, order := make([]string, len(names)), make([]int, len(names))
	for i, name := range names {
		escaped[i], order[i] = EscapeLabelName(name, scheme), i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(escaped[a], escaped[b]) })
	return order
}

// appendText writes the labels under their other names, as canonical text has
// them.
func (r respelling) appendText(dst, labels []byte) []byte {
	values := make([][]byte, 0, len(r.names))
	for rest := labels; len(rest) > 0; {
		var value []byte
		_, value, rest = cutLabel(rest)
		values = append(values, value)
	}
	for i, name := range r.names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendLabelName(dst, name), '=', '"')
		dst = append(append(dst, values[r.from[i]]...), '"')
	}
	return dst
}

// keys returns the keys whose groups have the labels under their other names: two
// if instance is empty, since a key may have it or not.
func (r respelling) keys(labels []Label) []Key {
	var job string
	other := make([]Label, len(r.names))
	for i, name := range r.names {
		other[i] = Label{name, labels[r.from[i]].Value}
		if name == JobLabel {
			job = other[i].Value
		}
	}
	keys := make([]Key, 0, 2)
	if key, err := NewKey(job, other...); err == nil {
		keys = append(keys, key)
	}
	i := slices.Index(other, Label{Name: InstanceLabel})
	if i < 0 {
		return keys
	}
	if key, err := NewKey(job, slices.Delete(other, i, i+1)...); err == nil {
		keys = append(keys, key)
	}
	return keys
}

// respellings finds the other sets that have been added to one of the indexes.
// Legacy names need no index: they are what other names become. more tells that
// there are too many.
func respellings(names labelNames, known ...*aliases[labelNames]) (found []respelling, more bool) {
	legacy := names.legacy()
	for _, scheme := range escapingSchemes {
		form, others := names, map[labelNames]bool{names: true}
		if !legacy {
			form = names.escape(scheme)
			others[form] = true
			found = append(found, respell(names, form, form, scheme))
		}
		count := 0
		for _, index := range known {
			for other := range index.of(form, only(scheme)) {
				if others[other] {
					continue
				}
				if count++; count > maxRespellings {
					return []respelling{{scheme: scheme, form: form}}, true
				}
				others[other] = true
				found = append(found, respell(names, other, form, scheme))
			}
		}
	}
	return found, false
}

// merged finds two names that become one when they are escaped, or one that
// becomes the name of the label which stands for the metric's own name: then the
// second one is empty.
func (n labelNames) merged() (first, second, form string, scheme model.EscapingScheme, found bool) {
	names := n.split()
	for _, scheme := range escapingSchemes {
		by := make(map[string]string, len(names))
		for _, name := range names {
			form := EscapeLabelName(name, scheme)
			if form == model.MetricNameLabel {
				return name, "", form, scheme, true
			}
			if first, taken := by[form]; taken {
				return first, name, form, scheme, true
			}
			by[form] = name
		}
	}
	return "", "", "", 0, false
}
