package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// pageGroups is how many groups the page is tested with.
const pageGroups = 10_000

// pageGroup is the path of one of them.
func pageGroup(i int) string {
	jobs := []string{"backup", "billing", "etl", "report", "inventory"}
	regions := []string{"eu", "us", "ap"}
	return fmt.Sprintf("/job/%s/instance/host%05d/region/%s", jobs[i%len(jobs)], i, regions[i%len(regions)])
}

// fillPage pushes all these groups, by several clients.
func fillPage(t *testing.T, g *sluice) {
	t.Helper()
	begun := time.Now()
	var running sync.WaitGroup
	failures := make(chan error, clients)
	for c := range clients {
		running.Go(func() {
			for i := c; i < pageGroups; i += clients {
				body := fmt.Sprintf("# TYPE run_seconds gauge\nrun_seconds{step=\"read\"} %d\nrun_seconds{step=\"write\"} 2\nrows 3\n", i)
				a, err := g.do(http.MethodPut, "/metrics"+pageGroup(i), body)
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
	t.Logf("%d groups filled in %s", pageGroups, time.Since(begun))
}

// TestPageOfManyGroups fills a gateway. It looks at a second one that replays the
// stream of the first through a brake, and then at the first.
func TestPageOfManyGroups(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.start("--bus.listen=127.0.0.1:0", "--bus.sync=interval", "--web.enable-admin-api")
	fillPage(t, g)

	t.Run("while it replays", func(t *testing.T) {
		b := startBrake(t, g.natsURL())
		second := s.launch("--bus.url="+b.url(), "--bus.data-dir="+t.TempDir())
		second.inBrowser("replay", pageSettings{Groups: pageGroups, Release: b.releaseURL()})
		second.kill()
	})
	g.inBrowser("groups", pageSettings{Groups: pageGroups})
}
