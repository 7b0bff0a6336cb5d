package store

import (
	"container/heap"
	"math"
)

// retryDue is for how many nanoseconds a group that was said to be due is left
// alone: by then the event that makes an end of it should have been applied.
const retryDue = 1_000_000_000

// schedule knows when groups are due: to expire, or to be forgotten once they
// are dead. Each group that will be is in it once, at the time that it had when
// it was put there. A push that renews the group leaves the entry where it is:
// when its time comes, the group's own time counts. So a push costs nothing here,
// and there are no more entries than twice as many as groups.
type schedule struct {
	entries entries
	timed   int // groups that will be due
}

type entry struct {
	at   int64 // nanoseconds since 1970
	path string
}

// entries is a heap, the earliest first.
type entries []entry

func (e entries) Len() int           { return len(e) }
func (e entries) Less(i, j int) bool { return e[i].at < e[j].at }
func (e entries) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *entries) Push(x any)        { *e = append(*e, x.(entry)) }
func (e *entries) Pop() any {
	last := (*e)[len(*e)-1]
	(*e)[len(*e)-1] = entry{}
	*e = (*e)[:len(*e)-1]
	return last
}

// ExpiresAt returns when a time to live is over that begins at a time, both in
// nanoseconds: 0 for never, if it is not above 0. One that goes beyond what can
// be counted is over at the end of that.
func ExpiresAt(from, ttl int64) int64 {
	switch at := from + ttl; {
	case ttl <= 0:
		return 0
	case at < from:
		return math.MaxInt64
	default:
		return at
	}
}

// due returns when something has to be done about the group, 0 for never.
func (g *Group) due() int64 {
	if g.Dead() {
		return g.forget
	}
	return g.expires
}

// reschedule puts a group's new state (nil for none) in the place of the old one
// (nil for none).
func (s *Store) reschedule(old, g *Group) {
	if old != nil && old.due() != 0 {
		s.schedule.timed--
	}
	if g == nil || g.due() == 0 {
		return
	}
	s.schedule.timed++
	if old != nil && old.scheduled != 0 && old.scheduled <= g.due() {
		g.scheduled = old.scheduled
		return
	}
	s.enter(g, g.due())
	if len(s.schedule.entries) > 2*s.schedule.timed+1000 {
		s.tidy()
	}
}

func (s *Store) enter(g *Group, at int64) {
	g.scheduled = at
	heap.Push(&s.schedule.entries, entry{at, g.key.path})
}

// tidy drops entries of groups that have gone or have another one.
func (s *Store) tidy() {
	kept := s.schedule.entries[:0]
	for _, e := range s.schedule.entries {
		if g := s.groups[e.path]; g != nil && g.scheduled == e.at {
			kept = append(kept, e)
		}
	}
	clear(s.schedule.entries[len(kept):])
	s.schedule.entries = kept
	heap.Init(&s.schedule.entries)
}

// Due returns groups whose time to live is over at the given time, or which are
// dead and to be forgotten, at most limit of them. A draft decides what becomes
// of them (Draft.Due). Those that are returned are not returned again for a
// second. next is when to ask again, 0 for when there is nothing to come. Times
// are in nanoseconds since 1970.
func (s *Store) Due(now int64, limit int) (keys []Key, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.schedule.entries) > 0 && len(keys) < limit {
		first := s.schedule.entries[0]
		if first.at > now {
			break
		}
		heap.Pop(&s.schedule.entries)
		g := s.groups[first.path]
		if g == nil || g.scheduled != first.at || g.due() == 0 {
			continue // the group has gone, or has another entry
		}
		if g.due() > now {
			s.enter(g, g.due())
			continue
		}
		keys = append(keys, g.key)
		s.enter(g, now+retryDue)
	}
	if len(s.schedule.entries) > 0 {
		next = s.schedule.entries[0].at
	}
	return keys, next
}
