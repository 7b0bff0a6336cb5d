package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"sluice/e2e/testkit"
)

// On two gateways with one stream each group expires once, and both show the same state
// at the same sequence.
func TestTwoGatewaysExpireTheSame(t *testing.T) {
	t.Parallel()
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
	// There is one event for each push and one for each expiry, so no group has expired
	// twice.
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
