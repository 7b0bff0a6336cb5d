package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sluice/e2e/history"
	"sluice/e2e/testkit"
)

// soakCheckLimit bounds each search for an order of the changes of a group. A search
// takes more memory the longer it runs.
const soakCheckLimit = 10 * time.Second

// soakProof is how many changes must be accepted for each kind of fault, or the soak
// proves nothing.
const soakProof = 100

// TestSoak injects faults into a cluster of three while clients change groups and read
// them. Then it decides whether the history is as promised (e2e/history). It injects
// one fault, and goes on for E2E_MINUTES minutes if that is set, as `make soak` does.
//
// With E2E_HISTORY it only decides a history that an earlier run has kept.
func TestSoak(t *testing.T) {
	t.Parallel()
	if path := os.Getenv("E2E_HISTORY"); path != "" {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		operations, err := history.ReadAll(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(decide(t, operations, func(name, content string) {
			if err := os.WriteFile(path+"."+name, []byte(content), 0o644); err != nil {
				t.Error(err)
			}
		}))
		return
	}
	minutes := intSetting(t, "E2E_MINUTES", 0)
	s := newSite(t)
	c := newCluster(s, newNetwork(t))
	c.start()
	chance := newRand(t)
	load := newSoakLoad(c)
	faults := newSoakFaults(c, load, chance)
	t.Cleanup(func() { // before the gateways end
		load.stop()
		if t.Failed() {
			recordHistory(s, load.recorder.All())
		}
	})
	load.run(chance)
	began := time.Now()
	failed := faults.round()
	for failed == nil && time.Since(began) < time.Duration(minutes)*time.Minute && !t.Failed() {
		failed = faults.round()
	}
	if failed != nil {
		t.Error(failed)
	} else {
		testkit.Within(t, soakBound, "enough changes are accepted", func() bool { return load.accepted() >= soakProof*len(faults.kinds) })
	}
	load.stop()
	if failed == nil {
		load.finish()
	}
	took := time.Since(began)
	operations := load.recorder.All()
	recordHistory(s, operations) // before all that may take long
	verdict := decide(t, operations, s.record)
	s.findInLogs("Critical write error") // the copy of the stream there is of no use any more
	t.Logf("%.1f minutes, %s", took.Minutes(), verdict)
	load.report(faults)
}

// findInLogs fails the test if a gateway has logged this text.
func (s *site) findInLogs(bad string) {
	s.t.Helper()
	logs, err := filepath.Glob(filepath.Join(s.dir, "sluice-*.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range logs {
		text, err := os.ReadFile(name)
		if err != nil {
			s.t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			if bytes.Contains(line, []byte(bad)) {
				s.t.Errorf("%s: %s", filepath.Base(name), bytes.TrimSpace(line))
				break
			}
		}
	}
}

func recordHistory(s *site, operations []history.Operation) {
	var text bytes.Buffer
	if err := history.Write(&text, operations); err != nil {
		s.t.Error(err)
	}
	s.record("history.jsonl", text.String())
}

// finish waits until all gateways have the same state at the end of the stream, and
// reads them once more.
func (l *soakLoad) finish() {
	l.c.t.Helper()
	var last clusterOf
	deadline := time.Now().Add(soakBound)
	for {
		last = l.c.members[0].cluster()
		same := last.Stream != nil && len(last.Gateways) == len(l.c.members)
		for _, g := range last.Gateways {
			same = same && g.Settled && g.Applied == last.Stream.Last
		}
		if same {
			break
		}
		if time.Now().After(deadline) {
			l.c.t.Errorf("not all gateways come to the end of the stream within %s: %+v", soakBound, last)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, g := range last.Gateways {
		if g.Digest != last.Gateways[0].Digest {
			l.c.t.Errorf("the gateways disagree: %+v", last)
		}
	}
	tick := l.recorder.Tick()
	l.recorder.Add(history.Operation{Kind: history.End, Gateway: history.Nobody, Call: tick, Return: tick, Time: time.Now()})
	for _, m := range l.c.members {
		if !l.scrape(m, map[string]soakShown{}) {
			l.c.t.Errorf("member %d cannot be scraped in the end", m.number)
		}
	}
}

// decide checks the history of each group. It records a broken one, with a page that
// draws it.
func decide(t *testing.T, operations []history.Operation, record func(name, content string)) string {
	t.Helper()
	began := time.Now()
	groups := history.Split(operations)
	found := map[history.Result]int{}
	slowest := time.Duration(0)
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		start := time.Now()
		v := history.Check(groups[name], soakCheckLimit)
		slowest = max(slowest, time.Since(start))
		found[v.Result]++
		switch v.Result {
		case history.Undecided:
			t.Errorf("group %s: it is not known whether its %d operations are as promised: %s", name, len(groups[name]), v.Reason)
		case history.Broken:
			t.Errorf("group %s: %s: %s", name, v.Reason, v.Culprit)
			var text, page bytes.Buffer
			fmt.Fprintf(&text, "%s\n%s\n\n", v.Reason, v.Culprit)
			for _, o := range v.Prefix {
				fmt.Fprintln(&text, o)
			}
			record("broken-"+name+".txt", text.String())
			if err := history.Draw(&page, v.Prefix, soakCheckLimit); err != nil {
				t.Error(err)
			}
			record("broken-"+name+".html", page.String())
		}
	}
	return fmt.Sprintf("%d operations in %d groups: %d as promised, %d broken, %d undecided; decided in %.1f s, the slowest in %.1f s", len(operations), len(groups),
		found[history.Kept], found[history.Broken], found[history.Undecided], time.Since(began).Seconds(), slowest.Seconds())
}

// report prints the faults and their effects.
func (l *soakLoad) report(f *soakFaults) {
	t := l.c.t
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Logf("changes: %d accepted, %d refused or not sent, %d unknown; %d scrapes",
		l.counts[history.Accepted], l.counts[history.Refused], l.counts[history.Unknown], l.scrapes)
	for _, name := range slices.Sorted(maps.Keys(f.kinds)) {
		t.Logf("%-15s %3d times, longest time without an accepted change %5.1f s", name, f.kinds[name].times, f.kinds[name].longest.Seconds())
	}
	for _, what := range slices.Sorted(maps.Keys(l.odd)) {
		t.Errorf("%d times %s", l.odd[what], what)
	}
}
