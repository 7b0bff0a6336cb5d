package store

import "slices"

const (
	// maxPushers is how many origins of a group's pushes are known, and
	// maxPutOrder how many of its last PUTs.
	maxPushers  = 4
	maxPutOrder = 8
)

// Pusher is an origin from which a group was pushed.
type Pusher struct {
	// Origin is the address and the protocol, as in Event.Origin.
	Origin string
	// Time is that of its last push, in nanoseconds since 1970.
	Time int64
	// Pushes is how many of its pushes were applied. Of those before a replay only
	// the last one is known.
	Pushes int
}

// pushers are the origins of a group's pushes. Only a group with more than one has such
// a record. It is immutable, like the group. It is for people: it is not part of the
// digest, and it is lost when the process ends.
type pushers struct {
	known []Pusher            // at most maxPushers, in no order
	order [maxPutOrder]string // origins of the last PUTs, "" for none
	puts  int                 // PUTs in order, the oldest first
}

// Pushers returns the origins of the group's accepted pushes, at most four. The one
// that pushed last comes first.
func (g *Group) Pushers() []Pusher {
	if g.pushers == nil {
		if g.pushes == 0 {
			return nil
		}
		return []Pusher{{Origin: g.origin, Time: g.pushTime, Pushes: int(g.pushes)}}
	}
	known := slices.Clone(g.pushers.known)
	slices.SortFunc(known, func(a, b Pusher) int {
		switch {
		case a.Time > b.Time:
			return -1
		case a.Time < b.Time:
			return 1
		}
		return 0
	})
	return known
}

// Contended reports whether two origins seem to overwrite each other: among the last
// eight PUTs one has replaced the group, then another one, then the first one again.
func (g *Group) Contended() bool {
	if g.pushers == nil {
		return false
	}
	puts := g.pushers.order[:g.pushers.puts]
	for i, origin := range puts {
		for j := i + 2; j < len(puts); j++ {
			if puts[j] == origin && slices.ContainsFunc(puts[i+1:j], func(o string) bool { return o != origin }) {
				return true
			}
		}
	}
	return false
}

// notePusher copies the origins of the group's old state (nil for none), and adds that
// of the event which has made this one.
func (g *Group) notePusher(old *Group, e Event) {
	push := e.Op == OpPut || e.Op == OpPost
	switch {
	case old == nil || old.pushes == 0:
		if push {
			g.pushes, g.put = 1, e.Op == OpPut
		}
	case old.pushers == nil && old.origin == g.origin:
		// The usual case: nothing is allocated.
		g.pushes, g.put = old.pushes, old.put || e.Op == OpPut
		if push {
			g.pushes++
		}
	default:
		g.pushes, g.pushers = old.pushes, old.record()
		if push {
			g.pushes++
			g.pushers = g.pushers.with(Pusher{Origin: e.Origin, Time: e.PushTime}, e.Op == OpPut)
		}
	}
}

// record returns the pushers of a group that has some.
func (g *Group) record() *pushers {
	if g.pushers != nil {
		return g.pushers
	}
	p := &pushers{known: g.Pushers()}
	if g.put {
		p.order[0], p.puts = g.origin, 1
	}
	return p
}

// with returns the pushers after one more push.
func (p *pushers) with(by Pusher, put bool) *pushers {
	next := &pushers{order: p.order, puts: p.puts, known: append(make([]Pusher, 0, len(p.known)+1), p.known...)}
	i := slices.IndexFunc(next.known, func(have Pusher) bool { return have.Origin == by.Origin })
	switch {
	case i >= 0:
		by.Origin = next.known[i].Origin // so that there is one copy of the string
		by.Pushes = next.known[i].Pushes
	case len(next.known) < maxPushers:
		i = len(next.known)
		next.known = append(next.known, Pusher{})
	default:
		i = 0
		for j, have := range next.known {
			if have.Time < next.known[i].Time {
				i = j
			}
		}
	}
	by.Pushes++
	next.known[i] = by
	if !put {
		return next
	}
	if next.puts == maxPutOrder {
		copy(next.order[:], next.order[1:])
		next.puts--
	}
	next.order[next.puts] = by.Origin
	next.puts++
	return next
}
