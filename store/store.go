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
	// Reserved are the families that the gateway exposes itself, by name: no
	// pushed family may have another type. nil for none.
	Reserved map[string]dto.MetricType
	// Unchecked turns the consistency check off, as Pushgateway's
	// --push.disable-consistency-check does.
	Unchecked bool
	// MaxGroups is how many groups there may be; 0 is no limit. What the stream
	// says counts more: Apply makes any number.
	MaxGroups int
}

// Store holds the groups. All methods may be called concurrently.
type Store struct {
	settings   Settings
	generation atomic.Uint64 // counts views

	mu sync.RWMutex // protects the state, whose pages only are shared with views
	state
	digests digests
}

// state is all that the events have made so far.
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
	jobs      map[string]int      // living groups by job
	names     aliases[metricName] // of families
	schedule  schedule
}

func newState() state {
	return state{groups: map[string]*Group{}, families: map[string]*family{}, jobs: map[string]int{}, shapes: newShapes()}
}

// New returns an empty store.
func New(settings Settings) *Store {
	return &Store{settings: settings, state: newState()}
}

// Fresh returns an empty store with the same settings, to be filled by a replay
// and handed to Replace.
func (s *Store) Fresh() *Store { return New(s.settings) }

// Replace takes over what a store from Fresh holds: views see the old state or
// the new one, never a mixture. The other store must not be used afterwards.
func (s *Store) Replace(fresh *Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = fresh.state
	s.digests.replace(fresh.digests)
	// Pages that were made under another count of views must look older than
	// any view of this one, or they would be changed under it.
	s.generation.Add(fresh.generation.Load() + 1)
}

// Apply makes the event at a stream sequence part of the state. Events must
// come in the order of the stream.
func (s *Store) Apply(seq uint64, e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.digests.arrive(s.sequence, seq, e.Op == OpWipe || e.Op == OpImport)
	s.sequence = seq
	defer s.keep()
	switch e.Op {
	case OpPut, OpPost, OpFail:
		s.suspect = s.suspect || s.settings.Unchecked && s.inconsistent(e)
		s.make(seq, e)
	case OpExpire:
		if e.Forget != 0 && living(s.groups[twinPath(e.Key)]) == nil {
			s.make(seq, e)
			break
		}
		fallthrough // without a trace
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

// Skip advances the sequence where the stream has no event, or none that can be
// read. What has become of those in between is not known then.
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
// complete, 0 if there is none, and the sequence of the state that says so.
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

// make makes the group what an event says.
func (s *Store) make(seq uint64, e Event) {
	g := newGroup(seq, e)
	g.notePusher(s.groups[e.Key.path], e)
	s.set(g)
}

// set puts a group in the place of what its key had before.
func (s *Store) set(g *Group) {
	if s.dead > 0 {
		if twin := s.groups[twinPath(g.key)]; twin != nil && twin.Dead() {
			s.drop(twin) // what tells that it has expired would be series of this one
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

// Dead returns the number of groups that have expired and are not forgotten.
func (s *Store) Dead() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.dead
}

// living returns the number of groups that have not expired.
func (s *state) living() int { return len(s.groups) - s.dead }

// count counts a group (nil for none) in or out.
func (s *state) count(g *Group, n int) {
	switch {
	case g == nil:
	case g.Dead():
		s.dead += n
	default:
		job := jobOf(g.key)
		if s.jobs[job] += n; s.jobs[job] == 0 {
			delete(s.jobs, job)
		}
	}
}

// family returns the index of a name, a new one if there was none.
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

// removeMember takes a group out of the index of one of its families, and the
// family out if nobody holds it any more.
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
