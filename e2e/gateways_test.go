package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"sluice/e2e/testkit"
)

// twoGateways starts two gateways on one external server.
func twoGateways(t *testing.T) [2]*sluice {
	s := newSite(t)
	external := startNATSServer(s)
	return [2]*sluice{s.start("--bus.url=" + external.url()), s.start("--bus.url=" + external.url())}
}

// agree waits until both gateways show the same groups and returns the scrapes.
// A push is in the scrape of the gateway that answered it at once, and in that
// of the other one a moment later.
func agree(t *testing.T, gateways [2]*sluice) [2]exposition {
	t.Helper()
	var e [2]exposition
	testkit.Within(t, requestBound, "both gateways show the same", func() bool {
		for i, g := range gateways {
			e[i] = g.scrape()
		}
		return slices.Equal(e[0].pushed(), e[1].pushed())
	})
	return e
}

// both calls push for each gateway and each of n numbers, all at the same time,
// and returns the verdicts by gateway and number.
func both(t *testing.T, gateways [2]*sluice, n int, push func(g *sluice, gateway, i int) (answer, error)) (verdicts [2][]int) {
	t.Helper()
	var pushing sync.WaitGroup
	for gateway, g := range gateways {
		verdicts[gateway] = make([]int, n)
		for i := range n {
			pushing.Go(func() {
				a, err := push(g, gateway, i)
				if err != nil {
					t.Error(err)
				}
				verdicts[gateway][i] = a.code
			})
		}
	}
	pushing.Wait()
	return verdicts
}

func TestTheLastWriteWinsOnBothGateways(t *testing.T) {
	const rounds, writers = 20, 10
	gateways := twoGateways(t)
	shared := series("shared", "both", "one")

	for n := range int64(rounds) {
		g := gateways[n%2]
		g.must(http.StatusOK, http.MethodPut, groupPath("both", "one"), fmt.Sprintf("shared %d\n", n))
		if have, _ := g.scrape().value(shared); have != n {
			t.Fatalf("gateway %d has answered push %d and shows %d", n%2, n, have)
		}
	}
	for i, e := range agree(t, gateways) {
		if have, _ := e.value(shared); have != rounds-1 {
			t.Errorf("gateway %d shows %d, the last push was %d", i, have, rounds-1)
		}
	}

	// Of pushes at the same time either may be the last one, but both gateways must
	// show the same.
	for range rounds {
		verdicts := both(t, gateways, writers, func(g *sluice, gateway, i int) (answer, error) {
			return g.do(http.MethodPut, groupPath("both", "one"), fmt.Sprintf("shared %d\n", 100*gateway+i))
		})
		for gateway, codes := range verdicts {
			for i, code := range codes {
				if code != http.StatusOK {
					t.Errorf("push %d on gateway %d: %d", i, gateway, code)
				}
			}
		}
		agree(t, gateways)
	}
}

func TestNoConflictIsAcceptedByTwoGateways(t *testing.T) {
	const pushes = 20
	gateways := twoGateways(t)
	types := [2]string{"gauge", "counter"}
	for round := range 10 {
		name := fmt.Sprintf("contested_%d", round)
		job := fmt.Sprintf("conflict-%d", round)
		instance := func(gateway, i int) string { return fmt.Sprintf("%s-%d", types[gateway], i) }
		verdicts := both(t, gateways, pushes, func(g *sluice, gateway, i int) (answer, error) {
			return g.do(http.MethodPut, groupPath(job, instance(gateway, i)), fmt.Sprintf("# TYPE %s %s\n%s %d\n", name, types[gateway], name, i))
		})

		e := agree(t, gateways)[0] // a second TYPE line of a name would have failed the scrape
		accepted := [2]int{}
		for gateway, codes := range verdicts {
			for i, code := range codes {
				_, shown := e.value(series(name, job, instance(gateway, i)))
				failed, _ := e.value(series("push_failure_time_seconds", job, instance(gateway, i)))
				switch {
				case code == http.StatusOK && shown && failed == 0:
					accepted[gateway]++
				case code == http.StatusBadRequest && !shown && failed > 0:
				default:
					t.Errorf("push of %s to %s: %d, is shown: %t, failure time %d", name, instance(gateway, i), code, shown, failed)
				}
			}
		}
		if slices.Max(accepted[:]) != pushes || slices.Min(accepted[:]) != 0 {
			t.Errorf("of %s the gateways accepted %v, want all of one type and none of the other", name, accepted)
		}
		if accepted[slices.Index(types[:], e.types[name])] != pushes {
			t.Errorf("%s is a %s, accepted were %v", name, e.types[name], accepted)
		}
	}
}

func TestNoUpdateIsLostBetweenTwoGateways(t *testing.T) {
	const families = 40
	gateways := twoGateways(t)
	name := func(gateway, i int) string { return fmt.Sprintf("update_%d_%d", gateway, i) }
	verdicts := both(t, gateways, families, func(g *sluice, gateway, i int) (answer, error) {
		return g.do(http.MethodPost, groupPath("both", "one"), fmt.Sprintf("%s %d\n", name(gateway, i), i))
	})
	for shownBy, e := range agree(t, gateways) {
		for gateway, codes := range verdicts {
			for i, code := range codes {
				have, shown := e.value(series(name(gateway, i), "both", "one"))
				if code != http.StatusOK || !shown || have != int64(i) {
					t.Errorf("gateway %d answered %d to %s, gateway %d shows %d, %t", gateway, code, name(gateway, i), shownBy, have, shown)
				}
			}
		}
		if lines := e.of("job", "both"); len(lines) != 2*families+2 { // and the two times
			t.Errorf("gateway %d shows %d lines:\n%s", shownBy, len(lines), strings.Join(lines, "\n"))
		}
	}
}
