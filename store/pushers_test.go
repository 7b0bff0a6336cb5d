package store

import (
	"fmt"
	"strings"
	"testing"
)

// Who pushes a group is told by what was applied: each letter is a PUT from an
// origin of that name, in lower case a POST, ! a refused push from Z, - the
// expiry, and # a delete.
func TestPushers(t *testing.T) {
	for events, want := range map[string]string{
		"":              "none",
		"!":             "",
		"A":             "A1",
		"AAA":           "A3",
		"A!":            "A1",
		"A!A":           "A2",
		"!A":            "A1",
		"AB":            "B1 A1",
		"AAB":           "B1 A2",
		"AABBB":         "B3 A2",
		"ABA":           "A2 B1 contended",
		"A!BA":          "A2 B1 contended",
		"Aa":            "a1 A1",
		"aAaA":          "A2 a2",
		"AbA":           "A2 b1",
		"aaB":           "B1 a2",
		"ABCA":          "A2 C1 B1 contended",
		"ABCD":          "D1 C1 B1 A1",
		"ABCDE":         "E1 D1 C1 B1",
		"ABAB#A":        "A1",
		"ABA-":          "A2 B1 contended",
		"A-B":           "B1 A1",
		"ABABBBBBBBB":   "B9 A2",
		"ABABCCCCCCCC":  "C8 B2 A2",
		"ABABCCCCCC":    "C6 B2 A2",
		"ABABCCCCC":     "C5 B2 A2 contended",
		"AAAAAAAAAAAAB": "B1 A12",
	} {
		s := New(Settings{})
		key := mustKey(t, "/job/x")
		for i, c := range events {
			e := Event{Op: OpPut, Key: key, PushTime: int64(i + 1), Origin: string(c)}
			switch {
			case c == '!':
				e.Op, e.PushTime, e.FailTime, e.Origin = OpFail, 0, int64(i+1), "Z"
			case c == '-':
				e.Op, e.Expires, e.Forget, e.Origin = OpExpire, 1, 2, originExpiry
			case c == '#':
				e = Event{Op: OpDelete, Key: key}
			case 'a' <= c && c <= 'z':
				e.Op = OpPost
			}
			s.Apply(uint64(i+1), e)
		}
		got := "none"
		if g := s.Group(key); g != nil {
			var parts []string
			for _, p := range g.Pushers() {
				parts = append(parts, fmt.Sprintf("%s%d", strings.ReplaceAll(p.Origin, "Z", "?"), p.Pushes))
			}
			if g.Contended() {
				parts = append(parts, "contended")
			}
			got = strings.Join(parts, " ")
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", events, got, want)
		}
	}
}

// The origins are no part of what gateways compare, and cost nothing while there
// is only one.
func TestPushersAreApart(t *testing.T) {
	key := mustKey(t, "/job/x")
	a, b := New(Settings{}), New(Settings{})
	for i, origin := range []string{"A", "B", "A"} {
		a.Apply(uint64(i+1), Event{Op: OpPut, Key: key, PushTime: 7, Origin: origin})
		b.Apply(uint64(i+1), Event{Op: OpPut, Key: key, PushTime: 7, Origin: "A"})
	}
	if a.Digest() != b.Digest() {
		t.Errorf("got digests %v and %v, want the same", a.Digest(), b.Digest())
	}
	if g := b.Group(key); g.pushers != nil || g.pushes != 3 {
		t.Errorf("one origin: got %d pushes, and a record %v", g.pushes, g.pushers)
	}
}
