package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"
)

// loadMetric is the gauge that a load pushes; its value counts up in each group.
const loadMetric = "load_seq"

// A load is several clients, each of which pushes to its own groups, one push after
// another, until the load is stopped. It goes on across refusals and outages.
type load struct {
	job  string
	stop func() // waits for all clients

	mu       sync.Mutex       // protects all below
	acked    map[string]int64 // instance to the last acknowledged value
	sent     map[string]int64 // and to the last one that was sent
	verdicts map[string]int   // by code, or "none"
	slowest  time.Duration    // of all requests
}

// startLoad starts the clients. Values start at first, so that a later load on
// the same groups can go on where an earlier one ended.
func (g *sluice) startLoad(job string, clients, groups int, first int64) *load {
	l := &load{job: job, acked: map[string]int64{}, sent: map[string]int64{}, verdicts: map[string]int{}}
	quit := make(chan struct{})
	var running sync.WaitGroup
	for c := range clients {
		running.Go(func() {
			for n := first; ; n++ {
				for i := range groups {
					select {
					case <-quit:
						return
					default:
					}
					if !l.push(g, fmt.Sprintf("c%dg%d", c, i), n) {
						time.Sleep(10 * time.Millisecond)
					}
				}
			}
		})
	}
	l.stop = sync.OnceFunc(func() {
		close(quit)
		running.Wait()
	})
	g.t.Cleanup(l.stop)
	return l
}

func (l *load) push(g *sluice, instance string, n int64) (acknowledged bool) {
	l.mu.Lock()
	l.sent[instance] = n
	l.mu.Unlock()
	start := time.Now()
	a, err := g.do(http.MethodPut, groupPath(l.job, instance), fmt.Sprintf("%s %d\n", loadMetric, n))
	took := time.Since(start)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.slowest = max(l.slowest, took)
	if err != nil {
		l.verdicts["none"]++
		return false
	}
	l.verdicts[strconv.Itoa(a.code)]++
	if a.code != http.StatusOK {
		return false
	}
	l.acked[instance] = n
	return true
}

// acknowledged returns the number of acknowledged pushes, and the last one of each
// group.
func (l *load) acknowledged() (pushes int, last map[string]int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.verdicts["200"], maps.Clone(l.acked)
}

// lastSent returns the last push of each group that was sent, answered or not.
func (l *load) lastSent() map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.sent)
}

// seen returns how often each verdict came, and the time of the slowest answer.
func (l *load) seen() (verdicts map[string]int, slowest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.verdicts), l.slowest
}

// check compares a scrape with the verdicts of the stopped load: each group shows its
// last acknowledged push, or a later one that was sent and got no verdict.
func (l *load) check(t *testing.T, e exposition) {
	t.Helper()
	for instance, acked := range l.acked {
		shown, ok := e.value(series(loadMetric, l.job, instance))
		if !ok || shown < acked || shown > l.sent[instance] {
			t.Errorf("group %s shows %d (%t), acknowledged was %d, sent was %d", instance, shown, ok, acked, l.sent[instance])
		}
	}
}
