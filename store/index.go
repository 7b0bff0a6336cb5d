package store

import (
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// pageSize is how many members a page has at most. A page is copied when it changes
// for the first time after a scrape, and its members move by one when a group is
// inserted. 256 members are 4 KiB. Smaller pages make views larger.
const pageSize = 256

// family is the index of one family name over all groups that hold it.
type family struct {
	name  string
	pages []*page // sorted, none empty
	types typeCounts
	// labels has the sets of label names with names that escaping changes, counted
	// by groups.
	labels aliases[labelNames]
}

// typeCounts counts groups by the type that they give to a family. All but one are 0
// if consistency is checked.
type typeCounts [dto.MetricType_GAUGE_HISTOGRAM + 1]int

func (c *typeCounts) total() int {
	n := 0
	for _, k := range c {
		n += k
	}
	return n
}

// page is a part of the index of a family. Its address stays the same. Its chunk is
// copied before a change if a view may hold it.
type page struct {
	*Chunk
	generation uint64 // of the last view when the chunk was made
}

// member is one group in the index of a family.
type member struct {
	group *Group
	index int32 // into group.held
}

func (m member) path() string { return m.group.key.path }
func (m member) held() *held  { return &m.group.held[m.index] }

func newPage(members []member, generation uint64) *page {
	return &page{Chunk: &Chunk{members: members}, generation: generation}
}

// copyOnWrite makes the page's members safe to change: it copies them if a view
// may hold them. extra is how many more there will be.
func (p *page) copyOnWrite(generation uint64, extra int) {
	if p.generation != generation {
		p.Chunk = &Chunk{members: append(make([]member, 0, len(p.members)+extra), p.members...)}
		p.generation = generation
	}
}

// search returns where in the page the path is or would be.
func (p *page) search(path string) (int, bool) {
	return slices.BinarySearchFunc(p.members, path, func(m member, path string) int {
		return strings.Compare(m.path(), path)
	})
}

// find returns where in the page a member of it is. Mostly that is where it was seen
// last. A search is slower: it compares the paths of eight groups, which are far apart
// in memory.
func (p *page) find(m member) int {
	if at := int(m.held().place); at < len(p.members) && p.members[at] == m {
		return at
	}
	at, _ := p.search(m.path())
	return at
}

// replace replaces the old state of a group by the new one.
func (f *family) replace(generation uint64, old, m member) {
	p := old.held().page
	p.copyOnWrite(generation, 0)
	at := p.find(old)
	p.members[at] = m
	m.held().family, m.held().page, m.held().place = f, p, uint16(at)
	f.types[old.held().typ]--
	f.types[m.held().typ]++
	f.noteLabels(old.held(), m.held())
}

// insert adds a group that did not hold the family.
func (f *family) insert(generation uint64, m member) {
	f.types[m.held().typ]++
	f.noteLabels(nil, m.held())
	m.held().family = f
	if len(f.pages) == 0 {
		p := newPage([]member{m}, generation)
		f.pages = []*page{p}
		m.held().page = p
		return
	}
	// The page of m is the last one that begins before it.
	i, found := slices.BinarySearchFunc(f.pages, m.path(), func(p *page, path string) int {
		return strings.Compare(p.members[0].path(), path)
	})
	if !found && i > 0 {
		i--
	}
	p := f.pages[i]
	if len(p.members) >= pageSize {
		p = f.split(generation, i, m.path())
	}
	p.copyOnWrite(generation, 1)
	at, _ := p.search(m.path())
	p.members = slices.Insert(p.members, at, m)
	m.held().page, m.held().place = p, uint16(at)
}

// split halves page i and returns the half to which path belongs. A path behind all
// pages gets a new page instead, so that groups which come in order, as in a replay,
// fill their pages.
func (f *family) split(generation uint64, i int, path string) *page {
	p := f.pages[i]
	cut := len(p.members) / 2
	if i == len(f.pages)-1 && path > p.members[len(p.members)-1].path() {
		cut = len(p.members)
	}
	right := newPage(append(make([]member, 0, pageSize/2+1), p.members[cut:]...), generation)
	for _, m := range right.members {
		m.held().page = right
	}
	p.copyOnWrite(generation, 0)
	clear(p.members[cut:])
	p.members = p.members[:cut]
	f.pages = slices.Insert(f.pages, i+1, right)
	if len(right.members) == 0 || path >= right.members[0].path() {
		return right
	}
	return p
}

// remove removes a group.
func (f *family) remove(generation uint64, m member) {
	f.types[m.held().typ]--
	f.noteLabels(m.held(), nil)
	p := m.held().page
	if len(p.members) == 1 {
		i, _ := slices.BinarySearchFunc(f.pages, m.path(), func(p *page, path string) int {
			return strings.Compare(p.members[0].path(), path)
		})
		f.pages = slices.Delete(f.pages, i, i+1)
		return
	}
	p.copyOnWrite(generation, 0)
	at := p.find(m)
	p.members = slices.Delete(p.members, at, at+1)
}
