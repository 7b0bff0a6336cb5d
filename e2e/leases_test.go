package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	leaseJob    = "lease"
	leaseFamily = "lease_value"
	leaseForget = 4 * time.Second
	// leaseLate is how long after its end a group may still be shown. An expiry is an
	// event that is appended like a push, so the time of the slowest push is added.
	leaseLate = 2 * time.Second
	// leaseProof is how many cases of each kind must be seen, or nothing is proven.
	leaseProof = 100
	// leaseSlack is how much the clocks of two processes on a machine may differ.
	leaseSlack = 50 * time.Millisecond
)

// A lease is one possible state of a group: the pushed value and its time to live.
type lease struct {
	value          int64         // 0 for a group that is not there
	ttl            time.Duration // 0 for none
	sent, answered time.Time     // the push was judged in between; answered is zero until that is over
}

// ends returns the earliest and the latest moment at which the time to live may be
// over. The latest is zero while it is not known. The lease must have a time to live.
func (l lease) ends() (earliest, latest time.Time) {
	earliest = l.sent.Add(l.ttl - leaseSlack)
	if !l.answered.IsZero() {
		latest = l.answered.Add(l.ttl + leaseSlack)
	}
	return earliest, latest
}

// A leased group is in one of its possible states: the acknowledged one, or that of an
// operation without a verdict.
type leased struct {
	possible []lease
	changes  int  // sent or answered since the beginning
	refused  bool // a push was refused since the last acknowledged one: it may have made the group anew, empty
}

// leases is what the workers know of all groups. Scrapes are judged by it.
type leases struct {
	t *testing.T

	mu      sync.Mutex // protects all below
	groups  []leased
	value   int64         // of the last push
	began   time.Time     // when the gateway was started
	scraped time.Time     // when the last scrape that was judged began
	slowest time.Duration // operation of this gateway
	history []string

	// How often a scrape had to show a group alive, had to leave it out because its
	// time to live was over, or was over before the gateway started, had to show it as
	// down, and had to have forgotten it.
	alive, over, away, down, forgotten int
	late                               time.Duration // the longest that a group was shown after its end
}

func newLeases(t *testing.T, groups int) *leases {
	l := &leases{t: t, groups: make([]leased, groups)}
	for i := range l.groups {
		l.groups[i].possible = []lease{{}}
	}
	return l
}

func leaseInstance(group int) string { return fmt.Sprintf("g%d", group) }

// begin notes that a gateway is about to start.
func (l *leases) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began, l.slowest = time.Now(), 0
}

// resolve notes that operations without a verdict can have no effect from now on.
func (l *leases) resolve() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.groups {
		for j := range l.groups[i].possible {
			if p := &l.groups[i].possible[j]; p.answered.IsZero() {
				p.answered = time.Now()
			}
		}
	}
}

// change sends one operation and notes the verdict. It returns false if there is none.
func (l *leases) change(op string, group int, ttl time.Duration, push pusher) bool {
	l.mu.Lock()
	g := &l.groups[group]
	l.value++
	next := lease{value: l.value, ttl: ttl, sent: time.Now()}
	body := leaseBody(op, next.value)
	method := op
	switch op {
	case "DELETE":
		next.value = 0
	case opRefused:
		method = http.MethodPut
	}
	if op == opRefused {
		g.refused = true
	} else {
		g.possible = append(g.possible, next)
	}
	g.changes++
	l.mu.Unlock()

	v, err := push(method, keyOf(leaseJob, leaseInstance(group)), body, ttl)

	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	g.changes++
	l.history = append(l.history, fmt.Sprintf("%s %s %s ttl=%s %d: %d %s %v, sent %s", now.Format(time.StampMicro), op, leaseInstance(group), ttl, next.value, v.Code, v.Error, err, next.sent.Format(time.StampMicro)))
	switch {
	case err != nil || v.Code == http.StatusServiceUnavailable: // it is dying
		return false
	case op == opRefused && v.Code == http.StatusBadRequest:
	case op != opRefused && v.Code/100 == 2:
		next.answered = now
		g.possible, g.refused = []lease{next}, false
	default:
		l.t.Errorf("%s %s: %d %s", op, leaseInstance(group), v.Code, v.Error)
	}
	l.slowest = max(l.slowest, now.Sub(next.sent))
	return true
}

// watch scrapes a gateway until it has gone.
func (l *leases) watch(g *sluice) {
	for {
		before := l.versions()
		from := time.Now()
		a, err := g.do(http.MethodGet, "/metrics", "")
		to := time.Now()
		switch {
		case err != nil:
			return
		case a.code == http.StatusServiceUnavailable: // not ready
			time.Sleep(time.Millisecond)
			continue
		case a.code != http.StatusOK:
			l.t.Errorf("a scrape: %d %s", a.code, a.body)
			return
		}
		e, err := readExposition(a.body)
		if err != nil {
			l.t.Error(err)
			return
		}
		l.judge(e, before, from, to)
		time.Sleep(20 * time.Millisecond)
	}
}

func (l *leases) versions() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	changes := make([]int, len(l.groups))
	for i := range l.groups {
		changes[i] = l.groups[i].changes
	}
	return changes
}

// judge compares a scrape with what is known of the groups that were not changed while
// it was taken.
func (l *leases) judge(e exposition, before []int, from, to time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.scraped = from
	for i := range l.groups {
		if g := &l.groups[i]; g.changes == before[i] {
			l.judgeGroup(e, leaseInstance(i), g, from, to)
		}
	}
}

func (l *leases) judgeGroup(e exposition, instance string, g *leased, from, to time.Time) {
	value, shown := e.value(series(leaseFamily, leaseJob, instance))
	up, timed := e.value(series("sluice_group_up", leaseJob, instance))
	possible := false
	for _, p := range g.possible {
		must, mustNot := l.shows(p, from, to)
		if shown && value == p.value && !mustNot && (p.ttl != 0) == timed || !shown && !must {
			possible = true
		}
	}
	if !possible || shown && timed && up != 1 {
		l.t.Errorf("%s: a scrape from %s to %s shows %d (%t) and up %d (%t); possible is %+v", instance,
			from.Format(time.StampMicro), to.Format(time.StampMicro), value, shown, up, timed, g.possible)
	}
	if len(g.possible) == 1 {
		l.judgeEnd(instance, g, shown, up, timed, from, to)
	}
}

// shows reports whether a scrape must or must not show a lease.
func (l *leases) shows(p lease, from, to time.Time) (must, mustNot bool) {
	switch earliest, latest := p.ends(); {
	case p.value == 0:
		return false, true
	case p.ttl == 0:
		return true, false
	case latest.IsZero():
		return to.Before(earliest), false
	default:
		return to.Before(earliest), from.After(latest.Add(leaseLate+l.slowest)) || latest.Before(l.began)
	}
}

// judgeEnd counts the cases in which only one result is right, and checks what is shown
// of a dead group.
func (l *leases) judgeEnd(instance string, g *leased, shown bool, up int64, timed bool, from, to time.Time) {
	p := g.possible[0]
	must, mustNot := l.shows(p, from, to)
	earliest, latest := p.ends()
	switch {
	case must:
		l.alive++
		return
	case p.value == 0:
		return
	case shown:
		l.late = max(l.late, from.Sub(latest))
	case mustNot && latest.Before(l.began):
		l.away++
	case mustNot:
		l.over++
	}
	if !mustNot || g.refused {
		return
	}
	switch {
	case to.Before(earliest.Add(leaseForget)):
		if l.down++; !timed || up != 0 {
			l.t.Errorf("%s is dead and not forgotten: up is %d (%t); it was %+v", instance, up, timed, p)
		}
	case from.After(latest.Add(leaseForget + leaseLate + l.slowest)):
		if l.forgotten++; timed {
			l.t.Errorf("%s should be forgotten: up is %d; it was %+v", instance, up, p)
		}
	}
}

// lastScrape returns when the last judged scrape began.
func (l *leases) lastScrape() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.scraped
}

// allOver reports whether at that moment all groups with a time to live must be
// forgotten.
func (l *leases) allOver(at time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.groups {
		for _, p := range l.groups[i].possible {
			if _, latest := p.ends(); p.ttl != 0 && !at.After(latest.Add(leaseForget+leaseLate+l.slowest)) {
				return false
			}
		}
	}
	return true
}

// worked reports whether the workers have got enough verdicts.
func (l *leases) worked() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	acknowledged, refused := 0, 0
	for _, line := range l.history {
		switch {
		case strings.Contains(line, ": 200 "), strings.Contains(line, ": 202 "):
			acknowledged++
		case strings.Contains(line, ": 400 "):
			refused++
		}
	}
	return acknowledged >= leaseProof && refused >= leaseProof/10 && l.alive >= leaseProof
}

// judged reports whether scrapes have judged enough groups whose time to live was over.
func (l *leases) judged() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return min(l.over, l.away, l.down, l.forgotten) >= leaseProof
}

// report fails the test if too little was seen, and prints what was.
func (l *leases) report() {
	if !l.worked() || !l.judged() {
		l.t.Error("too little was seen to prove anything")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t.Logf("groups had to be shown %d times, had to be gone %d times, and %d times since before the start; down %d, forgotten %d; shown for %s after the end at most; %d operations, the last gateway's slowest %s",
		l.alive, l.over, l.away, l.down, l.forgotten, l.late.Round(time.Millisecond), len(l.history), l.slowest)
}
