package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"sluice/e2e/testkit"
)

// clients is how many clients push at the same time in the tests of this file.
const clients = 8

func TestAnsweredMeansVisible(t *testing.T) {
	const times = 200
	g := newSite(t).start()
	background := g.startLoad("load", clients, 10, 1)

	path := groupPath("visible", "one")
	pushed := series("visible", "visible", "one")
	start := time.Now()
	for n := range int64(times) {
		g.must(http.StatusOK, http.MethodPut, path, fmt.Sprintf("visible %d\n", n))
		if have, shown := g.scrape().value(pushed); have != n || !shown {
			t.Fatalf("push %d was answered, the scrape shows %d, %t", n, have, shown)
		}
		g.must(http.StatusAccepted, http.MethodDelete, path, "")
		if left := g.scrape().of("job", "visible"); len(left) > 0 {
			t.Fatalf("delete %d was answered, the scrape shows %v", n, left)
		}
	}
	background.stop()
	verdicts, slowest := background.seen()
	t.Logf("%d pushes, deletes and scrapes in %s beside a load of %v, slowest answer %s", times, time.Since(start), verdicts, slowest)
	if verdicts["200"] == 0 || len(verdicts) > 1 {
		t.Errorf("the load was told %v", verdicts)
	}
	background.check(t, g.scrape())
}

func TestWipeIsOneStep(t *testing.T) {
	const groups = 5_000
	g := newSite(t).start("--web.enable-admin-api")
	fill(t, g, "wiped", groups)
	background := g.startLoad("load", clients, 10, 1)
	testkit.Within(t, requestBound, "the load runs", func() bool {
		pushes, _ := background.acknowledged()
		return pushes > 20*clients
	})
	if have := len(g.scrape().of("job", "wiped")); have < groups {
		t.Fatalf("%d lines of %d groups before the wipe", have, groups)
	}

	_, before := background.acknowledged()
	start := time.Now()
	g.must(http.StatusAccepted, http.MethodPut, "/api/v1/admin/wipe", "")
	took := time.Since(start)
	e := g.scrape()
	t.Logf("wiped %d groups under load in %s", groups, took)
	if left := e.of("job", "wiped"); len(left) > 0 {
		t.Errorf("%d lines of wiped groups are left, for example %s", len(left), left[0])
	}
	// Groups of the load may be shown, but only with pushes since the wipe.
	for instance, acked := range before {
		if shown, ok := e.value(series(loadMetric, "load", instance)); ok && shown <= acked {
			t.Errorf("group %s shows push %d, which was answered before the wipe", instance, shown)
		}
	}
	// The load goes on. Once each of its groups was pushed again, check holds again.
	sent := background.lastSent()
	testkit.Within(t, requestBound, "every group of the load is pushed again", func() bool {
		_, acked := background.acknowledged()
		for instance, n := range sent {
			if acked[instance] <= n {
				return false
			}
		}
		return true
	})
	background.stop()
	background.check(t, g.scrape())
}

// fill pushes one small group after another, by several clients.
func fill(t *testing.T, g *sluice, job string, groups int) {
	t.Helper()
	start := time.Now()
	var running sync.WaitGroup
	failures := make(chan error, clients)
	for c := range clients {
		running.Go(func() {
			for i := c; i < groups; i += clients {
				a, err := g.do(http.MethodPut, groupPath(job, fmt.Sprint(i)), fmt.Sprintf("filled %d\n", i))
				if err == nil && a.code != http.StatusOK {
					err = fmt.Errorf("push to group %d: %d %s", i, a.code, a.body)
				}
				if err != nil {
					failures <- err
					return
				}
			}
		})
	}
	running.Wait()
	close(failures)
	for err := range failures {
		t.Fatal(err)
	}
	t.Logf("%d groups filled in %s", groups, time.Since(start))
}
