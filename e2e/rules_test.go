package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"sluice/e2e/testkit"
)

// A job that has as many groups as it may gets no new one, until one of them is
// deleted or expires. What it has can be pushed on, and other jobs do not notice.
func TestQuotaFreesItself(t *testing.T) {
	s := newSite(t)
	s.record("rules.yml", "rules:\n- match: job=~\"ci|random-.*\"\n  max_groups: 2\n- match: '{kind=\"pod\"}'\n  ttl: 2s\n")
	g := s.start("--group.rules="+s.dir+"/rules.yml", "--group.forget-after=1h")
	push := func(code int, group string) string {
		t.Helper()
		return g.must(code, http.MethodPut, "/metrics/job/"+group, "a 1\n").body
	}
	push(http.StatusOK, "ci/instance/1")
	push(http.StatusOK, "ci/instance/2")
	text := push(http.StatusTooManyRequests, "ci/instance/3")
	if !strings.Contains(text, `job "ci" has 2 groups`) || !strings.Contains(text, "--group.rules") {
		t.Errorf("the refusal says %q", text)
	}
	push(http.StatusOK, "ci/instance/1")
	for i := range 2 {
		push(http.StatusOK, fmt.Sprintf("random-1/instance/%d", i)) // each job has a quota of its own
		push(http.StatusOK, fmt.Sprintf("other/instance/%d", i))
	}
	push(http.StatusTooManyRequests, "random-1/instance/2")
	push(http.StatusOK, "other/instance/2")

	g.must(http.StatusAccepted, http.MethodDelete, "/metrics/job/ci/instance/2", "")
	push(http.StatusOK, "ci/instance/3/kind/pod") // which lives for two seconds
	push(http.StatusTooManyRequests, "ci/instance/4")
	testkit.Within(t, 30*time.Second, "the pod's group has expired", func() bool {
		a, err := g.do(http.MethodGet, "/group/job/ci/instance/3/kind/pod", "")
		return err == nil && a.code == http.StatusGone
	})
	push(http.StatusOK, "ci/instance/4") // a dead group is none, though it is remembered
	push(http.StatusTooManyRequests, "ci/instance/3/kind/pod")
}

// SIGHUP never ends the process: not without a file, not with a wrong one, not
// while it starts, and not while it stops.
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

	// Until it has ended nothing else than the request to terminate counts.
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

	// From when the stream is opened, which is long before it can be reached.
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

// The request to reload, and who may.
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
