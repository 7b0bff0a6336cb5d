package store

import (
	"container/heap"
	"math"
)

// retryDue is after how many nanoseconds Due returns a group once more that is still
// due. By then the event that ends the group should have been applied.
const retryDue = 1_000_000_000

// schedule knows when groups are due: when living groups expire, and when dead ones
// are forgotten. Each such group has one entry, at the time at which it was due when
// the entry was made. A push that renews the group leaves the entry as it is; when the
// time of the entry comes, Due looks at the time of the group. So a push costs nothing
// here. Entries of groups that have gone stay until compact removes them.
type schedule struct {
	entries entries
	timed   int // number of groups that will be due
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

// ExpiresAt returns when a time to live of ttl nanoseconds that begins at from is over,
// in nanoseconds since 1970. It returns 0, never, if ttl is not above 0, and the last
// time that can be counted if ttl goes beyond it.
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

// due returns when the group expires, or when it is forgotten if it is dead. 0 is never.
func (g *Group) due() int64 {
	if g.Dead() {
		return g.forget
	}
	return g.expires
}

// reschedule replaces the entry of a group's old state by that of the new one; nil is
// no group.
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
		s.compactSchedule()
	}
}

// enter gives a group an entry.
func (s *Store) enter(g *Group, at int64) {
	g.scheduled = at
	heap.Push(&s.schedule.entries, entry{at, g.key.path})
}

// compactSchedule removes entries of groups that have gone or have another entry.
func (s *Store) compactSchedule() {
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

// Due returns the keys of groups whose time to live is over at now, and of dead groups
// that are to be forgotten: at most limit of them. Draft.Due makes an event of each. A
// group that was returned is not returned again for a second. next is when to ask again,
// 0 if no group will be due. Times are in nanoseconds since 1970.
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
