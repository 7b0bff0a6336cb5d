package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/e2e/testkit"
)

// A job with as many groups as allowed gets no new one until one of them is deleted or
// expires. Its groups can still be pushed to, and other jobs are not affected.
func TestQuotaFreesItself(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.record("rules.yml", "rules:\n- match: job=~\"ci|random-.*\"\n  max_groups: 2\n  max_groups_by: [job]\n- match: '{kind=\"pod\"}'\n  ttl: 2s\n")
	g := s.start("--group.rules="+s.dir+"/rules.yml", "--group.forget-after=1h")
	push := func(code int, group string) string {
		t.Helper()
		return g.must(code, http.MethodPut, "/metrics/job/"+group, "a 1\n").body
	}
	push(http.StatusOK, "ci/instance/1")
	push(http.StatusOK, "ci/instance/2")
	text := push(http.StatusTooManyRequests, "ci/instance/3")
	if !strings.HasSuffix(text, ` allows 2 groups with job="ci", and 2 exist (--group.rules)`+"\n") {
		t.Errorf("the refusal says %q", text)
	}
	push(http.StatusOK, "ci/instance/1")
	for i := range 2 {
		push(http.StatusOK, fmt.Sprintf("random-1/instance/%d", i)) // max_groups_by gives each job a quota of its own
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

// The recipe of docs/dead-groups.md for Flink, whose job names end in random digits: all
// groups that the rule matches count together.
func TestQuotaOfRandomJobNames(t *testing.T) {
	s := newSite(t)
	s.record("rules.yml", "rules:\n- match: job=~\"flinkjob.*\"\n  ttl: 1h\n  max_groups: 3\n")
	g := s.start("--group.rules="+s.dir+"/rules.yml", "--web.enable-lifecycle")
	for i, job := range []string{"flinkjob3f9a", "flinkjob81c0", "flinkjobd4e7", "flinkjob5b21", "flinkjobaa06"} {
		a, err := g.do(http.MethodPut, "/metrics/job/"+job, "a 1\n")
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: http.StatusOK, false: http.StatusTooManyRequests}[i < 3]; a.code != want {
			t.Errorf("job %d: got %d %q, want %d", i+1, a.code, a.body, want)
		}
		if want := "rule 1 ({job=~\"flinkjob.*\"}) allows 3 groups in all, and 3 exist (--group.rules)\n"; i >= 3 && a.body != want {
			t.Errorf("job %d: got %q, want %q", i+1, a.body, want)
		}
	}
	// A higher limit counts from the reload.
	s.record("rules.yml", "rules:\n- match: job=~\"flinkjob.*\"\n  max_groups: 4\n")
	g.must(http.StatusOK, http.MethodPost, "/-/reload", "")
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/flinkjob5b21", "a 1\n")
	g.must(http.StatusTooManyRequests, http.MethodPut, "/metrics/job/flinkjobaa06", "a 1\n")
}

// Rules set times to live and limits, and they can be reloaded.
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
	if a := g.must(http.StatusTooManyRequests, http.MethodPut, "/metrics/job/ci/instance/2", "a 1\n"); !strings.Contains(a.body, `rule 2 ({job="ci"}) allows 1 group in all, and 1 exists`) {
		t.Errorf("the refusal says %q", a.body)
	}

	// A wrong file is refused as a whole, and the rules stay.
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
