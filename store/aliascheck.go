package store

import (
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// aliasCheck finds names of one push that differ from others, but become the same
// when a scraper has them escaped: then the scrape is unreadable for that scraper.
// Where neither the push nor the store has a name that escaping changes, it looks
// at nothing else.
type aliasCheck struct {
	draft       *Draft
	key         Key
	old         *Group
	all, pushed []Family
	series      *shapeCheck
	names       aliases[metricName] // of pushed families
}

// family finds a family whose name, or the name of a series of which, becomes the
// same as one of f.
func (c *aliasCheck) family(f *Family) (Offender, bool) {
	legacy := f.PlainNames || isLegacyMetric(f.Name)
	if legacy && c.draft.store.names.empty() && c.draft.names.empty() && c.names.empty() {
		return Offender{}, false
	}
	for _, scheme := range escapingSchemes {
		name, among := f.Name, allSchemes
		if !legacy {
			name, among = EscapeMetricName(f.Name, scheme), only(scheme)
		}
		if o, bad := c.called(f, name, name, among, func(dto.MetricType) bool { return true }); bad {
			return o, true
		}
		for _, suffix := range suffixes {
			if hasSuffix(f.Type, suffix) {
				if o, bad := c.called(f, name+suffix, name+suffix, among, func(dto.MetricType) bool { return true }); bad {
					return o, true
				}
			}
			if base, ok := strings.CutSuffix(name, suffix); ok && base != "" {
				if o, bad := c.called(f, base, name, among, func(typ dto.MetricType) bool { return hasSuffix(typ, suffix) }); bad {
					return o, true
				}
			}
		}
		if legacy {
			break // it is the same with all schemes
		}
	}
	return Offender{}, false
}

// called finds a family with a bad type, other than f, whose name becomes the
// given one. Both then have form in common.
func (c *aliasCheck) called(f *Family, name, form string, among schemes, bad func(dto.MetricType) bool) (Offender, bool) {
	look := func(other string, by schemes) (Offender, bool) {
		o, found := c.draft.beside(c.key, c.old, f, c.all, other, bad)
		o.Alias = &Alias{Form: form, Scheme: by.first()}
		return o, found
	}
	if !isLegacyMetric(f.Name) { // two legacy names do not become one
		if o, found := look(name, among); found {
			return o, true
		}
	}
	for _, index := range []*aliases[metricName]{&c.names, &c.draft.store.names, &c.draft.names} {
		for other, by := range index.of(metricName(name), among) {
			if string(other) == f.Name {
				continue
			}
			if o, found := look(string(other), by); found {
				return o, true
			}
		}
	}
	return Offender{}, false
}

// prepare collects the names of the pushed families that escaping changes.
func (c *aliasCheck) prepare() {
	for i := range c.pushed {
		if f := &c.pushed[i]; !f.PlainNames && !isLegacyMetric(f.Name) {
			c.names.add(metricName(f.Name))
		}
	}
}

// labels finds labels of f that become the same, in one series or so that two
// series become one. shared tells whether other groups hold the family.
func (c *aliasCheck) labels(f *Family, shared bool) (Offender, bool) {
	var stored *aliases[labelNames]
	if known := c.draft.store.families[f.Name]; known != nil {
		stored = &known.labels
	}
	drafted := c.draft.labels[f.Name]
	if stored.empty() && drafted.empty() && !f.mayHaveUTF8Names() {
		return Offender{}, false
	}
	sets, ours := map[labelNames][]respelling{}, aliases[labelNames]{}
	for _, names := range f.labelled() {
		if _, seen := sets[names]; seen {
			continue
		}
		sets[names] = nil
		if names.legacy() {
			continue
		}
		ours.add(names)
		if first, second, form, scheme, found := names.merged(); found {
			return Offender{Name: f.Name, Alias: &Alias{Names: []string{first, second}, Form: form, Scheme: scheme}}, true
		}
	}
	any := false
	for names := range sets {
		found, more := respellings(names, &ours, stored, drafted)
		if more {
			return Offender{Name: f.Name, Alias: &Alias{Many: true, Form: strings.Join(found[0].form.split(), ","), Scheme: found[0].scheme}}, true
		}
		if !shared { // then only the push itself may have such series
			found = slices.DeleteFunc(found, func(r respelling) bool { _, ours := sets[joinNames(r.names)]; return !ours })
		}
		sets[names] = found
		any = any || len(found) > 0
	}
	if !any {
		return Offender{}, false
	}
	return c.respelled(f, sets, shared)
}

// respelled finds a series of f that is there under other names as well, which
// become the same.
func (c *aliasCheck) respelled(f *Family, sets map[labelNames][]respelling, shared bool) (Offender, bool) {
	var text []byte
	for labels, names := range f.labelled() {
		for _, r := range sets[names] {
			text = r.appendText(text[:0], labels)
			o := Offender{Name: f.Name, Labels: string(labels), Alias: &Alias{Labels: string(text), Scheme: r.scheme}}
			if hasMetric(f.Samples(), f.Type, text) {
				return o, true
			}
			if !shared {
				continue
			}
			if g := c.series.elsewhere(f.Name, text); g != nil {
				o.Group = g.key
				return o, true
			}
		}
	}
	return Offender{}, false
}

// keyAlias finds grouping labels that become the same, within the key or so that
// the times of two groups become the same series. The other group may be dead:
// then it tells that by a series.
func (d *Draft) keyAlias(key Key) (Offender, bool) {
	legacy := key.isLegacy()
	if legacy && d.store.shapes.utf8.empty() && d.keys.empty() {
		return Offender{}, false
	}
	labels := key.scraped()
	names := namesOf(labels)
	if !legacy {
		if first, second, form, scheme, found := names.merged(); found {
			return Offender{Alias: &Alias{Names: []string{first, second}, Form: form, Scheme: scheme}}, true
		}
	}
	found, more := respellings(names, &d.store.shapes.utf8, &d.keys)
	if more {
		return Offender{Alias: &Alias{Many: true, Form: strings.Join(found[0].form.split(), ","), Scheme: found[0].scheme}}, true
	}
	for _, r := range found {
		for _, other := range r.keys(labels) {
			if g := d.group(other.path); g != nil && other.path != key.path {
				return Offender{Labels: string(appendLabels(nil, key)), Group: g.key, Alias: &Alias{Scheme: r.scheme}}, true
			}
		}
	}
	return Offender{}, false
}

// noteAliases makes what an accepted change brings known to the changes behind it
// in the draft. What is noted may be gone again by then: whoever finds it here
// looks whether it is there.
func (d *Draft) noteAliases(key Key, pushed []Family) {
	if !key.isLegacy() {
		d.keys.add(namesOf(key.scraped()))
	}
	for i := range pushed {
		f := &pushed[i]
		if !f.mayHaveUTF8Names() {
			continue
		}
		if !isLegacyMetric(f.Name) {
			d.names.add(metricName(f.Name))
		}
		for _, names := range f.utf8LabelNames() {
			if d.labels == nil {
				d.labels = map[string]*aliases[labelNames]{}
			}
			if d.labels[f.Name] == nil {
				d.labels[f.Name] = &aliases[labelNames]{}
			}
			d.labels[f.Name].add(names)
		}
	}
}

// collides reports whether a group of the key cannot be scraped beside those that
// there are, or not at all.
func (d *Draft) collides(key Key) bool {
	if d.twin(key) != nil {
		return true
	}
	_, bad := d.keyAlias(key)
	return bad
}
