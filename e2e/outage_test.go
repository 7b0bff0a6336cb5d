package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/e2e/testkit"
)

const (
	// refusalBound is how soon a push is refused if the stream cannot be reached.
	refusalBound = 10 * time.Second
	// machineSlack is what a busy machine may add. With refusalBound it is less than
	// requestBound, so that a refusal that comes too late is told from none.
	machineSlack = 8 * time.Second
)

func TestAnOutageOfTheExternalServerPasses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	external := startNATSServer(s)
	g := s.start("--bus.url=" + external.url())
	conn := connect(t, external.url())
	g.must(http.StatusOK, http.MethodPut, groupPath("outage", "before"), "outage 1\n")
	background := g.startLoad("load", 4, 5, 1)
	testkit.Within(t, requestBound, "the load runs", func() bool {
		pushes, _ := background.acknowledged()
		return pushes > 100
	})

	for round := range 2 {
		external.stop()
		before := g.scrape().of("job", "outage") // scrapes go on
		for range 2 {
			start := time.Now()
			a := g.must(http.StatusServiceUnavailable, http.MethodPut, groupPath("outage", "during"), "outage 2\n")
			if took := time.Since(start); took > refusalBound+machineSlack {
				t.Errorf("the push was refused after %s", took)
			}
			if a.header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
			if after := g.scrape().of("job", "outage"); strings.Join(after, "\n") != strings.Join(before, "\n") {
				t.Errorf("the scrape changed from %v to %v", before, after)
			}
		}

		external.start()
		start := time.Now()
		testkit.Within(t, 2*requestBound, "pushes over HTTP are taken again", func() bool {
			a, err := g.do(http.MethodPut, groupPath("outage", "http"), "outage 3\n")
			return err == nil && a.code == http.StatusOK
		})
		testkit.Within(t, 2*requestBound, "pushes over NATS are taken again", func() bool {
			v, err := overNATS{conn}.send(http.MethodPut, keyOf("outage", "nats"), "outage 4\n")
			return err == nil && v.Code == http.StatusOK
		})
		t.Logf("outage %d is over %s after the server's start", round+1, time.Since(start))
		testkit.Within(t, requestBound, "the gateway is ready", func() bool {
			a, err := g.do(http.MethodGet, "/-/ready", "")
			return err == nil && a.code == http.StatusOK
		})
		e := g.scrape()
		for instance, want := range map[string]int64{"before": 1, "http": 3, "nats": 4} {
			if have, _ := e.value(series("outage", "outage", instance)); have != want {
				t.Errorf("group %s shows %d, want %d", instance, have, want)
			}
		}
		g.must(http.StatusAccepted, http.MethodDelete, groupPath("outage", "during"), "")
	}

	background.stop()
	background.check(t, g.scrape())
	verdicts, slowest := background.seen()
	t.Logf("a load across the outages was told %v, slowest answer %s", verdicts, slowest)
	if verdicts["none"] > 0 || slowest > refusalBound+machineSlack {
		t.Errorf("some pushes were not answered in time: %v, slowest %s", verdicts, slowest)
	}
	for code := range verdicts {
		if code != "200" && code != "503" {
			t.Errorf("the load was told %v", verdicts)
		}
	}
}
