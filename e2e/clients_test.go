package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// clientSettings is the first input of the scripts that run client libraries:
// node/push.js and testdata/push.py.
type clientSettings struct {
	URL      string `json:"url"`
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
	CA       string `json:"ca,omitempty"` // files in PEM
	Cert     string `json:"cert,omitempty"`
	Key      string `json:"key,omitempty"`
	Gzip     bool   `json:"gzip,omitempty"`  // of prom-client only
	NoJob    bool   `json:"noJob,omitempty"` // of prom-client only
}

// A clientCall is one call of a library and its expected result.
type clientCall struct {
	Verb       string             `json:"verb"` // push, pushAdd or delete
	Job        string             `json:"job,omitempty"`
	Grouping   map[string]string  `json:"grouping,omitempty"`
	InstanceIP bool               `json:"instanceIP,omitempty"` // of Python only
	Metrics    map[string]float64 `json:"metrics,omitempty"`    // gauges
	All        bool               `json:"all,omitempty"`        // one of each other type

	name  string
	says  string   // what the script writes, of an error a part
	fails bool     // with an error that depends on who notices first
	shows []string // all series of groups after the call, but their times and those of creation
}

// libraryBound is how long a program with a library may run at all.
const libraryBound = 2 * time.Minute

// A runner is a client library.
type runner struct {
	name    string
	command []string
	env     []string
}

// A libraryProcess is a program that pushes by a client library.
type libraryProcess struct {
	t      *testing.T
	name   string
	stdin  *json.Encoder
	stdout *json.Decoder
	stderr *bytes.Buffer // to be read when the process has ended
}

// start starts the library's program, which ends with the test.
func (r runner) start(t *testing.T, settings clientSettings) *libraryProcess {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), libraryBound)
	cmd := exec.CommandContext(ctx, r.command[0], r.command[1:]...)
	cmd.Env = append(os.Environ(), r.env...)
	p := &libraryProcess{t: t, name: r.name, stderr: new(bytes.Buffer)}
	cmd.Stderr = p.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", r.name, err)
	}
	t.Cleanup(func() {
		defer cancel()
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v: %s", r.name, err, p.stderr)
		}
	})
	p.stdin, p.stdout = json.NewEncoder(stdin), json.NewDecoder(stdout)
	if err := p.stdin.Encode(settings); err != nil {
		t.Fatal(err)
	}
	return p
}

// call makes a call and returns what the program says of it.
func (p *libraryProcess) call(t *testing.T, call clientCall) string {
	t.Helper()
	if err := p.stdin.Encode(call); err != nil {
		t.Fatalf("%s has ended: %v", p.name, err)
	}
	var result string
	if err := p.stdout.Decode(&result); err != nil {
		t.Fatalf("%s has ended: %v", p.name, err)
	}
	return result
}

// try makes the calls and checks after each of them what the gateway shows.
func (r runner) try(t *testing.T, g *sluice, settings clientSettings, calls ...clientCall) {
	t.Helper()
	p := r.start(t, settings)
	for _, call := range calls {
		t.Run(call.name, func(t *testing.T) {
			said := p.call(t, call)
			succeeded := strings.HasPrefix(said, "ok")
			switch {
			case call.fails:
				if succeeded {
					t.Errorf("the client says %q, want an error", said)
				}
			case strings.HasPrefix(call.says, "ok"):
				if said != call.says {
					t.Errorf("the client says %q, want %q", said, call.says)
				}
			default:
				if succeeded || !strings.Contains(said, call.says) {
					t.Errorf("the client says %q, want an error that says %q", said, call.says)
				}
			}
			lines, _ := g.scrape().withoutTimes()
			lines = slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, "_created{") })
			if want := slices.Sorted(slices.Values(call.shows)); !slices.Equal(lines, want) {
				t.Errorf("shown is\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// allOfEach is what a scrape shows of a call with all types.
func allOfEach(labels string, more ...string) []string {
	return append(more,
		`c_total{`+labels+`,l="a \"b\"\n\\"} 2`,
		`h_bucket{`+labels+`,le="1"} 0`, `h_bucket{`+labels+`,le="5"} 1`, `h_bucket{`+labels+`,le="+Inf"} 1`, `h_sum{`+labels+`} 3`, `h_count{`+labels+`} 1`,
		`s_sum{`+labels+`} 4`, `s_count{`+labels+`} 1`)
}
