package store

import (
	"fmt"
	"iter"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drain does all that is due at a time, as the committer does.
func drain(t rapid.TB, s *Store, seq *uint64, now, forgetAfter int64) {
	for range 10 {
		keys, next := s.Due(now, 3)
		if len(keys) == 0 {
			if next != 0 && next <= now {
				t.Fatalf("nothing is due at %d, but the next time is %d", now, next)
			}
			return
		}
		for _, key := range keys {
			e, ok, err := s.Draft().Due(key, now, forgetAfter)
			if err != nil || !ok {
				t.Fatalf("group %s is said to be due: %v %v", key, ok, err)
			}
			*seq++
			s.Apply(*seq, e)
		}
	}
	t.Fatal("there is no end of what is due")
}

// A group is alive exactly from its last accepted push until its time to live is
// over, then dead until it is forgotten, whatever is pushed, refused, deleted or
// renewed in between, also if the clock goes back.
func TestTimeToLive(t *testing.T) {
	const forgetAfter = 20
	rapid.Check(t, func(t *rapid.T) {
		s := New(Settings{})
		type life struct {
			expires int64 // 0 for never
			alive   bool
		}
		lives := map[string]*life{}
		seq, now := uint64(0), int64(100)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			key := mustKey(t, fmt.Sprintf("/job/x/instance/%d", rapid.IntRange(0, 4).Draw(t, "instance")))
			l := lives[key.Path()]
			p := Push{Key: key, Time: now, Expires: rapid.SampledFrom([]int64{0, 1, 5, 30}).Draw(t, "time to live")}
			if p.Expires != 0 {
				p.Expires += now
			}
			var e Event
			var err error
			switch rapid.IntRange(0, 4).Draw(t, "op") {
			case 0:
				e, err = s.Draft().Delete(key, "")
				delete(lives, key.Path())
			case 1:
				e, _, err = s.Draft().Fail(p, "")
				if l == nil { // neither is a living group renewed nor a dead one revived
					lives[key.Path()] = &life{p.Expires, true}
				}
			case 2:
				e, err = s.Draft().Post(p)
				lives[key.Path()] = &life{p.Expires, true}
			default:
				e, err = s.Draft().Put(p)
				lives[key.Path()] = &life{p.Expires, true}
			}
			if err != nil {
				t.Fatal(err)
			}
			seq++
			s.Apply(seq, e)
			now += rapid.SampledFrom([]int64{0, 1, 1, 3, 10, 25, -5}).Draw(t, "time")
			if rapid.IntRange(0, 3).Draw(t, "nobody looks") == 0 {
				continue
			}
			drain(t, s, &seq, now, forgetAfter)
			for path, l := range lives {
				if l.alive && l.expires != 0 && l.expires <= now {
					l.alive = false
				}
				g := s.Group(mustKey(t, path))
				switch {
				case l.alive:
					if g == nil || g.Dead() || g.Expires() != l.expires {
						t.Fatalf("at %d group %s is %+v, want it alive until %d", now, path, g, l.expires)
					}
				case l.expires+forgetAfter <= now:
					if g != nil {
						t.Fatalf("at %d group %s is not forgotten", now, path)
					}
					delete(lives, path)
				case g == nil || !g.Dead() || g.Forget() != l.expires+forgetAfter:
					t.Fatalf("at %d group %s is %+v, want it dead until %d", now, path, g, l.expires+forgetAfter)
				}
			}
			if err := s.invariants(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// What is due and not done is said again after a second, and pushes that renew a
// group leave nothing behind in the schedule.
func TestScheduleIsBounded(t *testing.T) {
	s := newTestStore(t, Settings{})
	seq := uint64(0)
	put := func(path string, now, expires int64) {
		seq++
		s.Apply(seq, Event{Op: OpPut, Key: mustKey(t, path), PushTime: now, Expires: expires})
	}
	for now := range int64(10_000) {
		put("/job/x", now, now+1_000_000)
		put(fmt.Sprintf("/job/y/instance/%d", now), now, now+1_000_000)
		seq++
		s.Apply(seq, Event{Op: OpDelete, Key: mustKey(t, fmt.Sprintf("/job/y/instance/%d", now))})
	}
	if n := len(s.schedule.entries); n > 1100 {
		t.Errorf("%d entries for one group", n)
	}
	late := int64(2_000_000)
	for at, want := range map[int64]int{late: 1} {
		if keys, _ := s.Due(at, 10); len(keys) != want {
			t.Errorf("got %v, want one", keys)
		}
	}
	if keys, next := s.Due(late+1, 10); len(keys) != 0 || next != late+retryDue {
		t.Errorf("got %v again, next %d", keys, next)
	}
	if keys, _ := s.Due(late+retryDue, 10); len(keys) != 1 {
		t.Errorf("got %v, want it again after a second", keys)
	}
}

// A shorter time to live counts from the push that brings it.
func TestShorterTimeToLive(t *testing.T) {
	s := newTestStore(t, Settings{})
	key := mustKey(t, "/job/x")
	s.Apply(1, Event{Op: OpPut, Key: key, PushTime: 1, Expires: 1000})
	s.Apply(2, Event{Op: OpPut, Key: key, PushTime: 2, Expires: 10})
	if keys, _ := s.Due(10, 10); len(keys) != 1 {
		t.Errorf("got %v at 10, want the group", keys)
	}
	s.Apply(3, Event{Op: OpPut, Key: key, PushTime: 3})
	if keys, next := s.Due(1<<60, 10); len(keys) != 0 || next != 0 {
		t.Errorf("got %v, next %d, want nothing ever", keys, next)
	}
}

// A time to live beyond the end of time does not end before it began.
func TestExpiresAt(t *testing.T) {
	for _, test := range [][3]int64{{5, 10, 15}, {5, 0, 0}, {5, -1, 0}, {1 << 62, 1 << 62, math.MaxInt64}, {1 << 62, 1<<62 - 1, math.MaxInt64}} {
		if got := ExpiresAt(test[0], test[1]); got != test[2] {
			t.Errorf("%d for %d: got %d, want %d", test[0], test[1], got, test[2])
		}
	}
}

// A dead group is no group any more to whoever counts or lists the living.
func TestDeadGroupsDoNotCount(t *testing.T) {
	s := newTestStore(t, Settings{})
	s.Apply(1, Event{Op: OpPut, Key: mustKey(t, "/job/x"), PushTime: 1, Expires: 2})
	s.Apply(2, Event{Op: OpPut, Key: mustKey(t, "/job/y"), PushTime: 1})
	s.Apply(3, Event{Op: OpExpire, Key: mustKey(t, "/job/x"), PushTime: 1, Expires: 2, Forget: 9})
	view := s.View()
	list := func(groups iter.Seq[*Group]) string {
		var paths []string
		for g := range groups {
			paths = append(paths, g.key.path)
		}
		return strings.Join(paths, " ")
	}
	if view.Len() != 1 || view.LenDead() != 1 || s.Groups() != 1 || list(view.Groups()) != "/job/y" || list(view.Dead()) != "/job/x" || list(view.All()) != "/job/x /job/y" {
		t.Errorf("got %d and %d groups: living %q, dead %q, all %q", view.Len(), s.Groups(), list(view.Groups()), list(view.Dead()), list(view.All()))
	}
}
