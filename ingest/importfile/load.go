package importfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/ingest/decode"
	"sluice/store"
	"sluice/store/words"
)

// maxNamed is how many groups an error names.
const maxNamed = 3

// loaded is the judged content of a file. Its events may be appended to an empty
// stream in this order.
type loaded struct {
	events []store.Event
	series int
}

// load reads and judges a file. One bad group makes the whole file an error: leaving
// the group out would lose it silently, and taking it would break every scrape. A
// Pushgateway that checks consistency has no such groups.
//
// The error is one line that names the first bad groups. It is fs.ErrNotExist if
// there is no file.
func load(path string, settings store.Settings, ttl func(store.Key) time.Duration, fits func(store.Event) error) (*loaded, error) {
	opts := optionsFor(settings)
	origin := "persistence file " + path
	l, now := &loaded{}, time.Now()
	bad := &problems{}
	err := readPath(path, func(g fileGroup) error {
		e, err := event(g, opts, origin)
		if err == nil {
			if ttl != nil {
				e.Expires = store.ExpiresAt(now.UnixNano(), int64(ttl(e.Key)))
			}
			l.events = append(l.events, e)
			return nil
		}
		return bad.add(err)
	})
	if err != nil {
		return nil, err
	}
	// Groups without an accepted push come last, because they can be left out.
	slices.SortFunc(l.events, func(a, b store.Event) int {
		return cmp.Or(cmp.Compare(a.Op, b.Op), cmp.Compare(a.Key.Path(), b.Key.Path()))
	})
	if err := l.judge(settings, fits, bad); err != nil {
		return nil, err
	}
	return l, bad.err()
}

func optionsFor(settings store.Settings) decode.Options {
	return decode.Options{Unchecked: settings.Unchecked}
}

// judge judges each group together with those before it.
func (l *loaded) judge(settings store.Settings, fits func(store.Event) error, bad *problems) error {
	draft := store.New(settings).Draft()
	kept := l.events[:0]
	for _, e := range l.events {
		if e.Op == store.OpFail {
			_, has, err := draft.Fail(store.Push{Key: e.Key, Time: e.FailTime, Expires: e.Expires, Origin: e.Origin}, "")
			if err != nil {
				return err
			}
			if !has {
				// Pushgateway makes a group for a refused push without checking whether
				// its push times are series of another group. Leaving it out loses no data.
				continue
			}
		} else if _, err := draft.Put(store.Push{Key: e.Key, Families: e.Families, Time: e.PushTime, Expires: e.Expires, Origin: e.Origin}); err != nil {
			bad.note(e, err)
			continue
		}
		if err := fits(e); err != nil {
			bad.note(e, err)
			continue
		}
		for i := range e.Families {
			l.series += bytes.Count(e.Families[i].Samples(), []byte{'\n'})
		}
		kept = append(kept, e)
	}
	clear(l.events[len(kept):])
	l.events = kept
	return nil
}

// problems collects what is wrong with the groups of a file.
type problems struct {
	named     []string
	count     int
	conflicts bool // some groups are inconsistent with others
}

// add notes what is wrong with a group. It returns an error that concerns no group.
func (p *problems) add(err error) error {
	var g *groupError
	if !errors.As(err, &g) {
		return err
	}
	p.count++
	if len(p.named) < maxNamed {
		p.named = append(p.named, g.Error())
	}
	return nil
}

// note notes why an event cannot be appended.
func (p *problems) note(e store.Event, reason error) {
	var conflict *store.Conflict
	p.conflicts = p.conflicts || errors.As(reason, &conflict)
	gist, _, _ := strings.Cut(reason.Error(), "\n")      // the lines below advise the client that pushes
	_ = p.add(&groupError{labelText(e.Key.Map()), gist}) // returns nil for a *groupError
}

// err returns all problems in one line, nil if there are none.
func (p *problems) err() error {
	if p.count == 0 {
		return nil
	}
	more := ""
	if n := p.count - len(p.named); n > 0 {
		more = fmt.Sprintf("; and %s", words.Count(n, "more group", "more groups"))
	}
	if p.conflicts {
		more += " (a Pushgateway with --push.disable-consistency-check accepts such groups; with that flag they are imported as they are)"
	}
	return fmt.Errorf("%s%s", strings.Join(p.named, "; "), more)
}
