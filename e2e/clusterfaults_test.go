package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"sluice/e2e/testkit"
)

// clusterWorkers is how many clients push while something breaks. Every third
// one pushes over NATS.
const clusterWorkers = 6

// faultTime is how long a link is cut, and frozenTime how long a process is
// stopped.
const (
	faultTime  = 8 * time.Second
	frozenTime = 15 * time.Second
)

// clusterLoad is a number of clients. They send each change to one member after the
// other until it is accepted.
type clusterLoad struct {
	c       *cluster
	workers []*crashWorker
	working sync.WaitGroup
	stopped chan struct{}

	mu      sync.Mutex
	slowest time.Duration // change since reset, from the first try to its acceptance
	tries   int           // since reset that ended without acceptance
	changes int
}

func (c *cluster) startWorkers(chance *rand.Rand) *clusterLoad {
	l := &clusterLoad{c: c, stopped: make(chan struct{})}
	for i := range clusterWorkers {
		w := newCrashWorker(i, rand.New(rand.NewPCG(chance.Uint64(), uint64(i))))
		l.workers = append(l.workers, w)
		var ways []transport
		if i%3 == 2 {
			ways = []transport{overNATS{c.natsClient()}}
		} else {
			for n := range c.members { // each begins with another one
				ways = append(ways, memberHTTP{c, c.members[(n+i)%len(c.members)]})
			}
		}
		l.working.Go(func() { l.run(w, ways) })
	}
	c.t.Cleanup(func() {
		l.stop()
		for _, w := range l.workers {
			c.site.record(fmt.Sprintf("history-%d.txt", w.number), strings.Join(w.history, "\n"))
		}
	})
	return l
}

// natsClient returns a connection to any member that runs.
func (c *cluster) natsClient() *nats.Conn {
	conn, err := nats.Connect(c.natsURLs(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond),
		nats.PingInterval(2*time.Second), nats.MaxPingsOutstanding(1), nats.IgnoreAuthErrorAbort())
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(conn.Close)
	return conn
}

// memberHTTP is the push API of a member, whose process may be replaced meanwhile. Its
// client waits for 10 s.
type memberHTTP struct {
	c *cluster
	m *member
}

func (h memberHTTP) send(method, key, body string, headers ...string) (verdict, error) {
	request, err := http.NewRequest(method, "http://"+h.m.web+"/metrics"+key, strings.NewReader(body))
	if err != nil {
		return verdict{}, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := h.c.client.Do(request)
	if err != nil {
		return verdict{}, err
	}
	defer response.Body.Close()
	return verdict{Code: response.StatusCode}, nil
}

// run makes changes until the load is stopped. It retries each change until it is
// accepted.
func (l *clusterLoad) run(w *crashWorker, ways []transport) {
	for {
		select {
		case <-l.stopped:
			return
		default:
		}
		o := w.next()
		start := time.Now()
		for try := 0; ; try++ {
			v, err := ways[try%len(ways)].send(o.method, keyOf(crashJob, w.instance(o.group)), o.body())
			w.history = append(w.history, fmt.Sprintf("%s %s %s %v = %d: %d %s %v", time.Now().Format("15:04:05.000"), w.instance(o.group), o.method, o.families, o.value, v.Code, v.Error, err))
			if err == nil && v.Code/100 == 2 {
				break
			}
			l.count(func() { l.tries++ })
			if l.c.t.Failed() {
				return
			}
			if time.Since(start) > 2*clusterBound {
				l.c.t.Errorf("worker %d gets nothing accepted for %s: %d %s %v", w.number, time.Since(start), v.Code, v.Error, err)
				return
			}
			time.Sleep(20 * time.Millisecond) // the pace of a client that tries again
		}
		w.groups[o.group] = o.apply(w.groups[o.group])
		w.acknowledged++
		l.count(func() {
			l.changes++
			l.slowest = max(l.slowest, time.Since(start))
		})
	}
}

func (l *clusterLoad) count(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// report returns what has happened since the last report.
func (l *clusterLoad) report() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := fmt.Sprintf("%5d changes accepted, %3d tries not, slowest change %5.2f s", l.changes, l.tries, l.slowest.Seconds())
	l.changes, l.tries, l.slowest = 0, 0, 0
	return text
}

func (l *clusterLoad) stop() {
	select {
	case <-l.stopped:
	default:
		close(l.stopped)
	}
	l.working.Wait()
}

// probe pushes to one member only, until it is stopped. It returns a summary.
func (c *cluster) probe(m *member) (stop func() string) {
	var ended atomic.Bool
	var probing sync.WaitGroup
	var accepted, refused int
	var slowest time.Duration
	probing.Go(func() {
		for n := 0; !ended.Load(); n++ {
			start := time.Now()
			v, err := memberHTTP{c, m}.send(http.MethodPut, keyOf("probe", m.web), fmt.Sprintf("probe %d\n", n))
			if err != nil || v.Code != http.StatusOK {
				refused++
				time.Sleep(20 * time.Millisecond) // the pace of a client that tries again
				continue
			}
			accepted++
			slowest = max(slowest, time.Since(start))
		}
	})
	return func() string {
		ended.Store(true)
		probing.Wait()
		return fmt.Sprintf("one that stays: %5d accepted, %2d refused, slowest %5.2f s", accepted, refused, slowest.Seconds())
	}
}

// agree waits until all members are at one sequence. It checks that their digests are
// the same there, and that they show what the workers expect.
func (c *cluster) agree(l *clusterLoad) {
	c.t.Helper()
	var last clusterOf
	testkit.Within(c.t, clusterBound, "all three are at the same sequence", func() bool {
		last = c.members[0].cluster()
		if len(last.Gateways) != 3 {
			return false
		}
		for _, g := range last.Gateways {
			if g.Applied != last.Gateways[0].Applied {
				return false
			}
		}
		return true
	})
	for _, g := range last.Gateways {
		if g.Digest != last.Gateways[0].Digest {
			c.t.Errorf("the gateways disagree: %+v", last)
		}
	}
	for _, m := range c.members {
		e := m.scrape()
		compareCrash(c.t, exposition{types: e.types, samples: onlyCrash(e.samples)}, l.workers, nil)
	}
}

// onlyCrash returns the groups of the workers only.
func onlyCrash(samples map[string]string) map[string]string {
	kept := map[string]string{}
	for line, value := range samples {
		if strings.Contains(line, `job="`+crashJob+`"`) {
			kept[line] = value
		}
	}
	return kept
}

// Any one of three members may fail: nothing that was acknowledged is lost or undone,
// and afterwards all three show the same. The test prints how long recovery takes,
// which depends on the machine and on elections.
func TestAnyOneOfThreeMayFail(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := newCluster(s, newNetwork(t))
	start := time.Now()
	c.start()
	t.Logf("three are one after %.1f s", time.Since(start).Seconds())
	load := c.startWorkers(newRand(t))
	faults := []struct {
		name   string
		victim func() *member
		fault  func(m *member)
	}{
		{"orderly stop of the leader", c.leader, func(m *member) { c.stop(m); time.Sleep(time.Second); c.restart(m) }},
		{"kill -9 of the leader", c.leader, func(m *member) { c.kill(m); time.Sleep(faultTime); c.restart(m) }},
		{"a follower is frozen", c.follower, func(m *member) { c.pause(m, true); time.Sleep(frozenTime); c.pause(m, false) }},
		{"a link is cut", c.follower, func(m *member) {
			other := c.leader()
			c.network.cut(m.name, other.name, true)
			time.Sleep(faultTime)
			c.network.cut(m.name, other.name, false)
		}},
		{"the leader is cut off", c.leader, func(m *member) { c.cutOff(m) }},
		{"all are restarted, one by one", c.leader, func(m *member) {
			for _, o := range append(c.others(m), m) {
				c.stop(o)
				c.restart(o)
				c.current()
			}
		}},
	}
	for _, f := range faults {
		c.current()
		load.report()
		victim := f.victim()
		probed := c.probe(c.others(victim)[0])
		f.fault(victim)
		for _, m := range c.members {
			c.waitReady(m)
		}
		t.Logf("%-30s %s; %s", f.name, load.report(), probed())
		if t.Failed() {
			return
		}
	}
	c.current()
	load.stop()
	c.agree(load)
	changes := 0
	for _, w := range load.workers {
		changes += w.acknowledged
	}
	if changes < 10*clusterWorkers {
		t.Errorf("only %d acknowledged changes prove nothing", changes)
	}
}

// cutOff isolates a member. It still serves scrapes, reports that it has no quorum, and
// refuses pushes in time.
func (c *cluster) cutOff(m *member) {
	c.t.Helper()
	c.isolate(m, true)
	start := time.Now()
	testkit.Within(c.t, clusterBound, "it says that it takes no pushes", func() bool {
		a, err := m.do(http.MethodGet, "/-/ready?for=push", "")
		return err == nil && a.code == http.StatusServiceUnavailable
	})
	m.must(http.StatusOK, http.MethodGet, "/-/ready?for=scrape", "")
	if m.scrape().samples["sluice_bus_connected"] != "0" {
		c.t.Error("sluice_bus_connected is not 0")
	}
	pushed := time.Now()
	a := m.must(http.StatusServiceUnavailable, http.MethodPut, groupPath("cut", "off"), "cut 1\n")
	if took := time.Since(pushed); took > refusalBound+machineSlack || a.header.Get("Retry-After") == "" {
		c.t.Errorf("the push was refused after %s, Retry-After is %q", took, a.header.Get("Retry-After"))
	}
	time.Sleep(max(0, faultTime-time.Since(start)))
	c.isolate(m, false)
}
