package store

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// byJob allows each job as many groups.
func byJob(most int) func(Key) Quota {
	return func(key Key) Quota {
		job, _ := key.Get(JobLabel)
		return Quota{Max: most, Rule: "rule 1", Of: fmt.Sprintf("job=%q", job)}
	}
}

func TestQuota(t *testing.T) {
	s := newTestStore(t, Settings{})
	s.SetQuotas(byJob(2))
	seq := uint64(0)
	put := func(path string) error {
		e, err := s.Draft().Put(Push{Key: mustKey(t, path), Time: 1, Expires: 10})
		if err == nil {
			seq++
			s.Apply(seq, e)
		}
		return err
	}
	full := func(path, want string) {
		t.Helper()
		var full *TooManyGroups
		if err := put(path); !errors.As(err, &full) || err.Error() != want {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	for _, path := range []string{"/job/x/i/1", "/job/x/i/2", "/job/y", "/job/x/i/1"} {
		if err := put(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	full("/job/x/i/3", `rule 1 allows 2 groups with job="x", and 2 exist`)
	s.SetQuotas(func(Key) Quota { return Quota{Max: 1, Rule: "rule 1"} })
	full("/job/z", "rule 1 allows 1 group in all, and 3 exist") // there were more before
	s.SetQuotas(nil)
	if err := put("/job/x/i/3"); err != nil {
		t.Errorf("without quotas: %v", err)
	}
	s.SetQuotas(byJob(1))
	drain(t, s, &seq, 10, 100)
	if err := put("/job/x/i/4"); err != nil {
		t.Errorf("dead groups count: %v", err)
	}
}

func TestTextOfMaxGroups(t *testing.T) {
	s := newTestStore(t, Settings{MaxGroups: 1})
	s.Apply(1, Event{Op: OpPut, Key: mustKey(t, "/job/x"), PushTime: 1})
	if _, err := s.Draft().Put(Push{Key: mustKey(t, "/job/y"), Time: 1}); err == nil || err.Error() != "the limit is 1 group, and 1 exists" {
		t.Errorf("got %v", err)
	}
}

// A draft that was begun under other quotas judges nothing.
func TestQuotasMakeDraftsStale(t *testing.T) {
	s := newTestStore(t, Settings{})
	d := s.Draft()
	s.SetQuotas(byJob(1))
	if _, err := d.Put(Push{Key: mustKey(t, "/job/x"), Time: 1}); !errors.Is(err, ErrStale) {
		t.Errorf("got %v, want ErrStale", err)
	}
}

// Quotas hold in a store that a replay has filled, also if they were set meanwhile.
func TestQuotasAfterReplay(t *testing.T) {
	for _, meanwhile := range []bool{false, true} {
		s := newTestStore(t, Settings{})
		if !meanwhile {
			s.SetQuotas(byJob(1))
		}
		fresh := s.Fresh()
		fresh.Apply(1, Event{Op: OpPut, Key: mustKey(t, "/job/x"), PushTime: 1})
		if meanwhile {
			s.SetQuotas(byJob(1))
		}
		s.Replace(fresh)
		var full *TooManyGroups
		if _, err := s.Draft().Put(Push{Key: mustKey(t, "/job/x/i/1"), Time: 1}); !errors.As(err, &full) {
			t.Errorf("set meanwhile %v: got %v, want a refusal", meanwhile, err)
		}
	}
}

// Whatever is pushed, refused, deleted, wiped, expires or is limited anew, in one batch
// or in many, a new group is accepted exactly if fewer living groups than its quota
// allows count together.
func TestQuotasAsCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(Settings{})
		quotas := func() func(Key) Quota {
			most, by := rapid.IntRange(0, 3).Draw(t, "most"), rapid.SampledFrom([]string{"", JobLabel, "i"}).Draw(t, "by")
			if most == 0 {
				return nil
			}
			return func(key Key) Quota {
				job, _ := key.Get(JobLabel)
				if job == "free" {
					return Quota{}
				}
				value, _ := key.Get(by)
				return Quota{Max: most, Rule: "rule", Of: value}
			}
		}
		of := quotas()
		s.SetQuotas(of)
		expires := map[string]int64{} // of the living groups
		full := func(key Key) bool {
			if _, exists := expires[key.Path()]; exists || of == nil || of(key).Max == 0 {
				return false
			}
			n := 0
			for path := range expires {
				other, err := ParseKey(path)
				if err != nil {
					t.Fatal(err)
				}
				if of(other) == of(key) {
					n++
				}
			}
			return n >= of(key).Max
		}
		seq, now := uint64(0), int64(1)
		for range rapid.IntRange(1, 30).Draw(t, "batches") {
			if rapid.IntRange(0, 9).Draw(t, "reload") == 0 {
				of = quotas()
				s.SetQuotas(of)
			}
			d, events := s.Draft(), []Event(nil)
			for range rapid.IntRange(1, 4).Draw(t, "changes") {
				path := "/job/" + rapid.SampledFrom([]string{"a", "b", "free"}).Draw(t, "job")
				if i := rapid.SampledFrom([]string{"", "1", "2", "3"}).Draw(t, "i"); i != "" {
					path += "/i/" + i
				}
				key, err := ParseKey(path)
				if err != nil {
					t.Fatal(err)
				}
				push := Push{Key: key, Time: now, Expires: rapid.SampledFrom([]int64{0, now + 2}).Draw(t, "expires")}
				var e Event
				switch op := rapid.IntRange(0, 9).Draw(t, "op"); op {
				case 0:
					e = d.Wipe("")
					clear(expires)
				case 1, 2:
					e, err = d.Delete(key, "")
					delete(expires, path)
				case 3:
					old := d.group(path)
					want := !full(key) || old != nil && old.Dead()
					var has bool
					if e, has, err = d.Fail(push, "no"); has != want {
						t.Fatalf("a refused push to %s is noted: %v, want %v", path, has, want)
					} else if !has {
						continue
					}
					if _, living := expires[path]; !living && e.Op == OpFail {
						expires[path] = push.Expires
					}
				default:
					want := full(key)
					e, err = d.Put(push)
					var refused *TooManyGroups
					if errors.As(err, &refused) != want {
						t.Fatalf("a push to %s: got %v, want that it is refused: %v", path, err, want)
					} else if want {
						continue
					}
					expires[path] = push.Expires
				}
				if err != nil {
					t.Fatal(err)
				}
				events = append(events, e)
			}
			for _, e := range events {
				seq++
				s.Apply(seq, e)
			}
			now++
			drain(t, s, &seq, now, 3)
			for path, at := range expires {
				if at != 0 && at <= now {
					delete(expires, path)
				}
			}
			if err := s.invariants(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// What a reload of the rules costs with 100,000 groups.
func BenchmarkSetQuotas(b *testing.B) {
	s := New(Settings{})
	for i := range 100_000 {
		s.Apply(uint64(i+1), Event{Op: OpPut, Key: mustKey(b, fmt.Sprintf("/job/x/i/%d", i)), PushTime: 1})
	}
	for b.Loop() {
		s.SetQuotas(byJob(1))
	}
}
