package store

import (
	"bytes"

	dto "github.com/prometheus/client_model/go"
)

// inconsistent reports whether an event that was not checked may make the state
// inconsistent. It may be true of an event that does not, but is never false of one that
// does.
func (s *Store) inconsistent(e Event) bool {
	for i := range e.Families {
		if f := &e.Families[i]; f.Proto != nil || f.mayRepeat() {
			return true // a series may be in the family twice
		}
	}
	d := &Draft{store: s, base: s.sequence, groups: map[string]*Group{}, families: map[string]*typeCounts{}}
	return d.check(e.Key, living(s.groups[e.Key.path]), e.Families, e.Families) != nil
}

// mayRepeat reports whether the family's text has a series twice. A summary or histogram
// has no text then.
func (f *Family) mayRepeat() bool {
	switch f.Type {
	case dto.MetricType_SUMMARY, dto.MetricType_HISTOGRAM, dto.MetricType_GAUGE_HISTOGRAM:
		return false
	}
	for m := range f.Metrics() {
		if bytes.Count(m.Lines, []byte{'\n'}) > 1 {
			return true
		}
	}
	return false
}

// Suspect reports whether the view may be inconsistent. That is so if consistency is not
// checked (Settings.Unchecked), and an event looked inconsistent when it was applied.
func (v *View) Suspect() bool { return v.suspect }

// Cleared tells the store that a suspect view is consistent. Later views are then not
// suspect until another event looks inconsistent. Cleared has no effect if events were
// applied since the view was made.
func (s *Store) Cleared(v *View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sequence == v.sequence {
		s.suspect = false
	}
}
