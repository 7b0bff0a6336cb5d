package store

import (
	dto "github.com/prometheus/client_model/go"
)

// Draft judges changes one after another, each against the store at one
// sequence plus the changes that this draft has accepted before. It changes
// nothing: the events that it returns do, once they are in the stream. A draft
// is not safe for concurrent use and short-lived.
type Draft struct {
	store    *Store
	base     uint64
	wiped    bool                   // the store's own groups are hidden
	groups   map[string]*Group      // by path, nil for deleted
	families map[string]*typeCounts // what the draft's groups add to the store's counts
	shapes   map[string]*shape      // of the draft's groups, by namesID
	added    int                    // how many more groups there are than in the store, or than none if wiped
}

// Draft begins a draft at the store's present sequence.
func (s *Store) Draft() *Draft {
	return &Draft{store: s, base: s.Sequence(), groups: map[string]*Group{}, families: map[string]*typeCounts{}}
}

// Base is the sequence that the changes are judged against: their events may
// enter the stream only right behind it.
func (d *Draft) Base() uint64 { return d.base }

// Put judges the replacement of a group by the given families, which must be
// canonical, sorted by name, and not those of the group's own times. Its error
// is a *Conflict, a *TooManyGroups, ErrStale or ErrImporting. The time is in
// nanoseconds since 1970.
func (d *Draft) Put(key Key, families []Family, now int64, origin string) (Event, error) {
	return d.push(Event{Op: OpPut, Key: key, PushTime: now, Families: families, Origin: origin}, families)
}

// Post judges the merging of families into a group: they replace those of the
// same name. Otherwise it is like Put.
func (d *Draft) Post(key Key, families []Family, now int64, origin string) (Event, error) {
	e := Event{Op: OpPost, Key: key, PushTime: now, Families: families, Origin: origin}
	d.store.mu.RLock()
	if g := d.group(key.path); g != nil {
		e.Families = merge(g.pushed(), families)
	}
	d.store.mu.RUnlock()
	return d.push(e, families)
}

// merge returns the union of two sorted lists; where both have a name the
// second one's counts.
func merge(old, pushed []Family) []Family {
	all := make([]Family, 0, len(old)+len(pushed))
	for _, f := range pushed {
		for len(old) > 0 && old[0].Name < f.Name {
			all = append(all, old[0])
			old = old[1:]
		}
		if len(old) > 0 && old[0].Name == f.Name {
			old = old[1:]
		}
		all = append(all, f)
	}
	return append(all, old...)
}

// push checks the pushed families and takes the event into the draft.
func (d *Draft) push(e Event, pushed []Family) (Event, error) {
	d.store.mu.RLock()
	defer d.store.mu.RUnlock()
	if err := d.open(); err != nil {
		return Event{}, err
	}
	old := d.group(e.Key.path)
	if old != nil {
		e.FailTime, e.Refusal = old.failTime, old.refusal
	} else if d.full() {
		return Event{}, &TooManyGroups{Limit: d.store.settings.MaxGroups}
	}
	if !d.store.settings.Unchecked {
		if conflict := d.check(e.Key, old, e.Families, pushed); conflict != nil {
			return Event{}, conflict
		}
	}
	d.set(e.Key, old, draftGroup(e))
	return e, nil
}

// open tells whether changes can be judged at all. The store is locked.
func (d *Draft) open() error {
	switch {
	case d.store.sequence != d.base:
		return ErrStale
	case d.store.importing != 0 && !d.wiped:
		return ErrImporting
	}
	return nil
}

// Delete takes a group away. There is an event even if there is no such group:
// it may just have been made through another gateway, and what the client was
// told of must not survive.
func (d *Draft) Delete(key Key, origin string) (Event, error) {
	d.store.mu.RLock()
	defer d.store.mu.RUnlock()
	if err := d.open(); err != nil {
		return Event{}, err
	}
	d.set(key, d.group(key.path), nil)
	return Event{Op: OpDelete, Key: key, Origin: origin}, nil
}

// Wipe takes all groups away.
func (d *Draft) Wipe(origin string) Event {
	d.wiped = true
	clear(d.groups)
	clear(d.families)
	d.added = 0
	return Event{Op: OpWipe, Origin: origin}
}

// Fail records that a push to the group was refused at the given time: the
// group keeps what it has, and is made if it does not exist. The reason is for
// people. There is no event (false) if a group of this key could not exist, since
// its times would be the series of another one's, or there are too many.
func (d *Draft) Fail(key Key, now int64, origin, reason string) (Event, bool, error) {
	d.store.mu.RLock()
	defer d.store.mu.RUnlock()
	if err := d.open(); err != nil {
		return Event{}, false, err
	}
	e := Event{Op: OpFail, Key: key, FailTime: now, Refusal: reason, Origin: origin}
	old := d.group(key.path)
	if old != nil {
		e.PushTime, e.Families = old.pushTime, old.pushed()
	} else if d.full() || d.twin(key) != nil && !d.store.settings.Unchecked {
		return Event{}, false, nil
	}
	d.set(key, old, draftGroup(e))
	return e, true, nil
}

// full tells whether there may be no more groups.
func (d *Draft) full() bool {
	n := d.added
	if !d.wiped {
		n += len(d.store.groups)
	}
	return d.store.settings.MaxGroups > 0 && n >= d.store.settings.MaxGroups
}

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

// set puts the group's new state (nil for none) into the draft, in the place of
// the old one.
func (d *Draft) set(key Key, old, g *Group) {
	d.groups[key.path] = g
	d.recount(old, g)
	switch {
	case old == nil && g != nil:
		d.added++
	case old != nil && g == nil:
		d.added--
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
		case len(before) > 0 && isTimeName(before[0].name):
			before = before[1:] // every group has it, so nobody counts it
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

// twin returns the group whose times would be the same series as those of the
// key's: the one that differs only in an empty instance being there or not.
func (d *Draft) twin(key Key) *Group {
	instance, has := key.Get(InstanceLabel)
	if has && instance != "" {
		return nil
	}
	labels := make([]Label, 0, len(key.labels)+1)
	for _, l := range key.labels {
		if l.Name != InstanceLabel {
			labels = append(labels, l)
		}
	}
	if !has {
		labels = append(labels, Label{Name: InstanceLabel})
	}
	job, _ := key.Get(JobLabel)
	other, err := NewKey(job, labels...)
	if err != nil {
		return nil // not possible: the labels are those of a key
	}
	return d.group(other.path)
}
