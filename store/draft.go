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
	jobs     map[string]int         // the same for each job

	names  aliases[metricName]             // of families that the draft has accepted
	labels map[string]*aliases[labelNames] // of these, by family
	keys   aliases[labelNames]             // of the draft's groups
}

// Draft begins a draft at the store's present sequence.
func (s *Store) Draft() *Draft {
	return &Draft{store: s, base: s.Sequence(), groups: map[string]*Group{}, families: map[string]*typeCounts{}}
}

// Base is the sequence that the changes are judged against: their events may
// enter the stream only right behind it.
func (d *Draft) Base() uint64 { return d.base }

// Push is a push to be judged. Times are in nanoseconds since 1970.
type Push struct {
	Key Key
	// Families are canonical, sorted by name, and none of those that the store
	// makes itself.
	Families []Family
	Time     int64
	// Expires is when the group's time to live is over, 0 for never.
	Expires int64
	// MaxOfJob is how many groups its job may have, 0 for any number.
	MaxOfJob int
	// Origin says where it came from, for people.
	Origin string
}

// Put judges the replacement of a group. Its error is a *Conflict, a
// *TooManyGroups, ErrStale or ErrImporting.
func (d *Draft) Put(p Push) (Event, error) { return d.push(OpPut, p) }

// Post judges the merging of families into a group: they replace those of the
// same name. Otherwise it is like Put.
func (d *Draft) Post(p Push) (Event, error) { return d.push(OpPost, p) }

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
func (d *Draft) push(op Op, p Push) (Event, error) {
	d.store.mu.RLock()
	defer d.store.mu.RUnlock()
	if err := d.open(); err != nil {
		return Event{}, err
	}
	e := Event{Op: op, Key: p.Key, PushTime: p.Time, Expires: p.Expires, Families: p.Families, Origin: p.Origin}
	old := living(d.group(p.Key.path))
	if old == nil {
		if err := d.full(p); err != nil {
			return Event{}, err
		}
	} else {
		e.FailTime, e.Refusal = old.failTime, old.refusal
		if op == OpPost && !old.isDue(p.Time) {
			e.Families = merge(old.pushed(), p.Families)
		}
	}
	if !d.store.settings.Unchecked {
		if conflict := d.check(p.Key, old, e.Families, p.Families); conflict != nil {
			return Event{}, conflict
		}
		d.noteAliases(p.Key, p.Families)
	}
	d.set(p.Key, old, draftGroup(e))
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
	clear(d.jobs)
	return Event{Op: OpWipe, Origin: origin}
}

// Fail records that a push to the group was refused: the group keeps what it
// has, also its time to live, or stays dead, and is made if it does not exist,
// with the time to live of the push. The reason is for people. There is no event (false) if a group of this
// key could not exist, since its times would be the series of another one's, or
// there are too many.
func (d *Draft) Fail(p Push, reason string) (Event, bool, error) {
	d.store.mu.RLock()
	defer d.store.mu.RUnlock()
	if err := d.open(); err != nil {
		return Event{}, false, err
	}
	e := Event{Op: OpFail, Key: p.Key, FailTime: p.Time, Expires: p.Expires, Refusal: reason, Origin: p.Origin}
	old := d.group(p.Key.path)
	switch {
	case old != nil && old.Dead():
		e.Op, e.PushTime, e.Expires, e.Forget = OpExpire, old.pushTime, old.expires, old.forget
	case old != nil:
		e.PushTime, e.Expires, e.Families = old.pushTime, old.expires, old.pushed()
	case d.full(p) != nil || !d.store.settings.Unchecked && d.collides(p.Key):
		return Event{}, false, nil
	default:
		d.noteAliases(p.Key, nil)
	}
	d.set(p.Key, old, draftGroup(e))
	return e, true, nil
}

// Due makes an end of a group whose time is over: a living one expires, and is
// forgotten a while after (in nanoseconds); a dead one is forgotten. There is no
// event (false) if the group's time is not over, since it was pushed again. Where
// there are as many dead groups as there may be groups, it is forgotten at once.
func (d *Draft) Due(key Key, now, forgetAfter int64) (Event, bool, error) {
	d.store.mu.RLock()
	defer d.store.mu.RUnlock()
	if err := d.open(); err != nil {
		return Event{}, false, err
	}
	old := d.group(key.path)
	if old == nil || !old.isDue(now) {
		return Event{}, false, nil
	}
	e := Event{Op: OpDelete, Key: key, Origin: originExpiry}
	limit := d.store.settings.MaxGroups
	if forget := old.expires + forgetAfter; !old.Dead() && forget > now && (limit == 0 || d.store.dead < limit) && !d.collides(key) {
		e.Op, e.PushTime, e.FailTime = OpExpire, old.pushTime, old.failTime
		e.Expires, e.Forget, e.Refusal = old.expires, forget, old.refusal
		d.set(key, old, draftGroup(e))
	} else {
		d.set(key, old, nil)
	}
	return e, true, nil
}

// originExpiry is the origin of events that no client has asked for.
const originExpiry = "time to live"

// isDue tells whether the group's time was over by then.
func (g *Group) isDue(now int64) bool {
	due := g.due()
	return due != 0 && due <= now
}

// full returns why there may be no new group, nil if there may.
func (d *Draft) full(p Push) error {
	groups, job := d.added, d.jobs[jobOf(p.Key)]
	if !d.wiped {
		groups += d.store.living()
		job += d.store.jobs[jobOf(p.Key)]
	}
	if limit := d.store.settings.MaxGroups; limit > 0 && groups >= limit {
		return &TooManyGroups{Limit: limit}
	}
	if p.MaxOfJob > 0 && job >= p.MaxOfJob {
		return &TooManyGroups{Limit: p.MaxOfJob, Job: jobOf(p.Key)}
	}
	return nil
}

func jobOf(key Key) string {
	job, _ := key.Get(JobLabel)
	return job
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
// the old one. Dead groups are known, but count for nothing; one goes when its
// twin comes to life, as in Store.Apply.
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

// add counts groups in or out.
func (d *Draft) add(key Key, n int) {
	d.added += n
	if d.jobs == nil {
		d.jobs = map[string]int{}
	}
	d.jobs[jobOf(key)] += n
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
		case len(before) > 0 && IsOwnName(before[0].name):
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

// twin returns the living group whose times would be the same series as those of
// the key's: the one that differs only in an empty instance being there or not.
func (d *Draft) twin(key Key) *Group {
	if path := twinPath(key); path != "" {
		return living(d.group(path))
	}
	return nil
}

// collides tells whether a group of the key cannot be scraped beside those that
// there are, or not at all.
func (d *Draft) collides(key Key) bool {
	if d.twin(key) != nil {
		return true
	}
	_, bad := d.keyAlias(key)
	return bad
}

// twinPath returns the path of the key that differs only in an empty instance
// being there or not, "" if the key has an instance.
func twinPath(key Key) string {
	instance, has := key.Get(InstanceLabel)
	if has && instance != "" {
		return ""
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
	twin, err := NewKey(job, labels...)
	if err != nil {
		return "" // not possible: the labels are those of a key
	}
	return twin.path
}

// living returns the group unless it is dead.
func living(g *Group) *Group {
	if g == nil || g.Dead() {
		return nil
	}
	return g
}
