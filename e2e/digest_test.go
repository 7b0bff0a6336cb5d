package e2e

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"sluice/e2e/testkit"
)

// clusterOf is the part of the answer of /api/v1/cluster that the test checks.
type clusterOf struct {
	Stream *struct {
		Last     uint64 `json:"last_sequence"`
		Replicas int    `json:"replicas"`
	} `json:"stream"`
	Error    string `json:"error"`
	Gateways []struct {
		Self    bool   `json:"self"`
		Applied uint64 `json:"applied_sequence"`
		Digest  string `json:"digest"`
		Settled bool   `json:"settled"`
	} `json:"gateways"`
	Agreement struct {
		Sequence uint64 `json:"sequence"`
		Agree    *bool  `json:"agree"`
		Gateways int    `json:"gateways"`
	} `json:"agreement"`
}

func (g *sluice) cluster() (c clusterOf) {
	g.t.Helper()
	answer := struct {
		Status string     `json:"status"`
		Data   *clusterOf `json:"data"`
	}{Data: &c}
	text := g.must(http.StatusOK, http.MethodGet, "/api/v1/cluster", "").body
	if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.Status != "success" {
		g.t.Fatalf("%v in %s", err, text)
	}
	return c
}

// Two gateways report that they agree: under load at a sequence that both have a digest
// of, and at rest at the last one. Without the stream they report that it cannot be
// reached.
func TestGatewaysSeeThatTheyAgree(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	external := startNATSServer(s)
	gateways := [2]*sluice{s.start("--bus.url=" + external.url()), s.start("--bus.url=" + external.url())}
	loads := []*load{}
	for i, g := range gateways {
		loads = append(loads, g.startLoad([]string{"a", "b"}[i], 4, 50, 1))
	}
	sequence := uint64(0)
	testkit.Within(t, 2*requestBound, "gateways can be compared several times", func() bool {
		c := gateways[0].cluster()
		if a := c.Agreement; a.Agree != nil && a.Gateways == 2 {
			if !*a.Agree {
				t.Fatalf("they do not agree under load: %+v", c)
			}
			sequence = max(sequence, a.Sequence)
		}
		return sequence > 0
	})
	for _, load := range loads {
		load.stop()
	}
	gateways[0].must(http.StatusOK, http.MethodPut, groupPath("last", "one"), "last 1\n")
	for i, g := range gateways {
		testkit.Within(t, requestBound, "both are settled at the last sequence", func() bool {
			c := g.cluster()
			if c.Agreement.Agree != nil && !*c.Agreement.Agree {
				t.Fatalf("gateway %d: they do not agree: %+v", i, c)
			}
			return c.Stream != nil && c.Stream.Replicas == 1 && c.Stream.Last > sequence && len(c.Gateways) == 2 && c.Gateways[0].Self != c.Gateways[1].Self &&
				c.Gateways[0].Digest == c.Gateways[1].Digest && c.Agreement.Sequence == c.Stream.Last && c.Agreement.Gateways == 2
		})
	}

	ready := func(query string, want int) func() bool {
		return func() bool {
			a, err := gateways[0].do(http.MethodGet, "/-/ready"+query, "")
			return err == nil && a.code == want
		}
	}
	testkit.Within(t, requestBound, "ready for pushes", ready("?for=push", http.StatusOK))
	external.stop()
	testkit.Within(t, 2*requestBound, "not ready for pushes", ready("?for=push", http.StatusServiceUnavailable))
	if !ready("?for=scrape", http.StatusOK)() || !ready("", http.StatusServiceUnavailable)() || !ready("?for=all", http.StatusBadRequest)() {
		t.Error("without the stream a gateway is ready for scrapes, and for nothing else")
	}
	start := time.Now()
	c := gateways[0].cluster()
	if c.Stream != nil || c.Error == "" || len(c.Gateways) != 1 || c.Agreement.Gateways != 1 {
		t.Errorf("without the stream: %+v", c)
	}
	if took := time.Since(start); took > requestBound {
		t.Errorf("the answer took %s", took)
	}
}
