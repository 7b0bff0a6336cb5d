package store

import (
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"pgregory.net/rapid"
)

// Where nobody checks, a view that prometheus.Gatherers finds inconsistent, perhaps
// only with its names escaped, is always suspect, also after it was cleared before.
func TestInconsistentViewsAreSuspect(t *testing.T) {
	t.Run("legacy names", func(t *testing.T) { rapid.Check(t, legacyPools.suspect) })
	t.Run("UTF-8 names", func(t *testing.T) { rapid.Check(t, utf8Pools.suspect) })
}

func (p pools) suspect(t *rapid.T) {
	reserved := map[string]dto.MetricType{"own": dto.MetricType_SUMMARY}
	s, m := New(Settings{Reserved: reserved, Unchecked: true}), plainModel{}
	for seq := uint64(1); seq <= uint64(rapid.IntRange(1, 15).Draw(t, "changes")); seq++ {
		key, draft, now := p.drawKey(t), s.Draft(), int64(seq)*1e9
		var e Event
		var err error
		switch rapid.IntRange(0, 5).Draw(t, "op") {
		case 0:
			e, err = draft.Delete(key, "")
			delete(m, key.Path())
		case 1:
			e, _, err = draft.Fail(Push{Key: key, Time: now}, "")
			m.fail(key, now, 0)
		default:
			families := p.drawFamilies(t, key)
			m.push(key, families, now, 0, true)
			e, err = draft.Put(Push{Key: key, Families: canonical(t, families), Time: now})
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Apply(seq, e)
		view, verdict := s.View(), p.consistent(m, reserved)
		if verdict != nil && !view.Suspect() {
			t.Fatalf("after %s of %s nothing is suspect, but %v", e.Op, key, verdict)
		}
		if verdict == nil && rapid.Bool().Draw(t, "cleared") {
			s.Cleared(view)
			if s.View().Suspect() {
				t.Fatal("suspect although cleared")
			}
		}
	}
}

// Where pushes are checked no view is suspect, and a clearance that comes too
// late clears nothing.
func TestSuspicion(t *testing.T) {
	apply := func(s *Store, seq uint64, job, typ string) {
		key := mustKey(t, "/job/"+job)
		s.Apply(seq, Event{Op: OpPut, Key: key, Families: texts(t, "# TYPE a "+typ+"\na{"+string(appendLabels(nil, key))+"} 1\n")})
	}
	checked, unchecked := New(Settings{}), New(Settings{Unchecked: true})
	apply(checked, 1, "x", "gauge")
	apply(unchecked, 1, "x", "gauge")
	early := unchecked.View()
	apply(checked, 2, "y", "counter") // nobody judged it
	apply(unchecked, 2, "y", "counter")
	unchecked.Cleared(early)
	if checked.View().Suspect() || early.Suspect() || !unchecked.View().Suspect() {
		t.Error("got another suspicion than that of the last view")
	}
}

// A series that is twice in one push is suspect, and several lines of one metric are
// not.
func TestRepeatedSeriesAreSuspect(t *testing.T) {
	f := func(want bool, text string) {
		t.Helper()
		s := New(Settings{Unchecked: true})
		key := mustKey(t, "/job/x")
		s.Apply(1, Event{Op: OpPut, Key: key, Families: texts(t, strings.ReplaceAll(text, "@", string(appendLabels(nil, key))))})
		if got := s.View().Suspect(); got != want {
			t.Errorf("%q: got %v", text, got)
		}
	}
	f(false, "# TYPE a gauge\na{a=\"1\",@} 1\na{a=\"2\",@} 1\n")
	f(true, "# TYPE a gauge\na{a=\"1\",@} 1\na{a=\"1\",@} 2\n")
	f(true, "# TYPE a untyped\na{a=\"0\",@} 1\na{a=\"1\",@} 1\na{a=\"1\",@} 1\n")
	f(false, "# TYPE a summary\na{@,quantile=\"0.5\"} 1\na_sum{@} 1\na_count{@} 1\n")
}

func TestMaxGroups(t *testing.T) {
	s := New(Settings{MaxGroups: 2})
	seq := uint64(0)
	x, y, z := mustKey(t, "/job/x"), mustKey(t, "/job/y"), mustKey(t, "/job/z")
	put := func(d *Draft, key Key) error {
		e, err := d.Put(Push{Key: key, Time: 1})
		if err == nil {
			seq++
			defer s.Apply(seq, e)
		}
		return err
	}
	if err := put(s.Draft(), x); err != nil {
		t.Fatal(err)
	}
	if err := put(s.Draft(), y); err != nil {
		t.Fatal(err)
	}
	if err, ok := put(s.Draft(), z).(*TooManyGroups); !ok || err.Quota.Max != 2 {
		t.Errorf("got %v, want that there are too many", err)
	}
	if err := put(s.Draft(), x); err != nil {
		t.Errorf("a group that is there: got %v", err)
	}
	if _, ok, err := s.Draft().Fail(Push{Key: z, Time: 1}, ""); ok || err != nil {
		t.Errorf("a refusal makes a group too many: %v %v", ok, err)
	}
	if _, ok, err := s.Draft().Fail(Push{Key: y, Time: 1}, ""); !ok || err != nil {
		t.Errorf("a refusal of a group that is there is not noted: %v %v", ok, err)
	}
	d := s.Draft()
	if _, err := d.Delete(x, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Post(Push{Key: z, Time: 1}); err != nil {
		t.Errorf("no place behind a delete of the same batch: %v", err)
	}
	if _, err := d.Post(Push{Key: x, Time: 1}); err == nil {
		t.Error("more groups than may be in one batch")
	}
	d.Wipe("")
	for _, key := range []Key{x, y} {
		if _, err := d.Put(Push{Key: key, Time: 1}); err != nil {
			t.Errorf("no place behind a wipe of the same batch: %v", err)
		}
	}
	if _, err := d.Put(Push{Key: z, Time: 1}); err == nil {
		t.Error("more groups than may be behind a wipe")
	}
}
