package store

// Draft judges changes one after another. It judges each against the store at one
// sequence, plus the changes that this draft has accepted before. A draft changes
// nothing: its events change the store when they are applied, once they are in the
// stream. A draft lives as long as one batch of changes and must not be used
// concurrently.
type Draft struct {
	store    *Store
	base     uint64
	wiped    bool                   // the store's own groups are hidden
	groups   map[string]*Group      // by path, nil for deleted
	families map[string]*typeCounts // what the draft's groups add to the store's counts
	shapes   map[string]*shape      // of the draft's groups, by namesID
	added    int                    // how many more groups there are than in the store, or than none if wiped
	quotaOf  *func(Key) Quota       // the store's when the draft was begun
	quotas   map[quotaID]int        // the same as added, for each quota

	names  aliases[metricName]             // of families that the draft has accepted
	labels map[string]*aliases[labelNames] // of these, by family
	keys   aliases[labelNames]             // of the draft's groups
}

// Draft begins a draft at the store's present sequence.
func (s *Store) Draft() *Draft {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return &Draft{store: s, base: s.sequence, quotaOf: s.quotaOf, groups: map[string]*Group{}, families: map[string]*typeCounts{}}
}

// Base returns the sequence that the changes are judged against. Their events may
// enter the stream only directly after it.
func (d *Draft) Base() uint64 { return d.base }

// Push is a push to be judged. Times are in nanoseconds since 1970.
type Push struct {
	Key Key
	// Families are canonical and sorted by name. None of them is a derived one
	// (IsDerivedName).
	Families []Family
	Time     int64
	// Expires is when the group's time to live is over, 0 for never.
	Expires int64
	// Origin says where it came from, for people.
	Origin string
}

// Put judges the replacement of a group. Its error is a *Conflict, a
// *TooManyGroups, ErrStale or ErrImporting.
func (d *Draft) Put(p Push) (Event, error) { return d.push(OpPut, p) }

// Post judges the merging of families into a group: they replace those of the
// same name. Otherwise it is like Put.
func (d *Draft) Post(p Push) (Event, error) { return d.push(OpPost, p) }

// push checks the pushed families and takes the event into the draft.
func (d *Draft) push(op Op, p Push) (Event, error) {
	d.store.mu.RLock()
	defer d.store.mu.RUnlock()
	if err := d.checkBase(); err != nil {
		return Event{}, err
	}
	e := Event{Op: op, Key: p.Key, PushTime: p.Time, Expires: p.Expires, Families: p.Families, Origin: p.Origin}
	old := living(d.group(p.Key.path))
	if old == nil {
		if err := d.checkLimits(p.Key); err != nil {
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

// checkBase returns why no change can be judged, nil if changes can. The store is
// locked.
func (d *Draft) checkBase() error {
	switch {
	case d.store.sequence != d.base, d.store.quotaOf != d.quotaOf:
		return ErrStale
	case d.store.importing != 0 && !d.wiped:
		return ErrImporting
	}
	return nil
}

// Delete removes a group. It returns an event even if there is no such group: another
// gateway may have made the group a moment ago, and a group must not survive a delete
// that was acknowledged.
func (d *Draft) Delete(key Key, origin string) (Event, error) {
	d.store.mu.RLock()
	defer d.store.mu.RUnlock()
	if err := d.checkBase(); err != nil {
		return Event{}, err
	}
	d.set(key, d.group(key.path), nil)
	return Event{Op: OpDelete, Key: key, Origin: origin}, nil
}

// Wipe removes all groups. It also ends an import that is not complete.
func (d *Draft) Wipe(origin string) Event {
	d.wiped = true
	clear(d.groups)
	clear(d.families)
	d.added = 0
	clear(d.quotas)
	return Event{Op: OpWipe, Origin: origin}
}

// Fail records that a push to the group was refused, and why, for people. The group
// keeps its families and its time to live; a dead group stays dead. If there is no
// such group, it is made with the time to live of the push. It returns false if that
// is not possible: because its times would be series of another group, or because
// there are too many groups.
func (d *Draft) Fail(p Push, reason string) (Event, bool, error) {
	d.store.mu.RLock()
	defer d.store.mu.RUnlock()
	if err := d.checkBase(); err != nil {
		return Event{}, false, err
	}
	e := Event{Op: OpFail, Key: p.Key, FailTime: p.Time, Expires: p.Expires, Refusal: reason, Origin: p.Origin}
	old := d.group(p.Key.path)
	switch {
	case old != nil && old.Dead():
		e.Op, e.PushTime, e.Expires, e.Forget = OpExpire, old.pushTime, old.expires, old.forget
	case old != nil:
		e.PushTime, e.Expires, e.Families = old.pushTime, old.expires, old.pushed()
	case d.checkLimits(p.Key) != nil || !d.store.settings.Unchecked && d.collides(p.Key):
		return Event{}, false, nil
	default:
		d.noteAliases(p.Key, nil)
	}
	d.set(p.Key, old, draftGroup(e))
	return e, true, nil
}

// Due ends a group whose time is over at now, in nanoseconds since 1970. A living
// group expires, and will be forgotten forgetAfter nanoseconds after its time to live
// was over. It is forgotten at once if there are as many dead groups as there may be
// groups. A dead group is forgotten. Due returns false if the time is not over,
// because the group was pushed again.
func (d *Draft) Due(key Key, now, forgetAfter int64) (Event, bool, error) {
	d.store.mu.RLock()
	defer d.store.mu.RUnlock()
	if err := d.checkBase(); err != nil {
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

// originExpiry is the Origin of events to which the time to live led.
const originExpiry = "time to live"

// isDue reports whether the group's time was over at now.
func (g *Group) isDue(now int64) bool {
	due := g.due()
	return due != 0 && due <= now
}
