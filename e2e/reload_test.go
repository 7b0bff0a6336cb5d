package e2e

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"sluice/e2e/testkit"
)

// SIGHUP never ends the process: neither without a file nor with a wrong one, neither
// while it starts nor while it stops.
func TestHangupIsHarmless(t *testing.T) {
	s := newSite(t)
	g := s.start()
	hangUp := func(said string) {
		t.Helper()
		if err := g.Hangup(); err != nil {
			t.Fatal(err)
		}
		testkit.Within(t, requestBound, "the log says "+said, func() bool { return strings.Contains(g.Log(), said) })
		g.must(http.StatusOK, http.MethodPut, "/metrics/job/x", "a 1\n")
	}
	hangUp("nothing to reload")
	if code, err := g.Terminate(); code != 0 || err != nil {
		t.Fatalf("terminate: %d, %v", code, err)
	}

	s.record("rules.yml", "rules:\n- match: job=\"x\"\n  ttl: 1h\n")
	path := s.dir + "/rules.yml"
	g = s.start("--group.rules=" + path)
	s.record("rules.yml", "rules:\n- match: job=\"x\"\n  ttl: 1h\n bad\n")
	hangUp(path + ":4: did not find expected key")
	s.record("rules.yml", "")
	hangUp("rules=0")

	// While it stops, SIGHUP changes nothing.
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if code, err := g.Terminate(); code != 0 || err != nil {
			t.Errorf("terminate with hangups: %d, %v", code, err)
		}
	}()
	for again := true; again; {
		select {
		case <-stopped:
			again = false
		case <-time.After(time.Millisecond):
			_ = g.Hangup() // fails when it has gone
		}
	}

	// SIGHUP is harmless from the moment at which the stream is opened, long before the
	// gateway is ready.
	data := s.dir + "/fresh"
	g = s.run("--web.listen-address=127.0.0.1:0", "--bus.data-dir="+data)
	testkit.Within(t, startBound, "it opens its stream", func() bool { _, err := os.Stat(data); return err == nil })
	for range 20 {
		if err := g.Hangup(); err != nil {
			t.Fatalf("it has ended: %v\n%s", err, g.Log())
		}
		time.Sleep(2 * time.Millisecond)
	}
	g.waitListening()
	if err := g.WaitReady(t.Context(), s.client, g.url); err != nil {
		t.Fatal(err)
	}
}

// The request to reload needs a flag.
func TestReloadRequest(t *testing.T) {
	s := newSite(t)
	g := s.launch("--web.route-prefix=/pg")
	below := g.at(g.url + "/pg")
	if err := g.WaitReady(t.Context(), s.client, below.url); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{http.MethodPut, http.MethodPost} {
		if a := below.must(http.StatusForbidden, method, "/-/reload", ""); a.body != "Lifecycle API is not enabled." {
			t.Errorf("%s: %q", method, a.body)
		}
	}
	below.must(http.StatusMethodNotAllowed, http.MethodGet, "/-/reload", "")
	g.must(http.StatusNotFound, http.MethodPut, "/-/reload", "")
	if code, err := g.Terminate(); code != 0 || err != nil {
		t.Fatalf("terminate: %d, %v", code, err)
	}
	g = s.start("--web.enable-lifecycle")
	g.must(http.StatusMethodNotAllowed, http.MethodGet, "/-/reload", "")
	g.must(http.StatusOK, http.MethodPost, "/-/reload", "") // nothing to do is no mistake
}
