package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// texts makes families out of canonical text.
func texts(tb testing.TB, text string) []Family {
	tb.Helper()
	families, err := ParseText([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return families
}

// Pages split, empty and fill again under views that must not notice.
func TestPagesUnderViews(t *testing.T) {
	const seed = 7
	random := rand.New(rand.NewPCG(seed, seed))
	s := newTestStore(t, Settings{})
	type held struct {
		view *View
		text string
	}
	var views []held
	for seq := uint64(1); seq <= 6000; seq++ {
		key := mustKey(t, fmt.Sprintf("/job/x/instance/%d", random.IntN(2000)))
		if random.IntN(3) == 0 {
			s.Apply(seq, Event{Op: OpDelete, Key: key})
		} else {
			name := []string{"a", "b"}[random.IntN(2)]
			text := fmt.Sprintf("# TYPE %s gauge\n%s{%s} %d\n", name, name, appendLabels(nil, key), seq)
			s.Apply(seq, Event{Op: OpPut, Key: key, PushTime: int64(seq), Families: texts(t, text)})
		}
		if seq%500 == 0 {
			v := s.View()
			views = append(views, held{v, v.text()})
			if err := s.invariants(); err != nil {
				t.Fatalf("seed %d, sequence %d: %v", seed, seq, err)
			}
		}
	}
	for _, h := range views {
		if got := h.view.text(); got != h.text {
			t.Errorf("the view at sequence %d has changed", h.view.Sequence())
		}
		n := 0
		for range h.view.Groups() {
			n++
		}
		if n != h.view.Len() {
			t.Errorf("the view at sequence %d lists %d groups, want %d", h.view.Sequence(), n, h.view.Len())
		}
	}
}

// What a replay has filled takes the place of the old state at once, and old
// views keep what they have.
func TestReplace(t *testing.T) {
	s := newTestStore(t, Settings{})
	apply := func(s *Store, seq uint64, instance string) {
		key := mustKey(t, "/job/x/instance/"+instance)
		s.Apply(seq, Event{Op: OpPut, Key: key, Families: texts(t, fmt.Sprintf("# TYPE a gauge\na{%s} %d\n", appendLabels(nil, key), seq))})
	}
	apply(s, 1, "old")
	old := s.View()
	before := old.text()
	fresh := s.Fresh()
	apply(fresh, 7, "new")
	fresh.View()
	replayed := fresh.View()
	s.Replace(fresh)
	if s.Sequence() != 7 || s.Groups() != 1 || s.Group(mustKey(t, "/job/x/instance/new")) == nil {
		t.Errorf("got sequence %d with %d groups, want 7 with the new one", s.Sequence(), s.Groups())
	}
	want := replayed.text()
	apply(s, 8, "new")
	apply(s, 9, "newer")
	if got := old.text(); got != before {
		t.Errorf("the old view has changed to\n%s", got)
	}
	if got := replayed.text(); got != want {
		t.Errorf("a view of the replay has changed to\n%s", got)
	}
}

func TestStaleDraft(t *testing.T) {
	s := newTestStore(t, Settings{})
	key := mustKey(t, "/job/x")
	d := s.Draft()
	s.Apply(1, Event{Op: OpPut, Key: key})
	if _, err := d.Put(Push{Key: key, Time: 1}); err != ErrStale {
		t.Errorf("Put: got %v, want %v", err, ErrStale)
	}
	if _, err := d.Delete(key, ""); err != ErrStale {
		t.Errorf("Delete: got %v, want %v", err, ErrStale)
	}
	if _, _, err := d.Fail(Push{Key: key, Time: 1}, ""); err != ErrStale {
		t.Errorf("Fail: got %v, want %v", err, ErrStale)
	}
}
