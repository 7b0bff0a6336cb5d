package ingest

import (
	"strings"
	"testing"

	"sluice/bus"
	"sluice/bus/embed"
	"sluice/store"
)

// What Pushgateway does with a sequence of requests, and what is visible right
// after each answer.
func TestPushSemantics(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
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
	g := startGateway(t, bus.Config{}, defaultCommitter)
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
	g := startGateway(t, bus.Config{}, defaultCommitter)
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
	g := startGateway(t, bus.Config{}, defaultCommitter)
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
	g := startGateway(t, bus.Config{Server: embed.Config{MaxPayload: 4096}}, defaultCommitter)
	if code, text := g.do("PUT", "/metrics/job/x", "# "+strings.Repeat("x", 1<<20)+"\n"); code != 413 || !strings.Contains(text, "--push.max-bytes") {
		t.Errorf("got %d %q, want 413 with the flag", code, text)
	}
	big := "# HELP a " + strings.Repeat("x", 5000) + "\na 1\n"
	if code, text := g.do("PUT", "/metrics/job/x", big); code != 413 || !strings.Contains(text, "4096 bytes (--push.max-bytes)\n") {
		t.Errorf("got %d %q, want 413 with the limit and its flag", code, text)
	}
	if code, text := g.do("PUT", "/metrics/job/x", "a 1\n"); code != 200 {
		t.Errorf("got %d %q after a refusal, want 200", code, text)
	}
}

func TestStreamFull(t *testing.T) {
	g := startGateway(t, bus.Config{MaxBytes: 64 << 10}, defaultCommitter)
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

// A refusal is noted in its group with the reason, which a later push keeps and
// a later refusal replaces.
func TestRefusalIsNoted(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	key, err := store.ParseKey("/job/x")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ path, body, reason string }{
		{"/metrics/job/x", "a 1 1000\n", "timestamps"},
		{"/metrics/job/x", "a 1\n", "timestamps"},
		{"/metrics/job/y", "# TYPE b gauge\nb 1\n", "timestamps"},
		{"/metrics/job/x", "b 1\n", "/job/y"},
	} {
		code, text := g.do("POST", step.path, step.body)
		group := g.store.Group(key)
		if group == nil || !strings.Contains(group.Refusal(), step.reason) {
			t.Fatalf("after %q: got %+v", step.body, group)
		}
		if code == 400 && text != group.Refusal()+"\n" {
			t.Errorf("answered %q, noted %q", text, group.Refusal())
		}
	}
}

// Without the consistency check whatever can be read is answered by 202, as in
// Pushgateway; what cannot be taken is noted in the group all the same.
func TestUncheckedAnswers(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter, unchecked)
	for _, step := range []struct {
		body string
		code int
	}{
		{"# TYPE a gauge\na 1\n", 202},
		{"a 1 1000\n", 202},
		{"a 1", 400},
	} {
		code, text := g.do("POST", "/metrics/job/x", step.body)
		if code != step.code || (code == 202) != (text == "") {
			t.Errorf("%q: got %d %q, want %d", step.body, code, text, step.code)
		}
	}
	key, err := store.ParseKey("/job/x")
	if err != nil {
		t.Fatal(err)
	}
	if group := g.store.Group(key); group.FailTime() == 0 || !strings.Contains(group.Refusal(), "timestamp") {
		t.Errorf("the timestamp is not noted: %+v", group)
	}
}

func TestTooManyGroups(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter, func(s *store.Settings, _ *FrontConfig) { s.MaxGroups = 1 })
	g.do("PUT", "/metrics/job/x", "a 1\n")
	for _, body := range []string{"a 1\n", "a 1 1000\n"} {
		code, text := g.do("PUT", "/metrics/job/y", body)
		if want := map[string]int{"a 1\n": 429, "a 1 1000\n": 400}[body]; code != want {
			t.Errorf("%q: got %d %q, want %d", body, code, text, want)
		}
		if code == 429 && (!strings.HasPrefix(text, "the limit is 1 group, and 1 exists ") || !strings.Contains(text, "--push.max-groups")) {
			t.Errorf("got %q, want limit and flag", text)
		}
	}
	if n := g.store.Groups(); n != 1 {
		t.Errorf("got %d groups, want 1", n)
	}
	g.do("DELETE", "/metrics/job/x", "")
	if code, text := g.do("PUT", "/metrics/job/y", "a 1\n"); code != 200 {
		t.Errorf("got %d %q after a delete, want 200", code, text)
	}
}
