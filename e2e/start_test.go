package e2e

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/e2e/testkit"
)

// startBound is how soon a gateway that cannot start must end.
const startBound = 20 * time.Second

func TestAGatewayThatCannotStartSaysWhyInOneLine(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Close() })
	s := newSite(t)
	s.record("file", "")
	s.start("--bus.data-dir=" + filepath.Join(s.dir, "in-use"))
	in := func(name string) string { return filepath.Join(s.dir, name) }

	refused := func(name, offender string, flags ...string) {
		t.Helper()
		s.refuses(t, name, offender, flags...)
	}
	refused("port in use", busy.Addr().String(), "--web.listen-address="+busy.Addr().String())
	refused("NATS port in use", busy.Addr().String(), "--bus.listen="+busy.Addr().String())
	// A path below a file cannot be written to, even by root.
	refused("data directory not writable", in("file/data"), "--bus.data-dir="+in("file/data"))
	refused("data directory is a file", in("file"), "--bus.data-dir="+in("file"))
	refused("data directory in use", in("in-use"), "--bus.data-dir="+in("in-use"))
	refused("unknown flag", "no-such-flag", "--no-such-flag")
	refused("unexpected argument", "argument", "argument")
	refused("bad log level", "loud", "--log.level=loud")
	refused("bad log format", "xml", "--log.format=xml")
	refused("bad own metrics", "elsewhere", "--web.own-metrics=elsewhere")
	refused("scrapes where something else is", "/-/metrics", "--web.telemetry-path=/-/metrics")
	refused("scrapes where the page is", "/stream", "--web.telemetry-path=/stream")
	refused("bad sync", "sometimes", "--bus.sync=sometimes")
	refused("no labels allowed", "--push.max-labels", "--push.max-labels=0")
	refused("too many labels allowed", "--push.max-labels", "--push.max-labels=100000")
	refused("negative number of series", "--push.max-series", "--push.max-series=-1")
	refused("negative timeout", "--web.read-timeout", "--web.read-timeout=-1s")
	refused("bad address", "nowhere", "--web.listen-address=nowhere")
	refused("missing web configuration", in("missing.yml"), "--web.config.file="+in("missing.yml"))
	unreachable := testkit.FreeAddress(t)
	refused("unreachable server", unreachable, "--bus.url=nats://"+unreachable, "--bus.wait=0")
}

// refuses starts a gateway that must end at once, with code 1 and one line that names
// what is wrong.
func (s *site) refuses(t *testing.T, name, offender string, flags ...string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		start := time.Now()
		g := s.run(append([]string{"--web.listen-address=127.0.0.1:0", "--bus.data-dir=" + filepath.Join(s.dir, name)}, flags...)...)
		code, err := g.Wait(startBound)
		if err != nil {
			t.Fatalf("%v:\n%s", err, g.Log())
		}
		t.Logf("after %s: %s", time.Since(start).Round(time.Millisecond), g.Log())
		if lines := strings.Count(g.Log(), "\n"); code != 1 || lines != 1 || !strings.Contains(g.Log(), offender) {
			t.Errorf("code %d and %d lines, want code 1 and one line that names %s:\n%s", code, lines, offender, g.Log())
		}
	})
}

func TestTerminationLosesNothing(t *testing.T) {
	s := newSite(t)
	const rounds = 3
	for round := range rounds {
		g := s.start()
		background := g.startLoad("load", clients, 10, int64(round)*1_000_000)
		testkit.Within(t, requestBound, "the load runs", func() bool {
			pushes, _ := background.acknowledged()
			return pushes > 50*clients
		})
		start := time.Now()
		code, err := g.Terminate()
		took := time.Since(start)
		background.stop()
		verdicts, _ := background.seen()
		t.Logf("terminated in %s, the load was told %v", took, verdicts)
		if code != 0 || err != nil {
			t.Errorf("exit code %d, %v", code, err)
		}
		if strings.Contains(g.Log(), "level=ERROR") {
			t.Errorf("errors in the log:\n%s", g.Log())
		}
		for code := range verdicts {
			if code != "200" && code != "503" && code != "none" {
				t.Errorf("the load was told %v", verdicts)
			}
		}
		g = s.start()
		background.check(t, g.scrape())
		if _, err := g.Terminate(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnIdleGatewayTerminates(t *testing.T) {
	g := newSite(t).start()
	start := time.Now()
	code, err := g.Terminate()
	t.Logf("in %s", time.Since(start))
	if code != 0 || err != nil {
		t.Errorf("exit code %d, %v:\n%s", code, err, g.Log())
	}
}

// TestPushesDuringTheReplayAreToldToComeBack restarts a gateway with enough groups to
// watch the replay, and with more if it was too fast.
func TestPushesDuringTheReplayAreToldToComeBack(t *testing.T) {
	const attempts = 4
	s := newSite(t)
	address := testkit.FreeAddress(t)
	flags := []string{"--web.listen-address=" + address, "--bus.sync=interval"}
	for attempt := range attempts {
		groups := 20_000 << attempt
		g := s.start(flags...)
		fill(t, g, fmt.Sprint("filled-", attempt), groups)
		g.kill()

		start := time.Now()
		g = s.launch(flags...)
		seen := watchReplay(t, g)
		t.Logf("%d groups more: ready after %s, meanwhile %+v", groups, time.Since(start), seen)
		g.must(http.StatusOK, http.MethodPut, groupPath("after", "replay"), "after 1\n")
		if e := g.scrape(); len(e.of("job", fmt.Sprint("filled-", attempt))) < groups {
			t.Errorf("groups are missing after the replay")
		}
		if _, err := g.Terminate(); err != nil {
			t.Fatal(err)
		}
		if seen.refused > 0 && seen.healthy > 0 {
			return
		}
	}
	t.Errorf("no replay was seen in %d attempts", attempts)
}

// replayAnswers counts what a starting gateway has answered while it was not ready.
type replayAnswers struct{ unready, healthy, refused int }

// watchReplay asks a starting gateway again and again until it is ready. Answers
// between two that say it is not ready came during the replay.
func watchReplay(t *testing.T, g *sluice) (seen replayAnswers) {
	t.Helper()
	ready := func() bool {
		a, err := g.do(http.MethodGet, "/-/ready", "")
		if err != nil {
			t.Fatal(err)
		}
		if a.code != http.StatusOK && a.code != http.StatusServiceUnavailable {
			t.Fatalf("/-/ready: %d", a.code)
		}
		return a.code == http.StatusOK
	}
	deadline := time.Now().Add(time.Minute)
	for !ready() {
		push, err := g.do(http.MethodPut, groupPath("during", "replay"), "during 1\n")
		if err != nil {
			t.Fatal(err)
		}
		health, err := g.do(http.MethodGet, "/-/healthy", "")
		if err != nil {
			t.Fatal(err)
		}
		if ready() {
			break
		}
		seen.unready++
		if health.code == http.StatusOK {
			seen.healthy++
		} else {
			t.Errorf("/-/healthy: %d", health.code)
		}
		if push.code == http.StatusServiceUnavailable && push.header.Get("Retry-After") != "" {
			seen.refused++
		} else {
			t.Errorf("push during the replay: %d %s, Retry-After %q", push.code, push.body, push.header.Get("Retry-After"))
		}
		if time.Now().After(deadline) {
			t.Fatal("not ready within a minute")
		}
	}
	return seen
}
