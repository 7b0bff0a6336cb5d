package ingest

import (
	"strings"
	"testing"

	"sluice/bus"
	"sluice/store"
)

// What Pushgateway does with a sequence of requests, and what is visible right
// after each answer.
func TestPushSemantics(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultLedger)
	f := func(method, path, body string, code int, want string) {
		t.Helper()
		got, text := g.do(method, path, body)
		if got != code {
			t.Errorf("%s %s %q: got %d (%s), want %d", method, path, body, got, text, code)
		}
		if (code == 200 || code == 202) && text != "" {
			t.Errorf("%s %s: got body %q, want none", method, path, text)
		}
		if visible := g.text(); visible != want {
			t.Errorf("after %s %s %q: got\n%s\nwant\n%s", method, path, body, visible, want)
		}
	}
	f("PUT", "/metrics/job/x", "a 1\nb 2\n", 200, "a{instance=\"\",job=\"x\"} 1\nb{instance=\"\",job=\"x\"} 2\n")
	f("POST", "/metrics/job/x", "b 3\n", 200, "a{instance=\"\",job=\"x\"} 1\nb{instance=\"\",job=\"x\"} 3\n")
	f("PUT", "/metrics/job/x", "b 4\n", 200, "b{instance=\"\",job=\"x\"} 4\n")
	f("PUT", "/metrics/job/x", "b 5 1000\n", 400, "b{instance=\"\",job=\"x\"} 4\n")
	f("PUT", "/metrics/job/x", "b 5", 400, "b{instance=\"\",job=\"x\"} 4\n")
	f("PUT", "/metrics/job/x/a", "b 5\n", 400, "b{instance=\"\",job=\"x\"} 4\n")
	f("PUT", "/metrics/job/y", "# TYPE b gauge\nb 1\n", 400, "b{instance=\"\",job=\"x\"} 4\n")
	f("DELETE", "/metrics/job/y", "", 202, "b{instance=\"\",job=\"x\"} 4\n")
	f("DELETE", "/metrics/job/x", "", 202, "")
	f("DELETE", "/metrics/job/x", "", 202, "")
	f("PUT", "/metrics/job/y/instance/i", "# TYPE b gauge\nb{instance=\"other\"} 1\n", 200, "b{instance=\"i\",job=\"y\"} 1\n")
	f("PUT", "/metrics/job/y", "# TYPE b gauge\nb{instance=\"i\"} 1\n", 400, "b{instance=\"i\",job=\"y\"} 1\n")
	f("PUT", "/wipe", "", 202, "")
}

func TestRefusalNamesGroupAndTypes(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultLedger)
	g.do("PUT", "/metrics/job/a/instance/i", "# TYPE m counter\nm 1\n")
	code, text := g.do("PUT", "/metrics/job/b", "# TYPE m gauge\nm 1\n")
	want := "pushed metrics are invalid or inconsistent with existing metrics: m is a gauge in this push, but a counter in group /job/a/instance/i"
	if first, _, _ := strings.Cut(text, "\n"); code != 400 || first != want {
		t.Errorf("got %d %q, want 400 %q", code, first, want)
	}
}

// A refused push leaves the failure time and nothing else; one that cannot be
// read leaves nothing.
func TestFailureTime(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultLedger)
	key, err := store.ParseKey("/job/x")
	if err != nil {
		t.Fatal(err)
	}
	g.do("PUT", "/metrics/job/x", "no line feed")
	if g.store.Group(key) != nil {
		t.Fatal("a push that cannot be read has left a group")
	}
	g.do("PUT", "/metrics/job/x", "a 1 1000\n")
	if group := g.store.Group(key); group == nil || group.PushTime() != 0 || group.FailTime() == 0 {
		t.Fatalf("got %+v, want a group with a failure time only", group)
	}
	g.do("POST", "/metrics/job/x", "a 1\n")
	if group := g.store.Group(key); group.PushTime() <= group.FailTime() || group.FailTime() == 0 {
		t.Fatalf("got push time %d and failure time %d", group.PushTime(), group.FailTime())
	}
}

// A group whose times would be the series of another group's cannot be made,
// not even by a refusal (Pushgateway breaks every scrape then).
func TestEmptyInstanceTwin(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultLedger)
	if code, text := g.do("PUT", "/metrics/job/x", "a 1\n"); code != 200 {
		t.Fatalf("got %d %s", code, text)
	}
	for range 2 {
		if code, _ := g.do("PUT", "/metrics/job/x/instance/", "b 2\n"); code != 400 {
			t.Errorf("got %d, want 400", code)
		}
	}
	if n := g.store.Groups(); n != 1 {
		t.Errorf("got %d groups, want 1", n)
	}
}

func TestPushTooLarge(t *testing.T) {
	g := startGateway(t, bus.Config{MaxPayload: 4096}, defaultLedger)
	if code, text := g.do("PUT", "/metrics/job/x", "# "+strings.Repeat("x", 1<<20)+"\n"); code != 413 || !strings.Contains(text, "--push.max-bytes") {
		t.Errorf("got %d %q, want 413 with the flag", code, text)
	}
	big := "# HELP a " + strings.Repeat("x", 5000) + "\na 1\n"
	if code, text := g.do("PUT", "/metrics/job/x", big); code != 413 || !strings.Contains(text, "4096") {
		t.Errorf("got %d %q, want 413 with the limit", code, text)
	}
	if code, text := g.do("PUT", "/metrics/job/x", "a 1\n"); code != 200 {
		t.Errorf("got %d %q after a refusal, want 200", code, text)
	}
}

func TestStreamFull(t *testing.T) {
	g := startGateway(t, bus.Config{MaxBytes: 64 << 10}, defaultLedger)
	full := false
	for i := range 200 {
		path := "/metrics/job/x/instance/" + strings.Repeat("i", i+1)
		code, text := g.do("PUT", path, "# HELP a "+strings.Repeat("x", 1000)+"\na 1\n")
		switch code {
		case 200:
			if full {
				t.Fatal("accepted after it was full")
			}
		case 507:
			full = true
			if !strings.Contains(text, "full") {
				t.Errorf("got %q", text)
			}
		default:
			t.Fatalf("got %d %q", code, text)
		}
	}
	if !full {
		t.Error("the stream was never full")
	}
	if g.store.Groups() == 0 {
		t.Error("what was stored before has gone")
	}
}
