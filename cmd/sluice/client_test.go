package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"sluice/e2e/testkit"
)

// gatewayOf runs a whole gateway until the test ends, and returns where it is
// reached over HTTP and over NATS.
func gatewayOf(t *testing.T, flags ...string) (url, natsURL string) {
	t.Helper()
	log := &testkit.Log{}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	args := append([]string{"sluice", "--web.listen-address=127.0.0.1:0", "--bus.listen=127.0.0.1:0", "--bus.data-dir=" + t.TempDir(), "--bus.sync=interval"}, flags...)
	go func() { ended <- run(ctx, args, io.Discard, log) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the gateway ended with %v", err)
		}
	})
	find := func(pattern string) string {
		deadline := time.Now().Add(time.Minute)
		for time.Now().Before(deadline) {
			if found := regexp.MustCompile(pattern).FindStringSubmatch(log.String()); found != nil {
				return found[1]
			}
			select {
			case err := <-ended:
				ended <- nil
				t.Fatalf("the gateway does not start: %v", err)
			case <-time.After(10 * time.Millisecond):
			}
		}
		t.Fatalf("the log has no %s:\n%s", pattern, log)
		return ""
	}
	natsURL, url = find(`"NATS listening".* address=(\S+)`), find(`"Listening on".* address=(\S+)`)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if answer, err := http.Get("http://" + url + "/-/ready"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return url, natsURL
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the gateway does not get ready")
		}
	}
}

// sluice runs a client command with an input.
func sluice(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, notes bytes.Buffer
	app := &cli.App{
		Name: "sluice", Commands: clientCommands(), Reader: strings.NewReader(stdin), Writer: &out, ErrWriter: &notes,
		ExitErrHandler: func(*cli.Context, error) {},
	}
	err = app.RunContext(t.Context(), append([]string{"sluice"}, args...))
	return out.String(), notes.String(), err
}

// accepts wants a command to succeed without a word.
func accepts(t *testing.T, stdin string, args ...string) {
	t.Helper()
	if stdout, stderr, err := sluice(t, stdin, args...); err != nil || stdout+stderr != "" {
		t.Errorf("%s: got %v, %q, %q", args, err, stdout, stderr)
	}
}

// refuses wants one to fail with an error that has a text.
func refuses(t *testing.T, want, stdin string, args ...string) {
	t.Helper()
	if stdout, _, err := sluice(t, stdin, args...); err == nil || !strings.Contains(oneLine(err), want) || stdout != "" {
		t.Errorf("%s: got %v, %q, want %q", args, err, stdout, want)
	}
}

func scrape(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get("http://" + url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What the commands change, a scrape shows, whichever way they go.
func TestPushAndDelete(t *testing.T) {
	url, natsURL := gatewayOf(t)
	has := func(line string, want bool) {
		t.Helper()
		if got := strings.Contains(scrape(t, url), "\n"+line+"\n"); got != want {
			t.Errorf("%s: got %t", line, got)
		}
	}
	file := filepath.Join(t.TempDir(), "metrics")
	if err := os.WriteFile(file, []byte("b 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for way, to := range map[string][]string{"HTTP": {"--url", "127.0.0.1:1," + url}, "NATS": {"--nats", natsURL}} {
		f := func(args ...string) []string { return append([]string{args[0]}, append(to, args[1:]...)...) }
		accepts(t, "a 1\n", f("push", "--job", way, "--label", "path=/var/tmp", "--label", "list=a,b=c", "--label", "dot=..", "--label", "none=")...)
		series := `{dot="..",instance="",job="` + way + `",list="a,b=c",none="",path="/var/tmp"}`
		has("a"+series+" 1", true)
		accepts(t, "", f("push", "--job", way, "--label", "path=/var/tmp", "--label", "list=a,b=c", "--label", "dot=..", "--label", "none=", "--gzip", file)...)
		has("a"+series+" 1", true) // post is the default
		has("b"+series+" 2", true)
		accepts(t, "c 3\n", f("push", "--group", "/job/"+way+"/path@base64/L3Zhci90bXA/list/a,b=c/dot@base64/Li4/none@base64/=", "--method=PUT", "-")...)
		has("a"+series+" 1", false)
		has("c"+series+" 3", true)
		accepts(t, "", f("delete", "--job", way, "--label", "path=/var/tmp", "--label", "list=a,b=c", "--label", "dot=..", "--label", "none=")...)
		has("c"+series+" 3", false)
		accepts(t, "", f("delete", "--group", "job/"+way)...) // there is none, as with Pushgateway

		accepts(t, "# TYPE e counter\ne_total 1\n# EOF\n", f("push", "--group", "/job/b%20c "+way, "--ttl=1h", "--content-type=application/openmetrics-text; version=1.0.0")...)
		has(`e_total{instance="",job="b c `+way+`"} 1`, true)

		refuses(t, "400 text format parsing error in line 1: unexpected end of input", "a 1", f("push", "--job=x")...)
		refuses(t, "400 time to live", "a 1\n", f("push", "--job=x", "--ttl=soon")...)
		refuses(t, "400 ", "a 1\n", f("push", "--group=/job/x/odd")...)
	}
	listed, _, err := sluice(t, "", "groups", "--url", url, "--json", `--match={job=~"b c.*"}`)
	if err != nil || strings.Count(listed, `"expires":`) != 2 {
		t.Errorf("the time to live is lost: %s, %v", listed, err)
	}
}

func TestGroups(t *testing.T) {
	url, _ := gatewayOf(t)
	empty, notes, err := sluice(t, "", "groups", "--url", url)
	if err != nil || notes != "" || strings.Fields(empty)[0] != "GROUP" || strings.Count(empty, "\n") != 1 {
		t.Errorf("got %q, %q, %v", empty, notes, err)
	}
	if none, _, err := sluice(t, "", "groups", "--url", url, "--json"); err != nil || none != "{\"groups\":[],\"total\":0}\n" {
		t.Errorf("got %q, %v", none, err)
	}
	for _, instance := range []string{"db1", "db2", "web,1"} {
		accepts(t, "m 1\n", "push", "--url", url, "--job=x", "--label=instance="+instance, "--ttl=1h")
	}
	got, notes, err := sluice(t, "", "groups", "--url", url)
	line := regexp.MustCompile(`^/job/x/instance/db1 +up +1 +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ +http 127.0.0.1$`)
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if err != nil || notes != "" || len(lines) != 4 || !line.MatchString(strings.TrimSpace(lines[1])) {
		t.Errorf("got\n%s%s%v", got, notes, err)
	}
	got, notes, err = sluice(t, "", "groups", "--url", url, `--match={job="x",instance=~"db.*"}`, "--match", `{instance="web,1"}`, "--limit=2")
	if err != nil || !strings.Contains(notes, "2 of 3 groups") || strings.Count(got, "/job/x/") != 2 {
		t.Errorf("got\n%s%s%v", got, notes, err)
	}
	refuses(t, "400 parameter match[]", "", "groups", "--url", url, "--match={")
	refuses(t, "--limit: must not be negative", "", "groups", "--url", url, "--limit=-1")
	refuses(t, `unexpected argument "x"`, "", "groups", "--url", url, "x")
}

// The binary has the commands, and serve's way with --no-X leaves theirs alone.
func TestCommandsOfTheBinary(t *testing.T) {
	url, _ := gatewayOf(t)
	file := filepath.Join(t.TempDir(), "--no-metrics")
	if err := os.WriteFile(file, []byte("m 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, args := range [][]string{
		{"push", "--url", url, "--job", "--no-push", file},
		{"groups", "--url", url},
	} {
		if err := run(t.Context(), append([]string{"sluice"}, args...), &out, io.Discard); err != nil {
			t.Errorf("%s: %v", args, err)
		}
	}
	if !strings.Contains(out.String(), "/job/--no-push ") {
		t.Errorf("got\n%s", &out)
	}
}

func TestInputIsBounded(t *testing.T) {
	_, err := readInput(t.Context(), zeros{}, "")
	if err == nil || !strings.Contains(err.Error(), "standard input has more than 67108864 bytes") {
		t.Errorf("got %v", err)
	}
	in, end := io.Pipe()
	defer end.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := readInput(ctx, in, "-"); err == nil || !strings.Contains(err.Error(), "cannot read metrics from standard input: context canceled") {
		t.Errorf("got %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
