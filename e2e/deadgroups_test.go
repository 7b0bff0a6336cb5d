package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/e2e/testkit"
)

// hosts push every half second until they are stopped.
type hosts struct {
	g       *sluice
	stop    chan struct{}
	pushing sync.WaitGroup
}

// startHosts starts hosts of the numbers from..to, each with a group of its own
// and a time to live.
func startHosts(g *sluice, from, to int, ttl string) *hosts {
	h := &hosts{g: g, stop: make(chan struct{})}
	for i := from; i < to; i++ {
		h.pushing.Go(func() {
			for n := 0; ; n++ {
				// A host goes on while the gateway is down.
				g.do(http.MethodPut, hostPath(i)+"?ttl="+ttl, fmt.Sprintf("host_pushes %d\n", n))
				select {
				case <-h.stop:
					return
				case <-time.After(500 * time.Millisecond):
				}
			}
		})
	}
	return h
}

func hostPath(i int) string { return fmt.Sprintf("/metrics/job/host/instance/h%d", i) }

// end stops the hosts; may be called once.
func (h *hosts) end() {
	close(h.stop)
	h.pushing.Wait()
}

// number returns the value of a query with one result, -1 for none.
func (p *prometheus) number(expression string) int {
	for _, text := range p.query(expression) {
		if n, err := strconv.Atoi(text); err == nil {
			return n
		}
	}
	return -1
}

// want waits until a query has a value.
func (p *prometheus) want(n int, expression string) {
	p.t.Helper()
	testkit.Within(p.t, 45*time.Second, fmt.Sprintf("%s is %d (it is %d)", expression, n, p.number(expression)), func() bool {
		time.Sleep(100 * time.Millisecond) // it evaluates at its own pace
		return p.number(expression) == n
	})
}

// firing returns the number of label sets for which an alert fires.
func (p *prometheus) firing(name string) int {
	resp, err := http.Get(p.url + "/api/v1/alerts")
	if err != nil {
		return -1
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Alerts []struct {
				Labels map[string]string
				State  string
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		p.t.Fatal(err)
	}
	n := 0
	for _, a := range answer.Data.Alerts {
		if a.Labels["alertname"] == name && a.State == "firing" {
			n++
		}
	}
	return n
}

// seen returns the number of series for which a condition held in any scrape after a
// moment, -1 if that is not known yet. In the condition, %s stands for the time since
// then.
func (p *prometheus) seen(condition string, after time.Time) int {
	since := int(time.Since(after).Seconds()) - 1 // the scrape that was going on may be older
	if since < 1 {
		return -1
	}
	return p.number("count(" + fmt.Sprintf(condition, fmt.Sprintf("[%ds]", since)) + ") or vector(0)")
}

// neverSeen checks that no scrape after a moment has shown a host alive whose name
// matches a pattern, in either of the two ways to scrape.
func (p *prometheus) neverSeen(hosts string, after time.Time) {
	p.t.Helper()
	for _, condition := range []string{
		`max_over_time(up{job="host",via="sluice",instance=~"` + hosts + `"}%s) == 1`,
		`max_over_time(sluice_group_up{job="host",instance=~"` + hosts + `"}%s) == 1`,
		`count_over_time(host_pushes{instance=~"` + hosts + `"}%s)`,
	} {
		testkit.Within(p.t, requestBound, "Prometheus answers for "+condition, func() bool { return p.seen(condition, after) >= 0 })
		if n := p.seen(condition, after); n != 0 {
			p.t.Errorf("%d series of %s since %s", n, condition, after)
		}
	}
}

// scrapesBothWays starts a Prometheus that scrapes all groups at once (way="all") and
// each as a target of its own. It has the rules of deploy/prometheus, with shorter
// waits.
func scrapesBothWays(s *site, address string) *prometheus {
	s.t.Helper()
	rules, err := os.ReadFile("../deploy/prometheus/alerts.yml")
	if err != nil {
		s.t.Fatal(err)
	}
	s.record("alerts.yml", strings.ReplaceAll(string(rules), "for: 1m", "for: 1s"))
	return configurePrometheus(s, fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [alerts.yml]
scrape_configs:
- job_name: all
  honor_labels: true
  static_configs: [{targets: ["%s"], labels: {way: all}}]
- job_name: each
  honor_labels: true
  http_sd_configs: [{url: "http://%s/api/v1/targets", refresh_interval: 1s}]
  relabel_configs: [{target_label: via, replacement: sluice}]
  metric_relabel_configs: [{regex: via, action: labeldrop}]
`, address, address))
}

// Of fifty hosts that push ten stop. Their up becomes 0, their series go stale, the
// alert fires, and after a while they are forgotten; the other forty stay. A restart of
// the gateway changes nothing of that, nor does a gateway that is down at the moment of
// expiry.
func TestDyingHostsAreSeenToDie(t *testing.T) {
	t.Parallel()
	const forgetAfter = 25 * time.Second
	s := newSite(t)
	address := testkit.FreeAddress(t)
	flags := []string{"--web.listen-address=" + address, "--group.forget-after=" + forgetAfter.String()}
	g := s.start(flags...)
	dying, late, staying := startHosts(g, 0, 10, "4s"), startHosts(g, 10, 15, "4s"), startHosts(g, 15, 50, "10m")
	p := scrapesBothWays(s, address)
	const up, down = `count(up{job="host",via="sluice"} == 1)`, `count(up{job="host",via="sluice"} == 0)`
	const all, each = `count(host_pushes{way="all"})`, `count(host_pushes{way=""})`
	p.want(50, up)
	p.want(50, all)
	p.want(50, each)
	if n := p.firing("SluiceGroupDown"); n != 0 {
		t.Errorf("%d alerts fire while all is well", n)
	}

	dying.end()
	p.want(10, down)
	p.want(40, up)
	p.want(40, all)
	p.want(40, each)
	p.want(10, `count(sluice_group_up{way="all"} == 0)`)
	testkit.Within(t, 30*time.Second, "the alert fires for ten targets and ten groups", func() bool {
		time.Sleep(100 * time.Millisecond)
		return p.firing("SluiceGroupDown") == 20
	})

	dead := time.Now()

	// Neither a restart nor a crash changes that.
	for _, end := range []func(){
		func() {
			if code, err := g.Terminate(); code != 0 || err != nil {
				t.Fatalf("terminate: %d, %v", code, err)
			}
		},
		func() { g.kill() },
	} {
		end()
		g = s.start(flags...)
		for i := range 10 {
			if a := g.must(http.StatusGone, http.MethodGet, strings.Replace(hostPath(i), "/metrics", "/group", 1), ""); !strings.Contains(a.body, "expired") {
				t.Errorf("host %d: %q", i, a.body)
			}
		}
		p.want(10, down)
		p.want(40, up)
	}

	// The gateway is down at the moment of expiry. When it is back the groups are dead.
	late.end()
	g.kill()
	away := time.Now()
	time.Sleep(5 * time.Second) // the time to live is over meanwhile
	g = s.start(flags...)
	text := g.must(http.StatusOK, http.MethodGet, "/metrics", "").body
	for i := range 15 {
		if strings.Contains(text, fmt.Sprintf("host_pushes{instance=\"h%d\"", i)) {
			t.Errorf("host %d is shown alive", i)
		}
	}
	for i := 10; i < 15; i++ {
		g.must(http.StatusGone, http.MethodGet, strings.Replace(hostPath(i), "/metrics", "/group", 1), "")
	}
	p.want(35, all)

	// Groups that are forgotten are not targets any more.
	p.want(35, up)
	testkit.Within(t, 2*forgetAfter, "the dead hosts are forgotten", func() bool {
		time.Sleep(200 * time.Millisecond)
		return p.number(`count(up{job="host",via="sluice"})`) == 35
	})
	g.must(http.StatusNotFound, http.MethodGet, "/group/job/host/instance/h0", "")
	if n := p.seen(`max_over_time(up{job="host",via="sluice",instance=~"h[2-4][0-9]"}%s) == 1`, dead); n != 30 {
		t.Errorf("%d of 30 hosts that stayed were seen", n)
	}
	p.neverSeen("h[0-9]", dead)
	p.neverSeen("h1[0-4]", away)
	staying.end()
}
