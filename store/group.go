package store

import (
	"bytes"
	"iter"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// Group is the state of one grouping key. It is immutable: the next event of the key
// makes a new one. Its methods may be called concurrently.
type Group struct {
	key                Key
	sequence           uint64
	sum                uint64 // its digest
	pushTime, failTime int64  // nanoseconds since 1970, 0 for never
	origin             string
	refusal            string // why the last refused push was refused
	shape              *shape
	expires, forget    int64    // nanoseconds since 1970, 0 for never; forget only of a dead group
	scheduled          int64    // for when the group is in the schedule, 0 for not; protected by the lock of the store
	held               []held   // sorted by name
	pushers            *pushers // nil while all pushes came from origin
	pushes             uint32   // accepted ones that were seen
	put                bool     // one of them was a PUT
}

// held is one family in a group. Its place in the index (family, page, place) is
// protected by the lock of the store; all else is immutable.
type held struct {
	name   string
	text   []byte
	extra  *extra // nil for most
	family *family
	page   *page
	head   int32
	typ    dto.MetricType
	lazy   lazy
	quoted bool   // a name in the text may be in quotes
	place  uint16 // where in the page it was seen last: a hint
	series int32  // lines of samples
}

// extra is what most families do not have.
type extra struct {
	proto    []byte
	pushTime int64
	labels   []labelNames // those of the family that have names which escaping changes
}

// draftGroup returns the event's group as a draft needs it: without derived families.
func draftGroup(e Event) *Group {
	g := &Group{key: e.Key, pushTime: e.PushTime, failTime: e.FailTime, expires: e.Expires, forget: e.Forget, refusal: e.Refusal, held: make([]held, 0, len(e.Families))}
	for _, f := range e.Families {
		g.hold(f)
	}
	return g
}

// newGroup returns the event's group, without its place in the index.
func newGroup(seq uint64, e Event) *Group {
	g := &Group{
		key: e.Key, sequence: seq, pushTime: e.PushTime, failTime: e.FailTime,
		expires: e.Expires, forget: e.Forget, origin: e.Origin, refusal: e.Refusal,
	}
	g.held = make([]held, 0, len(e.Families)+maxDerived)
	var buf [maxDerived]held
	derived := g.derive(e, &buf)
	for _, f := range e.Families {
		for len(derived) > 0 && derived[0].name < f.Name {
			g.held = append(g.held, derived[0])
			derived = derived[1:]
		}
		g.hold(f)
		h := &g.held[len(g.held)-1]
		if h.quoted = h.quoted && mayQuoteNames(h.text); h.quoted {
			h.setLabelNames(f.utf8LabelNames())
		}
		h.series = int32(bytes.Count(h.text[h.head:], []byte{'\n'}))
	}
	g.held = append(g.held, derived...)
	g.sum = g.digest()
	return g
}

// hold adds a pushed family.
func (g *Group) hold(f Family) {
	h := held{name: f.Name, text: f.Text, head: int32(f.Head), typ: f.Type, quoted: !f.PlainNames}
	if f.Proto != nil || f.PushTime != 0 && f.PushTime != g.pushTime {
		h.extra = &extra{proto: f.Proto, pushTime: f.PushTime}
	}
	g.held = append(g.held, h)
}

// mayQuoteNames reports whether a name in the text may be in quotes. A value that ends
// in a comma looks the same; it makes a scrape slower, not wrong.
func mayQuoteNames(text []byte) bool {
	return bytes.Contains(text, []byte(`{"`)) || bytes.Contains(text, []byte(`,"`))
}

// appendLabels writes the labels that all samples of the group have: those of the key,
// and instance.
func appendLabels(dst []byte, key Key) []byte {
	wantInstance := true
	write := func(l Label) {
		if len(dst) > 0 {
			dst = append(dst, ',')
		}
		dst = appendLabelName(dst, l.Name)
		dst = append(dst, '=', '"')
		dst = AppendEscaped(dst, l.Value)
		dst = append(dst, '"')
	}
	for _, l := range key.Labels() {
		if wantInstance && l.Name >= InstanceLabel {
			if l.Name != InstanceLabel {
				write(Label{Name: InstanceLabel})
			}
			wantInstance = false
		}
		write(l)
	}
	return dst // job > instance, so instance has been written
}

// Key returns the grouping key.
func (g *Group) Key() Key { return g.key }

// Sequence returns the stream sequence of the event that made the group what
// it is.
func (g *Group) Sequence() uint64 { return g.sequence }

// PushTime returns the time of the last accepted push in nanoseconds since
// 1970, 0 for never.
func (g *Group) PushTime() int64 { return g.pushTime }

// FailTime returns the time of the last refused push in nanoseconds since 1970,
// 0 for never.
func (g *Group) FailTime() int64 { return g.failTime }

// Refusal says why the last refused push was refused, for people. It is "" if none was
// refused, or if the reason is unknown.
func (g *Group) Refusal() string { return g.refusal }

// Expires returns when the group's time to live is over, or was over, in nanoseconds
// since 1970. 0 is never.
func (g *Group) Expires() int64 { return g.expires }

// Dead reports whether the group has expired. Until it is forgotten it has only those
// derived families that say so.
func (g *Group) Dead() bool { return g.forget != 0 }

// Up reports whether the group is up: it is not dead, and a push to it was accepted.
func (g *Group) Up() bool { return !g.Dead() && g.pushTime != 0 }

// Forget returns when a dead group is forgotten, in nanoseconds since 1970, 0 for a
// living one.
func (g *Group) Forget() int64 { return g.forget }

// Origin says where the last change came from, for people, as Event.Origin does.
func (g *Group) Origin() string { return g.origin }

// Families returns the families sorted by name, the derived ones among them. The
// PushTime of each is set.
func (g *Group) Families() iter.Seq[Family] {
	return func(yield func(Family) bool) {
		for i := range g.held {
			if !yield(g.family(i)) {
				return
			}
		}
	}
}

// Size returns how many families were pushed, and how many series they have. Each line
// of text is a series.
func (g *Group) Size() (families, series int) {
	for i := range g.held {
		if h := &g.held[i]; !IsDerivedName(h.name) {
			families++
			series += int(h.series)
		}
	}
	return families, series
}

// View returns the families as those of a View that holds this group only.
func (g *Group) View() []ViewFamily {
	families := make([]ViewFamily, len(g.held))
	for i := range g.held {
		families[i] = ViewFamily{name: g.held[i].name, chunks: []*Chunk{{members: []member{{g, int32(i)}}}}}
	}
	return families
}

// family returns a held family. It does not look at the family's page, which the store
// may be changing.
func (g *Group) family(i int) Family {
	h := &g.held[i]
	text, head := member{g, int32(i)}.text()
	f := Family{Name: h.name, Type: h.typ, Text: text, Head: head, PushTime: g.pushTime}
	if h.extra != nil {
		f.Proto = h.extra.proto
		if h.extra.pushTime != 0 {
			f.PushTime = h.extra.pushTime
		}
	}
	switch {
	case h.name == PushTimeName && g.pushTime == 0:
		f.PushTime = g.failTime
	case h.name == PushFailureName && g.failTime != 0:
		f.PushTime = g.failTime
	}
	return f
}

// pushed returns the pushed families with their push times, as they stand in
// an event.
func (g *Group) pushed() []Family {
	families := make([]Family, 0, len(g.held))
	for i := range g.held {
		if !IsDerivedName(g.held[i].name) {
			families = append(families, g.family(i))
		}
	}
	return families
}

// find returns the index of the family in held.
func (g *Group) find(name string) (int, bool) {
	return slices.BinarySearchFunc(g.held, name, func(h held, name string) int {
		return strings.Compare(h.name, name)
	})
}
