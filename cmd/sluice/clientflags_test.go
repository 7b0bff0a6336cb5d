package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/urfave/cli/v2"
)

// A wrong command line is told before anything is asked or read.
func TestWrongClientFlags(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		refuses(t, want, "", args...)
	}
	f("which group?", "push")
	f("which group?", "delete", "--label=a=b")
	f("--group names the whole group", "push", "--group=/job/x", "--job=x")
	f("--group names the whole group", "push", "--group=/job/x", "--label=a=b")
	f(`--group: invalid URL escape "%zz"`, "push", "--group=/job/%zz")
	f("which group?", "push", "--group=")
	f(`--label: "a" is not name=value`, "push", "--job=x", "--label=a")
	f(`--label: "=b" is not name=value`, "push", "--job=x", "--label==b")
	f("job name is required", "push", "--job=")
	f("not valid UTF-8", "push", "--job=\xff")
	f(`--method: unknown value "patch"`, "push", "--job=x", "--method=patch")
	f("--url: address ftp://x", "push", "--job=x", "--url=ftp://x")
	f("--url: no address given", "push", "--job=x", "--url=,")
	f("--nats: no address given", "push", "--job=x", "--nats=")
	f("--timeout: must be positive", "push", "--job=x", "--timeout=0")
	f("timeout", "push", "--job=x", "--timeout=soon")
	f("cannot use /absent.yml", "push", "--job=x", "--http.config.file=/absent.yml")
	f("cannot go together", "push", "--job=x", "--url=a:1", "--nats=b:2")
	f("--creds: is for --nats", "push", "--job=x", "--creds=c")
	f("--prefix: is for --nats", "push", "--job=x", "--prefix=c")
	f("--http.config.file: is for --url", "push", "--job=x", "--nats=b:2", "--http.config.file=c")
	f("--tls-cert and --tls-key", "push", "--job=x", "--nats=b:2", "--tls-cert=c")
	f("--creds and --nkey", "push", "--job=x", "--nats=b:2", "--creds=c", "--nkey=d")
	f(`unexpected argument "--job=x": flags come first`, "push", "file", "--job=x")
	f(`unexpected argument "x"`, "delete", "x")
	f(`unexpected argument "x"`, "cluster", "x")
	f("cannot read metrics: open /absent", "push", "--job=x", "/absent")
	f("nats", "groups", "--nats=b:2") // it is no flag there
}

// The environment says where and as whom, and the command line comes first.
func TestClientEnvironment(t *testing.T) {
	var count atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { count.Add(1) }))
	defer s.Close()
	t.Setenv("SLUICE_URL", "127.0.0.1:1,"+s.URL)
	t.Setenv("SLUICE_TIMEOUT", "1m")
	accepts(t, "m 1\n", "push", "--job=x")
	if count.Load() != 1 {
		t.Errorf("asked %d times", count.Load())
	}
	refuses(t, "NATS at 127.0.0.1:1: cannot connect", "", "push", "--job=x", "--nats=127.0.0.1:1", "--timeout=100ms")
	t.Setenv("SLUICE_NATS", "127.0.0.1:1")
	t.Setenv("SLUICE_CREDS", "/absent.creds") // for those that go over NATS
	refuses(t, "cannot go together", "", "push", "--job=x")
	accepts(t, "m 1\n", "push", "--job=x", "--url", "127.0.0.1:1", "--url", s.URL)
	if count.Load() != 2 {
		t.Errorf("asked %d times", count.Load())
	}
	t.Setenv("SLUICE_URL", "")
	t.Setenv("SLUICE_CREDS", "")
	refuses(t, "NATS at 127.0.0.1:1: cannot connect", "", "push", "--job=x", "--timeout=100ms")
}

// Every flag of the client commands stands in their page, and its environment
// variable is no other's.
func TestClientFlagsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/client.md")
	if err != nil {
		t.Fatal(err)
	}
	serves := map[string]bool{}
	for _, f := range serveFlags() {
		for _, env := range f.(cli.DocGenerationFlag).GetEnvVars() {
			serves[env] = true
		}
	}
	for _, command := range clientCommands() {
		if !strings.Contains(string(page), "## sluice "+command.Name) && !strings.Contains(string(page), "`sluice "+command.Name) {
			t.Errorf("docs/client.md says nothing of sluice %s", command.Name)
		}
		names := map[string]bool{}
		for _, f := range command.Flags {
			name := f.Names()[0]
			if names[name] {
				t.Errorf("sluice %s has --%s twice", command.Name, name)
			}
			names[name] = true
			if !strings.Contains(string(page), "`--"+name+"`") {
				t.Errorf("docs/client.md says nothing of `--%s`", name)
			}
			for _, env := range f.(cli.DocGenerationFlag).GetEnvVars() {
				if serves[env] {
					t.Errorf("%s is a variable of serve", env)
				}
				if !strings.Contains(string(page), "`"+env+"`") {
					t.Errorf("docs/client.md says nothing of `%s`", env)
				}
			}
		}
	}
}

// What serve makes of its own flags it makes of no client command's.
func TestNegationsLeaveClientCommandsAlone(t *testing.T) {
	for _, command := range clientCommands() {
		var args []string
		for _, f := range command.Flags {
			args = append(args, "--"+f.Names()[0], "--no-"+f.Names()[0])
		}
		if got := withoutNegations(args, serveFlags()); !slices.Equal(got, args) {
			t.Errorf("sluice %s: got %s", command.Name, got)
		}
	}
}
