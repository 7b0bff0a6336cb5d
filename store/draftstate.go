package store

import (
	dto "github.com/prometheus/client_model/go"
)

// group returns the group as the draft has it, nil if there is none.
func (d *Draft) group(path string) *Group {
	if g, ok := d.groups[path]; ok {
		return g
	}
	if d.wiped {
		return nil
	}
	return d.store.groups[path]
}

// set replaces the group's old state by the new one; nil is no group. Dead groups do
// not count. A dead group is removed when its twin comes to life, as in Store.Apply.
func (d *Draft) set(key Key, old, g *Group) {
	d.groups[key.path] = g
	old, g = living(old), living(g)
	d.recount(old, g)
	switch {
	case old == nil && g != nil:
		d.add(key, +1)
		if twin := d.group(twinPath(key)); twin != nil && twin.Dead() {
			d.groups[twin.key.path] = nil
		}
	case old != nil && g == nil:
		d.add(key, -1)
	}
	if g == nil || old != nil {
		return // no new shape
	}
	names := keyNames(key)
	id := namesID(names)
	if d.store.shapes.byNames[id] == nil && d.shapes[id] == nil {
		if d.shapes == nil {
			d.shapes = map[string]*shape{}
		}
		d.shapes[id] = newShape(names)
	}
}

// add adds n to the numbers of groups.
func (d *Draft) add(key Key, n int) {
	d.added += n
	d.countQuota(key, n)
}

// recount moves the counts of families from a group's old state to its new one.
// Most pushes bring the same families as the one before.
func (d *Draft) recount(old, g *Group) {
	var before, after []held
	if old != nil {
		before = old.held
	}
	if g != nil {
		after = g.held
	}
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(before) > 0 && IsDerivedName(before[0].name):
			before = before[1:] // each group has it, so it is not counted
		case len(after) == 0 || len(before) > 0 && before[0].name < after[0].name:
			d.count(before[0].name)[before[0].typ]--
			before = before[1:]
		case len(before) == 0 || before[0].name > after[0].name:
			d.count(after[0].name)[after[0].typ]++
			after = after[1:]
		default:
			if before[0].typ != after[0].typ {
				c := d.count(before[0].name)
				c[before[0].typ]--
				c[after[0].typ]++
			}
			before, after = before[1:], after[1:]
		}
	}
}

func (d *Draft) count(name string) *typeCounts {
	c := d.families[name]
	if c == nil {
		c = new(typeCounts)
		d.families[name] = c
	}
	return c
}

// counts returns how many groups hold the family, by type.
func (d *Draft) counts(name string) typeCounts {
	var c typeCounts
	if f := d.store.families[name]; f != nil && !d.wiped {
		c = f.types
	}
	if more := d.families[name]; more != nil {
		for i := range c {
			c[i] += more[i]
		}
	}
	return c
}

// holder returns a group other than the one at path that holds the family with
// the type, nil if there is none. It looks at no more groups than the draft has.
func (d *Draft) holder(name string, typ dto.MetricType, path string) *Group {
	holds := func(g *Group) bool {
		if g == nil || g.key.path == path {
			return false
		}
		i, ok := g.find(name)
		return ok && g.held[i].typ == typ
	}
	for _, g := range d.groups {
		if holds(g) {
			return g
		}
	}
	f := d.store.families[name]
	if f == nil || d.wiped {
		return nil
	}
	for _, p := range f.pages {
		for _, m := range p.members {
			if _, redrawn := d.groups[m.path()]; !redrawn && holds(m.group) {
				return m.group
			}
		}
	}
	return nil
}
