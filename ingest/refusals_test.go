package ingest

import (
	"fmt"
	"testing"

	"sluice/bus"
	"sluice/store"
)

func TestRefusalsAreBounded(t *testing.T) {
	r := NewRefusals()
	for i := range maxRefusals + 10 {
		key, err := store.NewKey(fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		r.add(store.Refusal{Key: key, Time: int64(i)})
		r.add(store.Refusal{Key: key, Time: int64(i), Message: "again"})
	}
	all := r.Latest()
	if len(all) != maxRefusals || len(r.byPath) != maxRefusals || all[0].Time != maxRefusals+9 || all[maxRefusals-1].Time != 10 || all[5].Message != "again" {
		t.Errorf("got %d refusals from %+v to %+v", len(all), all[0], all[len(all)-1])
	}
}

// What a client did wrong is kept whichever way it came; an accepted push and a
// busy gateway leave nothing.
func TestRefusalsAreKept(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	conn := g.startService(t)
	g.do("PUT", "/metrics/job/ok", "a 1\n")
	g.do("PUT", "/metrics/job/x", "a")
	g.do("PUT", "/metrics/job/y", "# TYPE a gauge\na 1\n")
	g.do("PUT", "/metrics/job/z/a", "a 1\n") // no key, no group
	if _, err := conn.Request("sluice.push.put.job.n", []byte("b"), patience); err != nil {
		t.Fatal(err)
	}
	all := g.front.refusals.Latest()
	if len(all) != 3 {
		t.Fatalf("got %+v, want three", all)
	}
	for i, want := range []struct{ path, origin string }{{"/job/n", "nats"}, {"/job/y", "http 192.0.2.1"}, {"/job/x", "http 192.0.2.1"}} {
		if r := all[i]; r.Key.Path() != want.path || r.Status != 400 || r.Message == "" || r.Reason == "" || r.Time == 0 || r.Origin != want.origin {
			t.Errorf("got %+v, want one of %s from %s", r, want.path, want.origin)
		}
	}
}
