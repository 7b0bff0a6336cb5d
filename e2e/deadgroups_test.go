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

	"github.com/nats-io/nats.go"

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
				// A gateway that is away is no reason to stop.
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

// firing returns for how many label sets an alert fires.
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

// seen returns for how many series a condition held in any scrape after a moment,
// -1 if that cannot be told yet. %s stands for the time since.
func (p *prometheus) seen(condition string, after time.Time) int {
	since := int(time.Since(after).Seconds()) - 1 // the scrape that was going on may be older
	if since < 1 {
		return -1
	}
	return p.number("count(" + fmt.Sprintf(condition, fmt.Sprintf("[%ds]", since)) + ") or vector(0)")
}

// neverSeen checks that no scrape after a moment has shown hosts alive, whose
// names match a pattern, in either way.
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

// scrapesBothWays starts a Prometheus that scrapes all groups at once (way="all")
// and each as a target of its own, with the rules of deploy/prometheus, which do
// not wait as long as there.
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

// Fifty hosts push, ten stop: their up becomes 0, their series go stale, the other
// forty stay, the alert fires, and after a while the ten are forgotten. The same
// through a restart of the gateway, and with the gateway down over the moment of
// expiry.
func TestDyingHostsAreSeenToDie(t *testing.T) {
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

	// A restart changes nothing of it, nor does a crash.
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

	// Down over the moment of expiry: when it is back the groups are dead.
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

	// Forgotten: no targets any more.
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

// Two gateways on one stream: each group expires once, and both show the same at
// the same sequence.
func TestTwoGatewaysExpireTheSame(t *testing.T) {
	const groups = 40
	s := newSite(t)
	external := startNATSServer(s)
	flags := []string{"--bus.url=" + external.url(), "--group.forget-after=10m"}
	gateways := [2]*sluice{s.start(flags...), s.start(flags...)}
	for i := range groups {
		gateways[i%2].must(http.StatusOK, http.MethodPut, fmt.Sprintf("/metrics/job/x/instance/%d?ttl=%ds", i, 1+i%3), "a 1\n")
	}
	dead := func(g *sluice) string {
		return g.must(http.StatusOK, http.MethodGet, "/api/v1/groups?limit=1000&dead=true", "").body
	}
	testkit.Within(t, 30*time.Second, "all groups are dead on both", func() bool {
		for _, g := range gateways {
			if strings.Count(dead(g), `"up":false`) != groups {
				return false
			}
		}
		return true
	})
	// The list has the sequence at which each of them expired.
	if first, second := dead(gateways[0]), dead(gateways[1]); first != second {
		t.Errorf("one says\n%s\nthe other\n%s", first, second)
	}
	conn := connect(t, external.url())
	js, err := conn.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	info, err := js.StreamInfo("SLUICE")
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range gateways {
		e, err := readExposition(g.must(http.StatusOK, http.MethodGet, "/-/metrics", "").body)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"sluice_stream_applied_sequence", "sluice_stream_last_sequence"} {
			if n, _ := e.value(name); n != 2*groups {
				t.Errorf("gateway %d: %s is %d, want %d", i, name, n, 2*groups)
			}
		}
	}
	// One event for each push and one for each expiry: nobody expired a group twice.
	if info.State.LastSeq != 2*groups || info.State.Msgs != groups {
		t.Errorf("%d events were written and %d are there, want %d and %d", info.State.LastSeq, info.State.Msgs, 2*groups, groups)
	}
	sub, err := js.SubscribeSync("sluice.log.*", nats.BindStream("SLUICE"), nats.DeliverAll(), nats.OrderedConsumer())
	if err != nil {
		t.Fatal(err)
	}
	for range groups {
		m, err := sub.NextMsg(requestBound)
		if err != nil {
			t.Fatal(err)
		}
		if op := m.Header.Get("Sluice-Op"); op != "expire" {
			t.Errorf("%s: the last event is %s", m.Subject, op)
		}
	}
}

// What the rules say, and that they can be changed.
func TestRulesByGroupingKey(t *testing.T) {
	s := newSite(t)
	s.record("rules.yml", "rules:\n- match: 'job=~\"batch-.*\"'\n  ttl: 7d\n- match: '{job=\"ci\"}'\n  max_groups: 1\n")
	path := s.dir + "/rules.yml"
	g := s.start("--group.ttl=10m", "--group.rules="+path, "--web.enable-lifecycle")
	ttl := func(query string) time.Duration {
		t.Helper()
		g.must(http.StatusOK, http.MethodPut, "/metrics/job/"+query, "a 1\n")
		job, _, _ := strings.Cut(query, "?")
		var answer struct {
			Data struct {
				Groups []struct {
					PushTime time.Time  `json:"push_time"`
					Expires  *time.Time `json:"expires"`
				}
			}
		}
		body := g.must(http.StatusOK, http.MethodGet, "/api/v1/groups?match[]=job=%22"+job+"%22", "").body
		if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Data.Groups) != 1 {
			t.Fatalf("%v in %s", err, body)
		}
		one := answer.Data.Groups[0]
		if one.Expires == nil {
			return 0
		}
		return one.Expires.Sub(one.PushTime)
	}
	for query, want := range map[string]time.Duration{"x": 10 * time.Minute, "batch-1": 7 * 24 * time.Hour, "x?ttl=1h": time.Hour, "x?ttl=never": 0} {
		if got := ttl(query); got != want {
			t.Errorf("%s lives %s, want %s", query, got, want)
		}
	}
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/ci/instance/1", "a 1\n")
	if a := g.must(http.StatusTooManyRequests, http.MethodPut, "/metrics/job/ci/instance/2", "a 1\n"); !strings.Contains(a.body, `job "ci" has 1 groups`) {
		t.Errorf("the refusal says %q", a.body)
	}

	// A wrong file is refused whole, and the rules stay.
	s.record("rules.yml", "rules:\n- match: job=\"x\"\n  ttl: 1h\n- match: job=\"y\"\n  ttl: soon\n")
	if a := g.must(http.StatusInternalServerError, http.MethodPost, "/-/reload", ""); !strings.Contains(a.body, path+":5: ") {
		t.Errorf("the refusal says %q, want file and line", a.body)
	}
	if got := ttl("x"); got != 10*time.Minute {
		t.Errorf("x lives %s after a reload that failed", got)
	}
	s.record("rules.yml", "rules:\n- match: job=\"x\"\n  ttl: 1h\n")
	g.must(http.StatusOK, http.MethodPut, "/-/reload", "")
	if got := ttl("x"); got != time.Hour {
		t.Errorf("x lives %s after a reload", got)
	}
	s.record("rules.yml", "")
	if err := g.Hangup(); err != nil {
		t.Fatal(err)
	}
	testkit.Within(t, requestBound, "SIGHUP has reloaded", func() bool { return ttl("x") == 10*time.Minute })

	s.record("rules.yml", "rule: []\n")
	code, err := s.run("--bus.data-dir="+s.dir+"/other", "--web.listen-address=127.0.0.1:0", "--group.rules="+path).Wait(requestBound)
	if code != 1 || err != nil {
		t.Errorf("a start with a wrong file: %d, %v", code, err)
	}
}
