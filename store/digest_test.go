package store

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"pgregory.net/rapid"
)

// placed is an event at its place in a stream.
type placed struct {
	seq uint64
	Event
}

// lastOf is what a stream keeps: the newest event of each subject.
func lastOf(history []placed) []placed {
	kept := map[string]placed{}
	for _, p := range history {
		switch p.Op {
		case OpWipe, OpImport:
			clear(kept)
		case OpImported:
			continue // it has the subject of OpImport
		}
		kept[p.Key.Path()] = p
	}
	return slices.SortedFunc(maps.Values(kept), func(a, b placed) int { return int(a.seq) - int(b.seq) })
}

// all describes all that a state has, in words.
func (s *Store) all() map[string]string {
	words := map[string]string{}
	for path, g := range s.groups {
		text := fmt.Sprintf("pushed %d failed %d %q expires %d forget %d\n", g.pushTime, g.failTime, g.refusal, g.expires, g.forget)
		for f := range g.Families() {
			text += fmt.Sprintf("%s %s %d\n%s%x\n", f.Name, f.Type, f.PushTime, f.Text, f.Proto)
		}
		words[path] = text
	}
	return words
}

// drawHistory makes a stream by judged changes.
func drawHistory(t *rapid.T) []placed {
	s := New(Settings{})
	var history []placed
	now := int64(1e9)
	for range rapid.IntRange(1, 40).Draw(t, "changes") {
		now += rapid.SampledFrom([]int64{0, 1, 15, 40}).Draw(t, "seconds") * 1e9
		key, draft := legacyPools.drawKey(t), s.Draft()
		if instance, has := key.Get(InstanceLabel); has && instance == "" {
			// A dead group that made room for its twin comes back in a replay once
			// the twin is deleted: then the states differ, and so do the digests.
			continue
		}
		var e Event
		ok := true
		var err error
		switch rapid.IntRange(0, 12).Draw(t, "op") {
		case 0, 1:
			e, err = draft.Delete(key, "")
		case 2, 3:
			e, ok, err = draft.Due(key, now, 20e9)
		case 4:
			e = draft.Wipe("")
			if rapid.Bool().Draw(t, "import") {
				e.Op = OpImport
			}
		default:
			push := Push{Key: key, Families: canonical(t, legacyPools.drawFamilies(t, key)), Time: now}
			if rapid.Bool().Draw(t, "has a time to live") {
				push.Expires = now + rapid.Int64Range(1, 20).Draw(t, "time to live")*1e9
			}
			if e, err = draft.Post(push); err != nil {
				e, ok, err = draft.Fail(push, err.Error())
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			continue
		}
		history = append(history, placed{uint64(len(history) + 1), e})
		s.Apply(uint64(len(history)), e)
		if e.Op == OpImport {
			e = Event{Op: OpImported}
			history = append(history, placed{uint64(len(history) + 1), e})
			s.Apply(uint64(len(history)), e)
		}
	}
	return history
}

func replayed(t *rapid.T, history []placed) *Store {
	s := New(Settings{})
	for _, p := range history {
		s.Apply(p.seq, p.Event)
		if err := s.invariants(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// The newest event of each group makes the digest of the whole history, and
// states have the same digest only if they are the same.
func TestDigestIsThatOfTheState(t *testing.T) {
	states := map[uint64]map[string]string{}
	rapid.Check(t, func(t *rapid.T) {
		history := drawHistory(t)
		whole := replayed(t, history)
		if d := whole.Digest(); !d.Settled || d.Sequence != uint64(len(history)) {
			t.Fatalf("got %+v of a history of %d events", d, len(history))
		}
		again := New(Settings{})
		fresh := again.Fresh()
		for _, p := range lastOf(history) {
			fresh.Apply(p.seq, p.Event)
		}
		fresh.Skip(uint64(len(history)))
		again.Replace(fresh)
		if !maps.Equal(again.all(), whole.all()) {
			t.Fatalf("the newest events make another state:\n%v\nwant\n%v", again.all(), whole.all())
		}
		if got, want := again.Digest(), whole.Digest(); got.Sum != want.Sum || got.Sequence != want.Sequence {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		for _, s := range []*Store{whole, replayed(t, history[:len(history)-len(history)/3])} {
			sum := s.Digest().Sum
			if before, ok := states[sum]; ok && !maps.Equal(before, s.all()) {
				t.Fatalf("one digest of\n%v\nand\n%v", before, s.all())
			}
			states[sum] = s.all()
		}
	})
	if len(states) < 50 {
		t.Errorf("%d states only", len(states))
	}
}

// Each part of a group counts, and what is for people only does not.
func TestDigestCovers(t *testing.T) {
	event := func(change func(e *Event)) uint64 {
		e := Event{
			Op: OpPut, Key: mustKey(t, "/job/x/instance/a"), PushTime: 5, FailTime: 4, Expires: 9, Refusal: "r",
			Families: texts(t, "# TYPE a gauge\na{instance=\"a\",job=\"x\"} 1\n# TYPE b gauge\nb{instance=\"a\",job=\"x\"} 1\n"),
		}
		change(&e)
		s := newTestStore(t, Settings{})
		s.Apply(1, e)
		return s.Digest().Sum
	}
	same := event(func(*Event) {})
	for name, change := range map[string]func(e *Event){
		"origin":                   func(e *Event) { e.Origin = "http 192.0.2.1" },
		"operation":                func(e *Event) { e.Op = OpPost },
		"time of the group's push": func(e *Event) { e.Families[0].PushTime = e.PushTime },
		"names are looked at":      func(e *Event) { e.Families[0].PlainNames = false },
	} {
		if event(change) != same {
			t.Errorf("%s makes another digest", name)
		}
	}
	seen := map[uint64]string{same: "the plain group"}
	for name, change := range map[string]func(e *Event){
		"key":             func(e *Event) { e.Key = mustKey(t, "/job/x") },
		"push time":       func(e *Event) { e.PushTime++ },
		"failure time":    func(e *Event) { e.FailTime++ },
		"expiry":          func(e *Event) { e.Expires++ },
		"refusal":         func(e *Event) { e.Refusal = "s" },
		"dead":            func(e *Event) { e.Op, e.Forget, e.Families = OpExpire, 10, nil },
		"forgotten later": func(e *Event) { e.Op, e.Forget, e.Families = OpExpire, 11, nil },
		"family gone":     func(e *Event) { e.Families = e.Families[:1] },
		"value":           func(e *Event) { e.Families[1].Text = []byte("# TYPE b gauge\nb{instance=\"a\",job=\"x\"} 2\n") },
		"type":            func(e *Event) { e.Families[1].Type = dto.MetricType_COUNTER },
		"message":         func(e *Event) { e.Families[1].Proto = []byte("m") },
		"empty message":   func(e *Event) { e.Families[1].Proto = []byte{} },
		"time of one":     func(e *Event) { e.Families[0].PushTime = 3 },
		"time of other":   func(e *Event) { e.Families[1].PushTime = 3 },
	} {
		sum := event(change)
		if other, ok := seen[sum]; ok {
			t.Errorf("%s makes the digest of %s", name, other)
		}
		seen[sum] = name
	}
}

// digestStore applies puts of one group at sequences.
func digestStore(tb testing.TB) (s *Store, apply func(from, to uint64)) {
	s = newTestStore(tb, Settings{})
	return s, func(from, to uint64) {
		for seq := from; seq <= to; seq++ {
			s.Apply(seq, Event{Op: OpPut, Key: mustKey(tb, "/job/x"), PushTime: int64(seq)})
		}
	}
}

// sequences are those of the kept digests.
func (s *Store) sequences() []uint64 {
	_, kept := s.Digests()
	seqs := make([]uint64, len(kept))
	for i, d := range kept {
		seqs[i] = d.Sequence
	}
	return seqs
}

func TestDigestsAreKeptWhileSettled(t *testing.T) {
	s, apply := digestStore(t)
	expect := func(settled bool, want ...uint64) {
		t.Helper()
		if got := s.sequences(); !slices.Equal(got, want) || s.Digest().Settled != settled {
			t.Fatalf("at %d: got %v, settled %v, want %v, %v", s.Sequence(), got, s.Digest().Settled, want, settled)
		}
	}
	expect(true)
	apply(1, 520)
	expect(true, 256, 512)
	apply(600, 800) // what comes between 520 and 600 is missing
	expect(false, 256, 512)
	gaps, unsettled := s.Gaps()
	if !unsettled {
		t.Fatal("a gap is not told")
	}
	apply(900, 900)
	s.Settle(gaps, 850) // it was asked for before the second gap
	expect(false, 256, 512)
	gaps, _ = s.Gaps()
	s.Settle(gaps, 1000)
	apply(901, 999)
	expect(false, 256, 512)
	apply(1000, 1024)
	expect(true, 256, 512, 1024)
	s.Skip(1030)
	expect(false, 256, 512, 1024)
	apply(1032, 1032)
	s.Apply(1034, Event{Op: OpWipe}) // nothing before it matters
	expect(true, 256, 512, 1024)
	if sum := s.Digest().Sum; sum != 0 {
		t.Errorf("nothing has digest %016x", sum)
	}
}

func TestDigestsKeptAreTheLastOnes(t *testing.T) {
	s, apply := digestStore(t)
	apply(1, 100*DigestStep+1)
	seqs := s.sequences()
	if len(seqs) != keptDigests || seqs[0] != 37*DigestStep || seqs[keptDigests-1] != 100*DigestStep {
		t.Errorf("got %v", seqs)
	}
}

// What was asked of the old state says nothing about the one that takes its
// place, whose digests are those of its own stream.
func TestDigestsOfAReplacedState(t *testing.T) {
	s, apply := digestStore(t)
	apply(1, 300)
	apply(302, 302)
	gaps, _ := s.Gaps()
	fresh := s.Fresh()
	fresh.Apply(7, Event{Op: OpPut, Key: mustKey(t, "/job/y")})
	s.Replace(fresh)
	s.Settle(gaps, 7)
	if d, seqs := s.Digest(), s.sequences(); d.Settled || d.Sequence != 7 || len(seqs) != 0 {
		t.Fatalf("got %+v, %v", d, seqs)
	}
	gaps, _ = s.Gaps()
	s.Settle(gaps, 7)
	if !s.Digest().Settled {
		t.Error("not settled")
	}
}
