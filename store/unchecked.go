package store

// inconsistent tells whether an event that nobody has checked may make the
// state inconsistent. It may be wrong in that the state stays consistent, never
// the other way round.
func (s *Store) inconsistent(e Event) bool {
	for i := range e.Families {
		if e.Families[i].Proto != nil {
			return true // a series may be in the family twice
		}
	}
	d := &Draft{store: s, base: s.sequence, groups: map[string]*Group{}, families: map[string]*typeCounts{}}
	return d.check(e.Key, living(s.groups[e.Key.path]), e.Families, e.Families) != nil
}

// Suspect tells whether the view may be inconsistent: what is in it was not
// checked (Settings.Unchecked), and something looked wrong when it came.
func (v *View) Suspect() bool { return v.suspect }

// Cleared tells the store that a view which was suspect is consistent after all,
// so that later ones need not be looked at again until something comes that may
// be wrong. If the store has moved on since, it is not known of what it has now.
func (s *Store) Cleared(v *View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sequence == v.sequence {
		s.suspect = false
	}
}
