package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/e2e/testkit"
)

// startHAProxy starts an haproxy in front of the members, with the configuration of
// deploy/compose. It returns the gateway as clients of the proxy see it.
func (c *cluster) startHAProxy() *sluice {
	t := c.t
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "deploy", "compose", "haproxy.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	config, address := string(text), testkit.FreeAddress(t)
	replace := func(old, with string, times int) {
		t.Helper()
		if n := strings.Count(config, old); n != times {
			t.Fatalf("%q stands %d times in haproxy.cfg, want %d", old, n, times)
		}
		config = strings.ReplaceAll(config, old, with)
	}
	replace("bind :9091", "bind "+address, 1)
	for _, m := range c.members {
		name := fmt.Sprintf("sluice-%d", m.number+1)
		replace(name+":9091 resolvers docker", m.web, 2)
	}
	// There is no resolver of Docker here, and maxconn is for the container's limit of
	// open files.
	config = regexp.MustCompile(`(?m)^resolvers docker\n(    .*\n)*`).ReplaceAllString(config, "")
	replace("    maxconn 16384\n", "    maxconn 256\n", 2)
	c.site.record("haproxy.cfg", config)
	log, err := os.Create(filepath.Join(c.site.dir, "haproxy.log"))
	if err != nil {
		t.Fatal(err)
	}
	proxy := exec.Command(debian(t, "haproxy"), "-db", "-f", filepath.Join(c.site.dir, "haproxy.cfg"))
	proxy.Stdout, proxy.Stderr = log, log
	if err := proxy.Start(); err != nil {
		t.Fatalf("start haproxy: %v", err)
	}
	t.Cleanup(func() {
		proxy.Process.Kill()
		proxy.Wait()
		log.Close()
	})
	g := &sluice{site: c.site, t: t, url: "http://" + address}
	testkit.Within(t, clusterBound, "haproxy passes pushes on", func() bool {
		a, err := g.do(http.MethodPut, groupPath("proxy", "up"), "up 1\n")
		return err == nil && a.code == http.StatusOK
	})
	return g
}

// A steady client pushes again and again and never retries. It counts its pushes and
// keeps the answers to those that were not accepted.
type steady struct {
	push     func(value int) error
	accepted int
	refused  []string
	slowest  time.Duration
}

func (s *steady) run(ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		default:
		}
		start := time.Now()
		if err := s.push(s.accepted + 1); err != nil {
			s.refused = append(s.refused, fmt.Sprintf("%s: %v", start.Format(time.StampMilli), err))
			return
		}
		s.accepted++
		s.slowest = max(s.slowest, time.Since(start))
	}
}

// All members are restarted one by one, as for an upgrade. Clients push through the
// proxy of deploy/compose, or by `sluice push` with all addresses. None of their pushes
// is refused, and scrapes go on.
func TestRestartsOneByOneRefuseNoPush(t *testing.T) {
	s := newSite(t)
	c := newCluster(s, nil)
	c.start()
	c.current()
	proxy := c.startHAProxy()
	var addresses []string
	for _, m := range c.members {
		addresses = append(addresses, m.web)
	}

	const proxied = 3
	clients := map[string]*steady{}
	for i := range proxied {
		instance := fmt.Sprintf("proxy-%d", i)
		clients[instance] = &steady{push: func(value int) error {
			return wants(http.StatusOK, proxy, http.MethodPut, groupPath("steady", instance), fmt.Sprintf("pushed %d\n", value))
		}}
	}
	clients["command"] = &steady{push: func(value int) error {
		push := exec.Command(binary, "push", "--url", strings.Join(addresses, ","), "--job", "steady", "--label", "instance=command")
		push.Stdin = strings.NewReader(fmt.Sprintf("pushed %d\n", value))
		if out, err := push.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}}
	scrapes := &steady{push: func(int) error { return wants(http.StatusOK, proxy, http.MethodGet, "/metrics", "") }}

	ended := make(chan struct{})
	var running sync.WaitGroup
	end := sync.OnceFunc(func() { close(ended); running.Wait() })
	defer end()
	for _, client := range clients {
		running.Go(func() { client.run(ended) })
	}
	running.Go(func() { scrapes.run(ended) })
	leader := c.leader()
	for _, m := range append(c.others(leader), leader) {
		c.stop(m)
		c.restart(m)
		c.current()
	}
	end()

	for name, client := range clients {
		t.Logf("%s: %d pushes, the slowest took %.2f s", name, client.accepted, client.slowest.Seconds())
		if len(client.refused) > 0 {
			t.Errorf("%s: %s", name, client.refused)
		}
		if client.accepted < len(c.members) {
			t.Errorf("%s: %d pushes prove nothing", name, client.accepted)
		}
		for _, m := range c.members {
			testkit.Within(t, clusterBound, "all members show the last push of "+name, func() bool {
				n, _ := m.scrape().value(series("pushed", "steady", name))
				return n == int64(client.accepted)
			})
		}
	}
	if len(scrapes.refused) > 0 {
		t.Errorf("scrapes: %s", scrapes.refused)
	}
}

// wants sends a request and returns an error if the answer is not this.
func wants(code int, g *sluice, method, path, body string) error {
	a, err := g.do(method, path, body)
	if err == nil && a.code != code {
		err = fmt.Errorf("%d %.200s", a.code, a.body)
	}
	return err
}
