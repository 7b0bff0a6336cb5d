package api

import (
	"bytes"
	"iter"
	"strings"

	"sluice/store"
)

// maxNames is how many names a Difference lists of what was added, removed and changed.
const maxNames = 50

// Difference is what a push has changed in its group.
type Difference struct {
	// Added and Removed name families and, in families that stay, metrics: 50 each
	// at most, of the totals.
	Added        []string `json:"added"`
	AddedTotal   int      `json:"added_total"`
	Removed      []string `json:"removed"`
	RemovedTotal int      `json:"removed_total"`
	// Changed counts metrics with another value. Changes are the first 50 of them.
	Changed int      `json:"changed"`
	Changes []Change `json:"changes,omitempty"`
}

// Change is a metric with another value. A metric that is not one number, such as a
// histogram, has no values here.
type Change struct {
	Name   string `json:"name"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// compare compares two states of a group, whose families are sorted by name. It
// calls changed for each metric with another value.
func compare(before, after []store.Family, changed func(store.Family, store.Metric)) Difference {
	d := Difference{Added: []string{}, Removed: []string{}}
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(after) == 0 || len(before) > 0 && before[0].Name < after[0].Name:
			d.remove(before[0].Name)
			before = before[1:]
		case len(before) == 0 || before[0].Name > after[0].Name:
			d.add(after[0].Name)
			after = after[1:]
		default:
			d.family(before[0], after[0], changed)
			before, after = before[1:], after[1:]
		}
	}
	return d
}

func (d *Difference) add(name string) {
	if d.AddedTotal++; len(d.Added) < maxNames {
		d.Added = append(d.Added, name)
	}
}

func (d *Difference) remove(name string) {
	if d.RemovedTotal++; len(d.Removed) < maxNames {
		d.Removed = append(d.Removed, name)
	}
}

// family compares two states of one family.
func (d *Difference) family(before, after store.Family, changed func(store.Family, store.Metric)) {
	if bytes.Equal(before.Samples(), after.Samples()) {
		if !bytes.Equal(before.Proto, after.Proto) {
			d.change(Change{Name: after.Name}) // what text does not carry
		}
		return
	}
	old, leave := iter.Pull(before.Metrics())
	defer leave()
	was, more := old()
	for m := range after.Metrics() {
		for more && bytes.Compare(was.Labels, m.Labels) < 0 {
			d.remove(nameOf(before.Name, was))
			was, more = old()
		}
		switch {
		case !more || !bytes.Equal(was.Labels, m.Labels):
			d.add(nameOf(after.Name, m))
			continue
		case !bytes.Equal(was.Lines, m.Lines):
			change := Change{Name: nameOf(after.Name, m)}
			if before.Type == after.Type && hasValues(after.Type) {
				change.Before, change.After = valueOf(was), valueOf(m)
			}
			d.change(change)
			changed(after, m)
		}
		was, more = old()
	}
	for ; more; was, more = old() {
		d.remove(nameOf(before.Name, was))
	}
}

func (d *Difference) change(c Change) {
	if d.Changed++; len(d.Changes) < maxNames {
		d.Changes = append(d.Changes, c)
	}
}

// nameOf writes a metric as PromQL has it.
func nameOf(family string, m store.Metric) string {
	var b strings.Builder
	b.Grow(len(family) + len(m.Labels) + 2)
	b.WriteString(family)
	b.WriteByte('{')
	b.Write(m.Labels)
	b.WriteByte('}')
	return b.String()
}
