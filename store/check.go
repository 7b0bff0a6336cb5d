package store

import (
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// check judges pushed families, with which the group would have all families. It
// finds what prometheus.Gatherers would find in the next scrape, but looks only at
// the push and at what has the same names. There must be one type for each name, no
// family whose name is that of a series of a summary or histogram, and no series in
// two groups. Canonical text cannot hold a series twice, so check does not look for
// that. It returns nil if the push is consistent.
func (d *Draft) check(key Key, old *Group, all, pushed []Family) *Conflict {
	c := &Conflict{}
	if old == nil {
		if twin := d.twin(key); twin != nil {
			c.add(Offender{Name: PushTimeName, Labels: string(appendLabels(nil, key)), Group: twin.key})
			return c
		}
	}
	if o, bad := d.keyAlias(key); bad {
		c.add(o)
		return c
	}
	s := shapeCheck{draft: d, key: key}
	a := aliasCheck{draft: d, key: key, old: old, all: all, pushed: pushed, series: &s}
	a.prepare()
	for i := range pushed {
		f := &pushed[i]
		others := d.others(f.Name, old)
		if o, bad := d.checkType(key, f, others); bad {
			c.add(o)
			continue
		}
		if o, bad := d.checkSuffixes(key, old, f, all); bad {
			c.add(o)
			continue
		}
		if o, bad := a.family(f); bad {
			c.add(o)
			continue
		}
		shared := others.total() > 0
		if shared {
			if o, bad := s.family(f); bad {
				c.add(o)
				continue
			}
		}
		if o, bad := a.labels(f, shared); bad {
			c.add(o)
		}
	}
	if c.Count > 0 {
		return c
	}
	return nil
}

// others counts the groups besides the one that is being replaced.
func (d *Draft) others(name string, old *Group) typeCounts {
	c := d.counts(name)
	if old != nil {
		if i, ok := old.find(name); ok {
			c[old.held[i].typ]--
		}
	}
	return c
}

// checkType finds a family of the same name and another type.
func (d *Draft) checkType(key Key, f *Family, others typeCounts) (Offender, bool) {
	if typ, reserved := d.store.settings.Reserved[f.Name]; reserved && typ != f.Type {
		return Offender{Name: f.Name, Type: f.Type, Other: f.Name, OtherType: typ, Self: true}, true
	}
	for typ, n := range others {
		if n > 0 && dto.MetricType(typ) != f.Type {
			return d.offender(key, f, f.Name, dto.MetricType(typ)), true
		}
	}
	return Offender{}, false
}

// offender names a group that holds the family in the way.
func (d *Draft) offender(key Key, f *Family, other string, typ dto.MetricType) Offender {
	o := Offender{Name: f.Name, Type: f.Type, Other: other, OtherType: typ}
	if g := d.holder(other, typ, key.path); g != nil {
		o.Group = g.key
	}
	return o
}

var suffixes = [...]string{"_count", "_sum", "_bucket"}

// checkSuffixes finds a pair of families in which the name of one is that of a
// series of the other, a summary or histogram. The pushed family may be either.
func (d *Draft) checkSuffixes(key Key, old *Group, f *Family, all []Family) (Offender, bool) {
	for _, suffix := range suffixes {
		if base, ok := strings.CutSuffix(f.Name, suffix); ok && base != "" {
			if o, bad := d.beside(key, old, f, all, base, func(typ dto.MetricType) bool { return hasSuffix(typ, suffix) }); bad {
				return o, true
			}
		}
		if hasSuffix(f.Type, suffix) {
			if o, bad := d.beside(key, old, f, all, f.Name+suffix, func(dto.MetricType) bool { return true }); bad {
				return o, true
			}
		}
	}
	return Offender{}, false
}

// hasSuffix reports whether a family of the type has series with the suffix.
func hasSuffix(typ dto.MetricType, suffix string) bool {
	return typ == dto.MetricType_HISTOGRAM || typ == dto.MetricType_SUMMARY && suffix != "_bucket"
}

// beside finds a family of the given name whose type is bad: in the group as it
// would be, in another group, or among the families of the gateway itself.
func (d *Draft) beside(key Key, old *Group, f *Family, all []Family, name string, bad func(dto.MetricType) bool) (Offender, bool) {
	if typ, reserved := d.store.settings.Reserved[name]; reserved && bad(typ) {
		return Offender{Name: f.Name, Type: f.Type, Other: name, OtherType: typ, Self: true}, true
	}
	if IsDerivedName(name) && bad(dto.MetricType_GAUGE) {
		return Offender{Name: f.Name, Type: f.Type, Other: name, OtherType: dto.MetricType_GAUGE, Self: true}, true
	}
	for i := range all {
		if all[i].Name == name && bad(all[i].Type) {
			return Offender{Name: f.Name, Type: f.Type, Other: name, OtherType: all[i].Type}, true
		}
	}
	for typ, n := range d.others(name, old) {
		if n > 0 && bad(dto.MetricType(typ)) {
			return d.offender(key, f, name, dto.MetricType(typ)), true
		}
	}
	return Offender{}, false
}
