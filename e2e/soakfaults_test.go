package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/e2e/history"
)

const (
	// soakLong bounds how long a fault of one member stays, and soakShort one that
	// leaves no quorum.
	soakLong  = 15 * time.Second
	soakShort = 10 * time.Second
	// soakBound is how long recovery from a fault may take.
	soakBound = 90 * time.Second
)

// A soakFault injects a fault into one member. It returns a function that repairs the
// member, and does not wait until it has recovered.
type soakFault struct {
	name string
	do   func(f *soakFaults, m *member) (heal func())
}

// All but the first can be injected into a member that is not ready. All but the last
// separate it from both others.
var (
	orderly = soakFault{"orderly stop", func(f *soakFaults, m *member) func() {
		f.c.stop(m)
		return func() { f.launch(m) }
	}}
	kill9 = soakFault{"kill -9", func(f *soakFaults, m *member) func() {
		f.c.kill(m)
		return func() { f.launch(m) }
	}}
	frozen = soakFault{"frozen", func(f *soakFaults, m *member) func() {
		f.c.pause(m, true)
		return func() { f.c.pause(m, false) }
	}}
	isolated = soakFault{"isolated", func(f *soakFaults, m *member) func() {
		f.c.isolate(m, true)
		return func() { f.c.isolate(m, false) }
	}}
	oneLink = soakFault{"one link cut", func(f *soakFaults, m *member) func() {
		other := f.c.others(m)[f.chance.IntN(2)]
		f.c.network.cut(m.name, other.name, true)
		return func() { f.c.network.cut(m.name, other.name, false) }
	}}
)

// soakFaults injects faults into a cluster again and again.
type soakFaults struct {
	c      *cluster
	load   *soakLoad
	chance *rand.Rand
	nc     *nats.Conn
	log    []string // what was done when, for people
	kinds  map[string]*soakKind
}

// soakKind counts the faults of one kind and their effects.
type soakKind struct {
	times   int
	longest time.Duration // without an accepted change
}

func newSoakFaults(c *cluster, load *soakLoad, chance *rand.Rand) *soakFaults {
	return &soakFaults{c: c, load: load, chance: chance, nc: c.natsClient(), kinds: map[string]*soakKind{}}
}

// say logs what happens.
func (f *soakFaults) say(format string, values ...any) {
	f.log = append(f.log, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, values...))
	f.c.site.record("faults.txt", strings.Join(f.log, "\n"))
}

// launch starts a member where it was.
func (f *soakFaults) launch(m *member) {
	f.load.starts[m.number].Add(1)
	tick := f.load.recorder.Tick()
	f.load.recorder.Add(history.Operation{Kind: history.Start, Gateway: m.number, Call: tick, Return: tick, Time: time.Now()})
	f.c.launch(m)
}

// round injects a fault, repairs it, and waits until the cluster has recovered. Its
// error says what has not.
func (f *soakFaults) round() error {
	f.load.reset()
	var name string
	switch n := f.chance.IntN(12); {
	case n < 7:
		name = f.one()
	case n < 9:
		name = f.two()
	case n < 11:
		name = f.again()
	default:
		name = f.all()
	}
	healed := time.Now()
	f.say("healed")
	err := f.well(healed)
	kind := f.kinds[name]
	if kind == nil {
		kind = &soakKind{}
		f.kinds[name] = kind
	}
	kind.times++
	kind.longest = max(kind.longest, f.load.reset())
	if err != nil {
		return fmt.Errorf("%w, after %s (%s)", err, name, f.log[len(f.log)-1])
	}
	f.say("well after %.1f s", time.Since(healed).Seconds())
	f.wait(5 * time.Second)
	return nil
}

// one injects one fault into one member.
func (f *soakFaults) one() string {
	m, fault := f.victim(), f.choose(orderly, kill9, frozen, isolated, oneLink)
	heal := f.do(fault, m)
	f.wait(soakLong)
	heal()
	return fault.name
}

// two injects faults into two members at once, so that there is no quorum.
func (f *soakFaults) two() string {
	m := f.victim()
	o := f.c.others(m)[f.chance.IntN(2)]
	first := f.do(f.choose(orderly, kill9, frozen, isolated), m)
	f.wait(time.Second)
	// A member without quorum does not stop in time.
	second := f.do(f.choose(kill9, frozen, isolated), o)
	f.wait(soakShort)
	first()
	f.wait(2 * time.Second)
	second()
	return "two at once"
}

// again injects a second fault into a member before it has recovered from the first.
func (f *soakFaults) again() string {
	m := f.victim()
	heal := f.do(f.choose(kill9, frozen, isolated), m)
	f.wait(soakShort)
	heal()
	f.wait(3 * time.Second)
	heal = f.do(f.choose(kill9, frozen, isolated), m)
	f.wait(soakShort)
	heal()
	return "twice in a row"
}

// all stops all members and starts them again.
func (f *soakFaults) all() string {
	name, end := "all killed", f.c.kill
	if f.chance.IntN(2) == 0 {
		name, end = "all stopped", f.c.stop
	}
	f.say("%s", name)
	var ending sync.WaitGroup
	if name == "all stopped" {
		for _, m := range f.c.members {
			ending.Go(func() { end(m) })
		}
	} else {
		for _, m := range f.c.members {
			end(m)
		}
	}
	ending.Wait()
	f.wait(2 * time.Second)
	for _, m := range f.c.members {
		f.launch(m)
		f.wait(time.Second)
	}
	return name
}

func (f *soakFaults) choose(faults ...soakFault) soakFault {
	return faults[f.chance.IntN(len(faults))]
}

func (f *soakFaults) do(fault soakFault, m *member) (heal func()) {
	f.say("%s: member %d, %s", fault.name, m.number, m.name)
	undo := fault.do(f, m)
	return func() {
		f.say("%s: member %d is healed", fault.name, m.number)
		undo()
	}
}

// wait waits for a random time up to a bound.
func (f *soakFaults) wait(most time.Duration) { time.Sleep(upTo(f.chance, most)) }

func upTo(chance *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(chance.Int64N(int64(most)))
}

// victim returns the leader half of the time, else any member. The seed does not
// determine the leader.
func (f *soakFaults) victim() *member {
	m := f.c.members[f.chance.IntN(len(f.c.members))]
	if f.chance.IntN(2) == 0 {
		return m
	}
	if info, err := streamInfo(f.nc); err == nil && info.Cluster != nil {
		for _, o := range f.c.members {
			if o.name == info.Cluster.Leader {
				return o
			}
		}
	}
	return m
}

// well waits until all members are ready and a change was accepted since. Mostly it
// also waits until all replicas of the stream are current.
func (f *soakFaults) well(since time.Time) error {
	deadline := time.Now().Add(soakBound)
	for _, m := range f.c.members {
		for {
			code, _, err := f.load.get(m, "/-/ready")
			if err == nil && code == http.StatusOK {
				break
			}
			if code, err := m.Wait(time.Millisecond); err == nil {
				return fmt.Errorf("member %d has ended by itself, with code %d", m.number, code)
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("member %d is not ready within %s: %d %v", m.number, soakBound, code, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	for !f.load.since().After(since) {
		if time.Now().After(deadline) {
			return errors.New("nothing is accepted")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if f.chance.IntN(3) == 0 {
		return nil
	}
	for {
		info, err := streamInfo(f.nc)
		if err == nil && info.Cluster != nil && len(info.Cluster.Replicas) == 2 &&
			!slices.ContainsFunc(info.Cluster.Replicas, func(p *jetstream.PeerInfo) bool { return !p.Current || p.Offline }) {
			return f.agree()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not all copies of the stream are current within %s: %s, %v", soakBound, replicasOf(info), err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func replicasOf(info *jetstream.StreamInfo) string {
	if info == nil || info.Cluster == nil {
		return "nobody says"
	}
	text := "leader " + info.Cluster.Leader
	for _, p := range info.Cluster.Replicas {
		text += fmt.Sprintf(", %+v", *p)
	}
	return text
}

// agree asks the gateways whether they agree. Under load they may not know it.
func (f *soakFaults) agree() error {
	for _, m := range f.c.members {
		if a := m.cluster().Agreement; a.Agree != nil && !*a.Agree {
			return fmt.Errorf("member %d says that the gateways do not agree at sequence %d", m.number, a.Sequence)
		}
	}
	return nil
}
