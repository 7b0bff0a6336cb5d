package bus

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"sluice/e2e/testkit"
	"sluice/store"
)

// observed notes what a gateway is told of.
type observed struct {
	mu     sync.Mutex
	events []string
}

func (o *observed) note(seq uint64, e *store.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, fmt.Sprintf("%d %s %s", seq, e.Op, e.Key))
}

func (o *observed) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.events)
}

// Who observes is told of each event once and in order, whichever gateway it
// came from, and of none that a replay brings.
func TestObserve(t *testing.T) {
	server := startServer(t)
	start := func() (*gateway, *observed) {
		g, err := openGateway(Config{URL: server.ClientURL()})
		if err != nil {
			t.Fatal(err)
		}
		o := &observed{}
		g.Observe(o.note)
		g.follow(t)
		testkit.Eventually(t, "ready", func() bool { return g.Status().Ready })
		return g, o
	}
	a, seenByA := start()
	var want []string
	for i := range 20 {
		a.push(t, testkit.Put(fmt.Sprintf("/job/a%d", i), i))
		want = append(want, fmt.Sprintf("%d put /job/a%d", i+1, i))
	}
	b, seenByB := start()
	if got := seenByB.all(); len(got) != 0 {
		t.Errorf("the replay has told %v", got)
	}
	more := []string{"21 put /job/b", "22 delete /job/a0", "23 wipe ", "24 put /job/c"}
	for i, e := range []store.Event{testkit.Put("/job/b", 1), deleted("/job/a0"), wipe(), testkit.Put("/job/c", 1)} {
		b.push(t, e)
		// Not all at once: a delete takes what is older out of the stream.
		testkit.Eventually(t, "the other gateway has it", func() bool { return len(seenByA.all()) == 21+i })
	}
	if got := seenByA.all(); !slices.Equal(got, append(want, more...)) {
		t.Errorf("the first gateway has seen %v", got)
	}
	if got := seenByB.all(); !slices.Equal(got, more) {
		t.Errorf("the second gateway has seen %v", got)
	}
}
