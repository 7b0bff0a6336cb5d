package store

import (
	"errors"
	"fmt"
	"testing"
)

// lostPut is an event that gives a group a family of one sample.
func lostPut(t *testing.T, job, family, typ string) Event {
	text := fmt.Sprintf("# TYPE %s %s\n%s{instance=\"\",job=%q} 1\n", family, typ, family, job)
	return Event{Op: OpPut, Key: mustKey(t, "/job/"+job), PushTime: 1e9, Families: texts(t, text)}
}

// Applying the event of a group makes the same group, whatever its state is.
func TestGroupsCanBeMadeAgain(t *testing.T) {
	s := New(Settings{})
	merged := lostPut(t, "merged", "a", "gauge")
	merged.Op, merged.FailTime, merged.Refusal, merged.Expires = OpPost, 7, "no", 99
	merged.Families[0].PushTime = 3
	failed := Event{Op: OpFail, Key: merged.Key, FailTime: 5, Refusal: "no"}
	failed.Key = lostPut(t, "failed", "a", "gauge").Key
	dead := Event{Op: OpExpire, Key: lostPut(t, "dead", "a", "gauge").Key, PushTime: 3, Expires: 4, Forget: 9}
	for i, e := range []Event{lostPut(t, "plain", "a", "gauge"), merged, failed, dead} {
		s.Apply(uint64(i)+1, e)
	}
	again := New(Settings{})
	seq := uint64(100)
	groups, _ := s.AllGroups()
	for _, g := range groups {
		seq++
		again.Apply(seq, g.Event())
		if made := again.Group(g.Key()); made == nil || !made.Same(g) {
			t.Errorf("group %s differs from what it was", g.Key())
		}
	}
	if got, want := again.Digest().Sum, s.Digest().Sum; got != want || again.Dead() != 1 || again.Groups() != 3 {
		t.Errorf("got digest %x of %d groups and %d dead, want %x of 3 and 1", got, again.Groups(), again.Dead(), want)
	}
}

// What stands in the stream of groups that are all to be made again stands in the way of
// none of them; a group that has been accepted since does.
func TestRestoreLooksAtAllGroupsTogether(t *testing.T) {
	s := New(Settings{MaxGroups: 1})
	s.Apply(1, lostPut(t, "a", "x", "gauge"))
	s.Apply(2, lostPut(t, "b", "y", "counter"))
	s.Apply(3, lostPut(t, "new", "z", "gauge"))
	s.Apply(4, lostPut(t, "back", "w", "gauge"))
	events := []Event{
		lostPut(t, "a", "y", "gauge"), lostPut(t, "b", "x", "counter"), // they have changed places
		lostPut(t, "c", "z", "counter"), // another type than that of new
		{Op: OpDelete, Key: lostPut(t, "back", "w", "gauge").Key},
		lostPut(t, "d", "w", "counter"),
	}
	errs, err := s.Draft().Restore(events)
	if err != nil {
		t.Fatal(err)
	}
	for i, err := range errs {
		var conflict *Conflict
		if got, want := errors.As(err, &conflict), i == 2; got != want {
			t.Errorf("event %d: got %v", i, err)
		}
	}
	stale := s.Draft()
	s.Skip(5)
	if _, err := stale.Restore(events); !errors.Is(err, ErrStale) {
		t.Errorf("behind its base: got %v, want ErrStale", err)
	}
}
