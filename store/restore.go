package store

// AllGroups returns all groups in no order, those that have expired, too, and the sequence
// at which the store has them.
func (s *Store) AllGroups() (groups []*Group, sequence uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	groups = make([]*Group, 0, len(s.groups))
	for _, g := range s.groups {
		groups = append(groups, g)
	}
	return groups, s.sequence
}

// Event returns an event that makes the group what it is, for a stream that has lost the
// one which did. Its slices are shared with the group.
func (g *Group) Event() Event {
	e := Event{
		Op: OpPut, Key: g.key, PushTime: g.pushTime, FailTime: g.failTime, Families: g.pushed(),
		Expires: g.expires, Forget: g.forget, Refusal: g.refusal, Origin: g.origin,
	}
	switch {
	case g.Dead():
		e.Op, e.Families = OpExpire, nil
	case g.pushTime == 0:
		e.Op = OpFail
	}
	return e
}

// Same reports whether two groups show the same, whatever their sequences.
func (g *Group) Same(other *Group) bool {
	return g.sum == other.sum && g.key.path == other.key.path
}

// Restore judges events, each from Group.Event or a delete, that are to bring groups back
// to what they were. It looks at them together: what the store has now of their groups
// stands in the way of none. The groups had been accepted before, so no limit on their
// number counts. It returns an error for each event, nil or a *Conflict with another group
// that has been accepted since, or instead ErrStale or ErrImporting.
func (d *Draft) Restore(events []Event) ([]error, error) {
	d.store.mu.RLock()
	defer d.store.mu.RUnlock()
	if err := d.checkBase(); err != nil {
		return nil, err
	}
	for i := range events {
		d.set(events[i].Key, d.group(events[i].Key.path), nil)
	}
	errs := make([]error, len(events))
	for i := range events {
		e := &events[i]
		if e.Op == OpDelete {
			continue
		}
		if !d.store.settings.Unchecked {
			if conflict := d.check(e.Key, nil, e.Families, e.Families); conflict != nil {
				errs[i] = conflict
				continue
			}
			d.noteAliases(e.Key, e.Families)
		}
		d.set(e.Key, nil, draftGroup(*e))
	}
	return errs, nil
}
