package ingest

import (
	"fmt"
	"testing"

	"sluice/bus"
	"sluice/store"
)

// More groups than may wait for their verdict at once.
func TestDeleteGroupsMany(t *testing.T) {
	committer := defaultCommitter
	committer.MaxWaiting = deletesAtOnce + 10
	g := startGateway(t, bus.Config{}, committer)
	const n = 3*deletesAtOnce + 7
	for i := range n {
		g.do("PUT", fmt.Sprintf("/metrics/job/x/instance/%d", i), "a 1\n")
	}
	var keys []store.Key
	for group := range g.store.View().All() {
		keys = append(keys, group.Key())
	}
	if got, err := g.front.DeleteGroups(t.Context(), keys, "192.0.2.1:1"); err != nil || len(got) != n || g.store.Groups() != 0 {
		t.Errorf("got %d groups, %v, %d are left", len(got), err, g.store.Groups())
	}
	g.do("PUT", "/metrics/job/x", "a 1\n")
	g.cancel()
	<-g.committer.ended
	if got, err := g.front.DeleteGroups(t.Context(), keys[:1], "192.0.2.1:1"); err == nil || len(got) != 0 {
		t.Errorf("while stopping: got %v, %v, want an error", got, err)
	}
}

func TestQuota(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	g.store.SetQuotas(func(key store.Key) store.Quota {
		if job, _ := key.Get(store.JobLabel); job == "ci" {
			return store.Quota{Max: 2, Rule: `rule 1 ({job="ci"})`}
		}
		return store.Quota{}
	})
	for i := range 3 {
		code, text := g.do("PUT", fmt.Sprintf("/metrics/job/ci/instance/%d", i), "a 1\n")
		if want := map[bool]int{true: 200, false: 429}[i < 2]; code != want {
			t.Errorf("group %d: got %d %q, want %d", i, code, text, want)
		}
		if code == 429 && (text != "rule 1 ({job=\"ci\"}) allows 2 groups in all, and 2 exist (--group.rules)\n") {
			t.Errorf("got %q, want rule, limit and flag", text)
		}
	}
	if code, _ := g.do("PUT", "/metrics/job/other", "a 1\n"); code != 200 {
		t.Errorf("another job: got %d", code)
	}
	g.do("DELETE", "/metrics/job/ci/instance/0", "")
	if code, _ := g.do("PUT", "/metrics/job/ci/instance/3", "a 1\n"); code != 200 {
		t.Errorf("after a delete: got %d", code)
	}
}
