package store

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	dto "github.com/prometheus/client_model/go"
)

// Settings of a Store.
type Settings struct {
	// Reserved are the types of the families that the gateway exposes itself, by name.
	// A pushed family of such a name must have the same type. nil is none.
	Reserved map[string]dto.MetricType
	// Unchecked turns the consistency check off, as Pushgateway's flag
	// --push.disable-consistency-check does.
	Unchecked bool
	// MaxGroups is how many groups there may be, 0 for any number. Drafts keep to it.
	// Apply does not: the stream decides.
	MaxGroups int
}

// Store holds the groups. All methods may be called concurrently. They block only as
// long as another one holds the store's lock.
type Store struct {
	settings   Settings
	generation atomic.Uint64 // counts views

	mu sync.RWMutex // protects all below, except for chunks that a view holds
	state
	digests digests
	quotaOf *func(Key) Quota // nil for none; another pointer after each SetQuotas
}

// state is what the events so far have made.
type state struct {
	sequence  uint64
	sum       uint64             // of the digests of all groups
	importing uint64             // sequence of the OpImport that has no OpImported yet, 0 for none
	groups    map[string]*Group  // by path of the key
	families  map[string]*family // by name
	sorted    []*family          // the same, sorted by name
	shapes    shapes
	suspect   bool                // unchecked groups may be inconsistent
	dead      int                 // groups that have expired and are not forgotten
	quotas    map[quotaID]int     // living groups by quota
	names     aliases[metricName] // of families
	schedule  schedule
}

func newState() state {
	return state{groups: map[string]*Group{}, families: map[string]*family{}, quotas: map[quotaID]int{}, shapes: newShapes()}
}

// New returns an empty store.
func New(settings Settings) *Store {
	return &Store{settings: settings, state: newState()}
}

// Fresh returns an empty store with the same settings. A replay fills it, and Replace
// takes it over.
func (s *Store) Fresh() *Store {
	s.mu.RLock()
	defer s.mu.RUnlock()
	fresh := New(s.settings)
	fresh.quotaOf = s.quotaOf
	return fresh
}

// Replace replaces the state by that of a store from Fresh. A view shows the old state
// or the new one, never a mixture. The other store must not be used afterwards.
func (s *Store) Replace(fresh *Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = fresh.state
	s.digests.replace(fresh.digests)
	if s.quotaOf != fresh.quotaOf {
		s.recountQuotas() // they were set anew during the replay
	}
	// A page must not look newer than a view that may hold it. The fresh store has
	// counted its views by itself, so the count continues behind both.
	s.generation.Add(fresh.generation.Load() + 1)
}

// Apply applies the event at a stream sequence. Events must come in the order of the
// stream. The event's slices become part of the state, so the caller must not change
// them afterwards. Apply judges nothing and cannot fail.
func (s *Store) Apply(seq uint64, e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.digests.arrive(s.sequence, seq, e.Op == OpWipe || e.Op == OpImport)
	s.sequence = seq
	defer s.keep()
	switch e.Op {
	case OpPut, OpPost, OpFail:
		s.suspect = s.suspect || s.settings.Unchecked && s.inconsistent(e)
		s.setEvent(seq, e)
	case OpExpire:
		if e.Forget != 0 && living(s.groups[twinPath(e.Key)]) == nil {
			s.setEvent(seq, e)
			break
		}
		fallthrough // it is forgotten at once
	case OpDelete:
		if g := s.groups[e.Key.path]; g != nil {
			s.drop(g)
		}
	case OpWipe:
		s.state = newState()
		s.sequence = seq
	case OpImport:
		s.state = newState()
		s.sequence, s.importing = seq, seq
	case OpImported:
		s.importing = 0
	}
}

// Skip advances the sequence without an event, where the stream has none or one that
// cannot be read. The state is not settled then (Digest).
func (s *Store) Skip(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq > s.sequence {
		s.sequence = seq
		s.digests.gap()
	}
}

// Sequence returns the last sequence that was applied or skipped.
func (s *Store) Sequence() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.sequence
}

// Importing returns the sequence of the event that began an import which is not
// complete, 0 if there is no such import. sequence is that of the state.
func (s *Store) Importing() (begun, sequence uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.importing, s.sequence
}

// Groups returns the number of groups, without those that have expired.
func (s *Store) Groups() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.living()
}

// Dead returns the number of groups that have expired and are not forgotten.
func (s *Store) Dead() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.dead
}

// Group returns the group of a key, nil if there is none.
func (s *Store) Group(key Key) *Group {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.groups[key.path]
}

// setEvent makes the group what an event says.
func (s *Store) setEvent(seq uint64, e Event) {
	g := newGroup(seq, e)
	g.notePusher(s.groups[e.Key.path], e)
	s.set(g)
}

// set replaces the group of a key by its new state.
func (s *Store) set(g *Group) {
	if s.dead > 0 {
		if twin := s.groups[twinPath(g.key)]; twin != nil && twin.Dead() {
			s.drop(twin) // its derived families would be series of this one
		}
	}
	old := s.groups[g.key.path]
	if old == nil || old.Dead() != g.Dead() {
		s.count(old, -1)
		s.count(g, +1)
	}
	s.reschedule(old, g)
	s.groups[g.key.path] = g
	s.sum += g.sum
	generation := s.generation.Load()
	if old == nil {
		g.shape = s.shapes.add(g.key)
		old = &Group{}
	} else {
		s.sum -= old.sum
		g.key = old.key // the same, and shared by all versions of the group
		g.shape = old.shape
	}
	i := 0
	for j := range g.held {
		m := member{g, int32(j)}
		name := g.held[j].name
		for i < len(old.held) && old.held[i].name < name {
			s.removeMember(generation, member{old, int32(i)})
			i++
		}
		if i < len(old.held) && old.held[i].name == name {
			f := old.held[i].family
			f.replace(generation, member{old, int32(i)}, m)
			g.held[j].name = f.name
			i++
			continue
		}
		f := s.family(name)
		f.insert(generation, m)
		g.held[j].name = f.name // one copy of each name for all groups
	}
	for ; i < len(old.held); i++ {
		s.removeMember(generation, member{old, int32(i)})
	}
}

// drop removes a group.
func (s *Store) drop(g *Group) {
	delete(s.groups, g.key.path)
	s.sum -= g.sum
	s.count(g, -1)
	s.reschedule(g, nil)
	s.shapes.remove(g.shape)
	generation := s.generation.Load()
	for i := range g.held {
		s.removeMember(generation, member{g, int32(i)})
	}
}

// living returns the number of groups that have not expired.
func (s *state) living() int { return len(s.groups) - s.dead }

// count adds n to the number of groups like this one; nil is no group.
func (s *Store) count(g *Group, n int) {
	switch {
	case g == nil:
	case g.Dead():
		s.dead += n
	default:
		s.countQuota(g.key, n)
	}
}

// family returns the index of a family name. It makes one if there is none.
func (s *Store) family(name string) *family {
	f := s.families[name]
	if f == nil {
		f = &family{name: strings.Clone(name)}
		s.families[f.name] = f
		if !isLegacyMetric(f.name) {
			s.names.add(metricName(f.name))
		}
		i, _ := s.searchFamily(name)
		s.sorted = slices.Insert(s.sorted, i, f)
	}
	return f
}

func (s *Store) searchFamily(name string) (int, bool) {
	return slices.BinarySearchFunc(s.sorted, name, func(f *family, name string) int {
		return strings.Compare(f.name, name)
	})
}

// removeMember removes a group from the index of one of its families, and the index if
// no group holds the family any more.
func (s *Store) removeMember(generation uint64, m member) {
	f := m.held().family
	f.remove(generation, m)
	if len(f.pages) == 0 {
		delete(s.families, f.name)
		if !isLegacyMetric(f.name) {
			s.names.remove(metricName(f.name))
		}
		i, _ := s.searchFamily(f.name)
		s.sorted = slices.Delete(s.sorted, i, i+1)
	}
}
