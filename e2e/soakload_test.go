package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"sluice/e2e/history"
)

const (
	soakJob = "soak"
	// soakClients is how many clients push, every fourth one over NATS.
	soakClients = 8
	// soakPlaces is how many groups the clients change at a time.
	soakPlaces = 6
	// soakChanges is how many changes a group gets before another one replaces it, and
	// soakDoubts how many of its deletes may have an unknown outcome. Both bound the
	// search for an order.
	soakChanges = 400
	soakDoubts  = 3
	// soakPace bounds the pause of a client between changes, and of a scraper
	// between scrapes.
	soakPace = 40 * time.Millisecond
)

// soakFamilies are the families of history.State, in its order. The first is in each
// push, the second in each put.
var soakFamilies = [history.Families]string{"soak_push", "soak_put", "soak_a", "soak_b", "soak_c"}

// A soakGroup is a group that clients change, until it has had enough changes and
// another one replaces it.
type soakGroup struct {
	name string

	mu      sync.Mutex // protects all below
	changes int
	doubts  int   // deletes of unknown outcome
	users   int   // clients that are at it
	full    bool  // nobody begins with it any more
	closed  int64 // tick after which nobody changes it any more, 0 before
}

// use begins a client's work on the group. It returns false if it is full.
func (g *soakGroup) use() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.changes >= soakChanges || g.doubts >= soakDoubts {
		g.full = true
		return false
	}
	g.users++
	return true
}

// leave ends a client's work on the group.
func (g *soakGroup) leave(tick int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.users--
	if g.full && g.users == 0 {
		g.closed = tick
	}
}

// retire closes a group that no client will use any more.
func (g *soakGroup) retire(tick int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.full = true
	if g.users == 0 {
		g.closed = tick
	}
}

// changed counts a change, and returns whether there may be more.
func (g *soakGroup) changed(o history.Operation) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changes++
	if o.Kind == history.Delete && o.Outcome == history.Unknown {
		g.doubts++
	}
	return g.doubts < soakDoubts
}

func (g *soakGroup) closedAt() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// A soakLoad is a number of clients that change groups, and a scraper for each gateway.
type soakLoad struct {
	c        *cluster
	recorder history.Recorder
	ctx      context.Context // of clients and scrapers
	cancel   context.CancelFunc
	working  sync.WaitGroup
	starts   [history.Gateways]atomic.Int64 // of each gateway
	value    atomic.Int64

	mu      sync.Mutex // protects all below
	places  [soakPlaces]*soakGroup
	groups  []*soakGroup // all that there ever were
	counts  map[history.Outcome]int
	scrapes int
	odd     map[string]int // answers that nobody should get
	last    time.Time      // when a change was accepted last
	gap     time.Duration  // longest time without one, since reset
}

func newSoakLoad(c *cluster) *soakLoad {
	l := &soakLoad{c: c, counts: map[history.Outcome]int{}, odd: map[string]int{}, last: time.Now()}
	l.ctx, l.cancel = context.WithCancel(c.t.Context())
	for place := range l.places {
		l.renew(place)
	}
	return l
}

// run starts all clients and scrapers.
func (l *soakLoad) run(chance *rand.Rand) {
	for i := range soakClients {
		own := rand.New(rand.NewPCG(chance.Uint64(), uint64(i)))
		if i%4 == 3 {
			conn := l.c.natsClient()
			l.working.Go(func() { l.client(fmt.Sprintf("nats-%d", i), own, []soakWay{{history.Nobody, overNATS{conn}}}) })
			continue
		}
		var ways []soakWay
		for n := range l.c.members { // each begins with another one
			m := l.c.members[(n+i)%len(l.c.members)]
			ways = append(ways, soakWay{m.number, memberHTTP{l.c, m}})
		}
		l.working.Go(func() { l.client(fmt.Sprintf("http-%d", i), own, ways) })
	}
	for _, m := range l.c.members {
		own := rand.New(rand.NewPCG(chance.Uint64(), uint64(m.number)))
		l.working.Go(func() { l.scraper(m, own) })
	}
}

// stop ends them. A change under way is completed.
func (l *soakLoad) stop() {
	l.cancel()
	l.working.Wait()
}

// A soakWay is how a client reaches a gateway.
type soakWay struct {
	gateway int // history.Nobody if it may be any
	transport
}

// renew puts a new group in a place. The caller has the lock, or is alone.
func (l *soakLoad) renew(place int) {
	l.places[place] = &soakGroup{name: fmt.Sprintf("p%dg%d", place, len(l.groups))}
	l.groups = append(l.groups, l.places[place])
}

// take returns a group for a client, which leaves it afterwards.
func (l *soakLoad) take(place int) *soakGroup {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.places[place].use() {
		l.places[place].retire(l.recorder.Tick())
		l.renew(place)
	}
	return l.places[place]
}

// known returns all groups so far.
func (l *soakLoad) known() []*soakGroup {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.groups[:len(l.groups):len(l.groups)]
}

// client makes changes. It retries each until it is accepted or refused.
func (l *soakLoad) client(name string, chance *rand.Rand, ways []soakWay) {
	for l.ctx.Err() == nil {
		g := l.take(chance.IntN(soakPlaces))
		kind, families := l.next(chance)
		bad := kind != history.Delete && chance.IntN(100) == 0
		for try := chance.IntN(2); l.ctx.Err() == nil; try++ {
			way := ways[try%len(ways)]
			o := l.change(name, way, g, kind, families, bad)
			if !g.changed(o) || o.Outcome == history.Accepted || bad && o.Outcome == history.Refused && o.Answer == "400" {
				if o.Outcome == history.Accepted && way.gateway != history.Nobody && chance.IntN(2) == 0 {
					l.look(name, l.c.members[way.gateway], g)
				}
				break
			}
			l.pause(20 * time.Millisecond) // the pace of a client that tries again
		}
		g.leave(l.recorder.Tick())
		l.pause(upTo(chance, soakPace))
	}
}

func (l *soakLoad) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-l.ctx.Done():
	}
}

// next returns a random change and its families.
func (l *soakLoad) next(chance *rand.Rand) (kind history.Kind, families [history.Families]bool) {
	families[0] = true
	for i := 2; i < history.Families; i++ {
		families[i] = chance.IntN(2) == 0
	}
	switch n := chance.IntN(10); {
	case n < 2:
		return history.Delete, families
	case n < 6:
		return history.Post, families
	}
	families[1] = true
	return history.Put, families
}

// change sends a change once and records its outcome. Each try has a value of its own,
// so that reads can tell the tries apart.
func (l *soakLoad) change(name string, way soakWay, g *soakGroup, kind history.Kind, families [history.Families]bool, bad bool) history.Operation {
	o := history.Operation{Kind: kind, Group: g.name, Client: name, Gateway: way.gateway, Time: time.Now()}
	body := ""
	if kind != history.Delete {
		value := l.value.Add(1)
		for i, family := range soakFamilies {
			if !families[i] {
				continue
			}
			o.State[i] = value
			body += fmt.Sprintf("# TYPE %s gauge\n%s %d", family, family, value)
			if bad {
				body += " 1700000000000" // pushes may not have timestamps
			}
			body += "\n"
		}
	}
	o.Call = l.recorder.Tick()
	v, err := way.send(strings.ToUpper(string(kind)), keyOf(soakJob, g.name), body)
	o.Return = l.recorder.Tick()
	o.Outcome, o.Answer = outcomeOf(v, err), strconv.Itoa(v.Code)
	if err != nil {
		o.Answer = err.Error()
	}
	if o.Outcome != history.Accepted {
		o.Gateway = history.Nobody
	}
	l.recorder.Add(o)
	l.count(o, bad)
	return o
}

// outcomeOf returns what an answer says of the outcome. A request that could not be
// sent has no effect.
func outcomeOf(v verdict, err error) history.Outcome {
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial", errors.Is(err, nats.ErrNoResponders):
		return history.Refused
	case err != nil:
		return history.Unknown
	case v.Code/100 == 2:
		return history.Accepted
	case v.Code/100 == 4, v.Code == http.StatusInsufficientStorage:
		return history.Refused
	}
	return history.Unknown
}

func (l *soakLoad) count(o history.Operation, bad bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[o.Outcome]++
	code, err := strconv.Atoi(o.Answer)
	switch {
	case bad && o.Outcome == history.Accepted, !bad && code/100 == 4, err == nil && code/100 == 5 && code != http.StatusServiceUnavailable:
		l.odd[fmt.Sprintf("%s of a group: %d", o.Kind, code)]++
	}
	if o.Outcome == history.Accepted {
		l.gap = max(l.gap, time.Since(l.last))
		l.last = time.Now()
	}
}

// reset returns the longest time without an accepted change since the last call, the
// present one included.
func (l *soakLoad) reset() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	gap := max(l.gap, time.Since(l.last))
	l.gap = 0
	return gap
}

// accepted returns how many changes were accepted.
func (l *soakLoad) accepted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[history.Accepted]
}

// since returns when a change was accepted last.
func (l *soakLoad) since() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// look reads and records one group of a gateway.
func (l *soakLoad) look(name string, m *member, g *soakGroup) {
	o := history.Operation{Kind: history.Read, Group: g.name, Client: name, Gateway: m.number, Time: time.Now(), Call: l.recorder.Tick()}
	code, text, err := l.get(m, "/group"+keyOf(soakJob, g.name))
	o.Return = l.recorder.Tick()
	switch {
	case err != nil || code == http.StatusServiceUnavailable:
		return // it is down, or not ready: nothing is shown
	case code == http.StatusNotFound: // there is no such group
	case code == http.StatusOK:
		o.State = readSoak(text)[g.name]
	default:
		l.note(fmt.Sprintf("a scrape of a group: %d", code))
		return
	}
	l.recorder.Add(o)
}

// scraper scrapes a gateway until the load is stopped.
func (l *soakLoad) scraper(m *member, chance *rand.Rand) {
	shown := map[string]soakShown{}
	for l.ctx.Err() == nil {
		l.scrape(m, shown)
		l.pause(upTo(chance, soakPace))
	}
}

// soakShown is what a scraper has last seen of a group.
type soakShown struct {
	state  history.State
	call   int64
	starts int64 // of the gateway
}

// scrape reads and records all groups of a gateway, and reports whether it could. A
// group that is closed and shown unchanged is not recorded again.
func (l *soakLoad) scrape(m *member, shown map[string]soakShown) bool {
	groups := l.known()
	at := time.Now()
	starts, call := l.starts[m.number].Load(), l.recorder.Tick()
	code, text, err := l.get(m, "/metrics")
	end := l.recorder.Tick()
	if err != nil || code == http.StatusServiceUnavailable {
		return false
	}
	if code != http.StatusOK {
		l.note(fmt.Sprintf("a scrape: %d", code))
		return false
	}
	states := readSoak(text)
	var reads []history.Operation
	for _, g := range groups {
		now, before := soakShown{states[g.name], call, starts}, shown[g.name]
		if closed := g.closedAt(); closed != 0 && before.call > closed && before.state == now.state && before.starts == now.starts {
			continue
		}
		shown[g.name] = now
		reads = append(reads, history.Operation{
			Kind: history.Read, Group: g.name, Client: "scraper", Gateway: m.number, State: now.state, Call: call, Return: end, Time: at,
		})
	}
	l.recorder.Add(reads...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.scrapes++
	return true
}

// note counts an answer that no client should get.
func (l *soakLoad) note(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.odd[what]++
}

func (l *soakLoad) get(m *member, path string) (code int, text string, err error) {
	response, err := l.c.client.Get("http://" + m.web + path)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// readSoak reads the states of all groups from a scrape.
func readSoak(text string) map[string]history.State {
	states := map[string]history.State{}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "soak_") {
			continue
		}
		for i, family := range soakFamilies {
			rest, ok := strings.CutPrefix(line, family+`{instance="`)
			if !ok {
				continue
			}
			name, rest, _ := strings.Cut(rest, `"`)
			_, number, _ := strings.Cut(rest, "} ")
			value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
			state := states[name]
			state[i] = int64(value)
			if err != nil {
				state[i] = -1 // nobody pushes that
			}
			states[name] = state
		}
	}
	return states
}
