package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/bus/embed"
	"sluice/e2e/testkit"
	"sluice/store"
)

// past returns what History tells, as text: the newest first.
func (g *gateway) past(t *testing.T, path string, n int) (string, uint64) {
	t.Helper()
	var events []HistoryEntry
	var kept uint64
	testkit.Eventually(t, "the stream answers", func() (ok bool) { // a slow machine may need another try
		var err error
		if events, kept, err = g.History(t.Context(), testkit.MustKey(path), n); err != nil && !unanswered(err) {
			t.Fatal(err)
		}
		return err == nil
	})
	var parts []string
	for _, p := range events {
		part := fmt.Sprintf("%d %s", p.Sequence, p.Event.Op)
		if p.Err != nil {
			part = fmt.Sprintf("%d damaged", p.Sequence)
		}
		if p.Time.IsZero() {
			t.Errorf("event %d has no time", p.Sequence)
		}
		if p.Err == nil && p.Event.Key.Path() != testkit.MustKey(path).Path() {
			t.Errorf("event %d is of %s", p.Sequence, p.Event.Key)
		}
		for _, f := range p.Event.Families {
			part += " " + strings.TrimSpace(string(f.Samples()[strings.LastIndex(string(f.Samples()), " "):]))
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", "), kept
}

func TestHistory(t *testing.T) {
	g := startGateway(t, Config{Server: embed.Config{DataDir: t.TempDir(), Sync: embed.SyncInterval}, History: 5})
	long := "/job/" + strings.Repeat("long", 60) // its subject is a hash
	f := func(path string, n int, want string, wantKept uint64) {
		t.Helper()
		if got, kept := g.past(t, path, n); got != want || kept != wantKept {
			t.Errorf("%.20s, %d: got %q of %d, want %q of %d", path, n, got, kept, want, wantKept)
		}
	}
	f("/job/none", 10, "", 0)
	g.push(t, testkit.Put("/job/a", 1), testkit.Put(long, 2), testkit.Put("/job/a", 3), testkit.Put("/job/b", 4))
	failed := testkit.Put("/job/a", 5)
	failed.Op = store.OpFail
	g.push(t, failed)
	f("/job/a", 10, "5 fail 5, 3 put 3, 1 put 1", 3)
	f("/job/a", 2, "5 fail 5, 3 put 3", 3)
	f(long, 10, "2 put 2", 1)
	for i := range 6 {
		g.push(t, testkit.Put("/job/a", 10+i))
	}
	f("/job/a", 10, "11 put 15, 10 put 14, 9 put 13, 8 put 12, 7 put 11", 5)
	// What is no event is told, and does not stand in the way.
	if _, err := g.js.PublishMsg(t.Context(), &nats.Msg{Subject: "sluice.log.job=b", Data: []byte("?")}); err != nil {
		t.Fatal(err)
	}
	f("/job/b", 10, "12 damaged, 4 put 4", 2)
	// What is read here changes nothing of what is followed.
	g.push(t, deleted(long))
	f(long, 10, "13 delete", 1)
	g.push(t, testkit.Put(long, 6), wipe())
	f("/job/a", 10, "", 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := g.History(ctx, testkit.MustKey("/job/a"), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: got %v", err)
	}
}

// Of very many events only the last ones are looked at, wherever they stand.
func TestHistoryIsLong(t *testing.T) {
	g := startGateway(t, Config{Server: embed.Config{DataDir: t.TempDir(), Sync: embed.SyncInterval}, History: 1_000_000})
	const many = historyLook + 500
	fill := func(path string) { // in steps, each of which has its time
		for from := 0; from < many; from += 500 {
			var events []store.Event
			for i := from; i < min(from+500, many); i++ {
				events = append(events, testkit.Put(path, i))
			}
			g.push(t, events...)
		}
	}
	fill("/job/dense")
	want := fmt.Sprintf("%d put %d, %d put %d", many, many-1, many-1, many-2)
	if got, kept := g.past(t, "/job/dense", 2); got != want || kept != many {
		t.Errorf("dense: got %q of %d, want %q of %d", got, kept, want, many)
	}
	fill("/job/other")
	if got, kept := g.past(t, "/job/dense", 2); got != want || kept != many {
		t.Errorf("far from the end: got %q of %d, want %q of %d", got, kept, want, many)
	}
	g.push(t, testkit.Put("/job/dense", 7))
	want = fmt.Sprintf("%d put 7, %d put %d", 2*many+1, many, many-1)
	if got, _ := g.past(t, "/job/dense", 2); got != want {
		t.Errorf("one at the end: got %q, want %q", got, want)
	}
}

// Each member of a cluster tells the same, whichever copy of the stream it reads.
func TestHistoryInACluster(t *testing.T) {
	configs := memberConfigs(t, 3)
	for i := range configs {
		configs[i].History = 5
	}
	members := startMembers(t, configs...)
	for round := range 6 {
		members[round%3].push(t, testkit.Put("/job/a", round))
	}
	for i, g := range members {
		same(t, []*gateway{g}, "/job/a", 5)
		if got, kept := g.past(t, "/job/a", 3); got != "6 put 5, 5 put 4, 4 put 3" || kept != 5 {
			t.Errorf("member %d: got %q of %d", i, got, kept)
		}
	}
}

// While the stream is away there is an error, in time.
func TestHistoryOfAStreamThatIsAway(t *testing.T) {
	server := startServer(t)
	g := startGateway(t, Config{URL: server.ClientURL()})
	g.push(t, testkit.Put("/job/a", 1))
	server.halt()
	if _, _, err := g.History(t.Context(), testkit.MustKey("/job/a"), 1); err == nil {
		t.Error("no error")
	}
	server.start(t)
	testkit.Eventually(t, "the stream is back", func() bool {
		events, _, err := g.History(t.Context(), testkit.MustKey("/job/a"), 1)
		return err == nil && len(events) == 1
	})
}

// A question that nobody has heard, as when a cluster forms, is asked again until the
// time is over or the server is away.
func TestAskUntilAnswered(t *testing.T) {
	f := func(t *testing.T, connected bool, answers []error, asked int, want error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		n := 0
		err := askUntilAnswered(ctx, func() bool { return connected }, func() error { n++; return answers[min(n, len(answers))-1] })
		if n != asked && asked > 0 || !errors.Is(err, want) {
			t.Errorf("asked %d times, %v; want %d times, %v", n, err, asked, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		f(t, true, []error{nats.ErrNoResponders, context.DeadlineExceeded, nil}, 3, nil)
		f(t, true, []error{nats.ErrNoResponders}, int(time.Second/askAgain)+1, nats.ErrNoResponders)
		f(t, false, []error{nats.ErrNoResponders, nil}, 1, nats.ErrNoResponders)
		f(t, true, []error{jetstream.ErrStreamNotFound, nil}, 1, jetstream.ErrStreamNotFound)
	})
}
