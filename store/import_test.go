package store

import (
	"errors"
	"testing"
)

// An import begins with nothing and excludes all changes but a wipe until it is
// complete.
func TestImport(t *testing.T) {
	s := newTestStore(t, Settings{})
	a, b := mustKey(t, "/job/a"), mustKey(t, "/job/b")
	must := func(want uint64, groups int) {
		t.Helper()
		if begun, seq := s.Importing(); begun != want || seq != s.Sequence() || s.Groups() != groups {
			t.Errorf("begun at %d, %d groups at %d; want %d and %d", begun, s.Groups(), seq, want, groups)
		}
		_, put := s.Draft().Put(Push{Key: a, Time: 1})
		_, post := s.Draft().Post(Push{Key: a, Time: 1})
		_, del := s.Draft().Delete(a, "")
		_, _, fail := s.Draft().Fail(Push{Key: a, Time: 1}, "")
		for _, err := range []error{put, post, del, fail} {
			if errors.Is(err, ErrImporting) != (want != 0) {
				t.Errorf("a change: %v", err)
			}
		}
	}
	s.Apply(1, Event{Op: OpPut, Key: a, PushTime: 1})
	must(0, 1)
	s.Apply(2, Event{Op: OpImport})
	must(2, 0)
	s.Apply(3, Event{Op: OpPut, Key: b, PushTime: 1})
	must(2, 1)
	d := s.Draft()
	d.Wipe("")
	if _, err := d.Put(Push{Key: a, Time: 1}); err != nil {
		t.Errorf("behind a wipe: %v", err)
	}
	s.Apply(4, Event{Op: OpImport})
	must(4, 0)
	s.Apply(5, Event{Op: OpPut, Key: b, PushTime: 1})
	s.Apply(6, Event{Op: OpImported})
	must(0, 1)
	s.Apply(7, Event{Op: OpImport})
	s.Apply(8, Event{Op: OpWipe})
	must(0, 0)
}
