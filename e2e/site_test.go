package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/e2e/gateway"
)

// requestBound is how long any client waits. Sluice answers sooner: the longest wait is
// that of a push, which is answered by 503 after 10 s.
const requestBound = 20 * time.Second

// A site is the folder of one test with all that it runs there.
type site struct {
	t      *testing.T
	dir    string
	client *http.Client
	before string // of a gateway's address, so that it becomes a URL
	starts int
}

func newSite(t *testing.T) *site {
	dir, err := os.MkdirTemp("", "sluice-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: dir, before: "http://", client: &http.Client{
		Timeout:   requestBound,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
	}}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		if t.Failed() {
			s.keep()
		}
		os.RemoveAll(dir)
	})
	return s
}

// keep copies the folder to build/e2e-failures.
func (s *site) keep() {
	kept, err := filepath.Abs(filepath.Join("..", "build", "e2e-failures", strings.ReplaceAll(s.t.Name(), "/", "-")))
	if err == nil {
		os.RemoveAll(kept)
		err = os.CopyFS(kept, os.DirFS(s.dir))
	}
	if err != nil {
		s.t.Logf("data, logs and history could not be kept: %v", err)
		return
	}
	s.t.Logf("data, logs and history are kept in %s", kept)
}

// record stores something in the site's folder, to be read after a failure.
func (s *site) record(name, content string) {
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o644); err != nil {
		s.t.Errorf("record %s: %v", name, err)
	}
}

// A sluice is a running gateway as its clients see it.
type sluice struct {
	*gateway.Gateway
	site *site
	t    *testing.T
	url  string
}

// start starts a gateway with its stream in the site's folder and waits until
// it is ready. The flags are appended, so they can override.
func (s *site) start(flags ...string) *sluice {
	s.t.Helper()
	g := s.launch(flags...)
	if err := g.WaitReady(s.t.Context(), s.client, g.url); err != nil {
		s.t.Fatal(err)
	}
	return g
}

// launch starts a gateway and waits only until it listens.
func (s *site) launch(flags ...string) *sluice {
	s.t.Helper()
	defaults := []string{"--bus.data-dir=" + filepath.Join(s.dir, "data")}
	// A second address would not replace this one, so a test that gives one does
	// without it.
	if !slices.ContainsFunc(flags, func(flag string) bool { return strings.HasPrefix(flag, "--web.listen-address=") }) {
		defaults = append(defaults, "--web.listen-address=127.0.0.1:0")
	}
	g := s.run(append(defaults, flags...)...)
	g.waitListening()
	return g
}

// waitListening waits until the gateway listens for HTTP and learns where.
func (g *sluice) waitListening() {
	g.t.Helper()
	address, err := g.HTTPAddress()
	if err != nil {
		g.t.Fatal(err)
	}
	g.url = g.site.before + address
}

// run starts a gateway with exactly these flags and waits for nothing.
func (s *site) run(flags ...string) *sluice {
	s.t.Helper()
	return s.runWith(gateway.Options{Binary: binary, Args: append([]string{"serve", "--log.format=logfmt"}, flags...)})
}

// runWith starts what the options say, with a log in the site's folder, and
// waits for nothing.
func (s *site) runWith(o gateway.Options) *sluice {
	s.t.Helper()
	s.client.CloseIdleConnections() // those to a gateway that ran before at the same address
	s.starts++
	log, err := os.Create(filepath.Join(s.dir, fmt.Sprintf("sluice-%d.log", s.starts)))
	if err != nil {
		s.t.Fatal(err)
	}
	o.Log = log
	g, err := gateway.Start(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := g.Kill(); err != nil {
			s.t.Error(err)
		}
		log.Close()
		for _, bad := range []string{"DATA RACE", "panic: ", "fatal error: "} {
			if strings.Contains(g.Log(), bad) {
				s.t.Errorf("%s in the log of %s", bad, log.Name())
			}
		}
	})
	return &sluice{Gateway: g, site: s, t: s.t}
}

// natsURL waits for the embedded server's listener.
func (g *sluice) natsURL() string {
	g.t.Helper()
	address, err := g.NATSAddress()
	if err != nil {
		g.t.Fatal(err)
	}
	return "nats://" + address
}

// kill ends the gateway without warning.
func (g *sluice) kill() {
	g.t.Helper()
	if err := g.Kill(); err != nil {
		g.t.Fatal(err)
	}
}

// An answer is what a client got.
type answer struct {
	code   int
	body   string
	header http.Header
}

// do sends one request. Headers are name and value in turn. It may be called
// from any goroutine; an error means that no answer came.
func (g *sluice) do(method, path, body string, headers ...string) (answer, error) {
	req, err := http.NewRequest(method, g.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := g.site.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	return answer{resp.StatusCode, string(text), resp.Header}, nil
}

// must sends a request whose answer must have this code.
func (g *sluice) must(code int, method, path, body string, headers ...string) answer {
	g.t.Helper()
	a, err := g.do(method, path, body, headers...)
	if err != nil {
		g.t.Fatal(err)
	}
	if a.code != code {
		g.t.Fatalf("%s %s: %d %s, want %d", method, path, a.code, a.body, code)
	}
	return a
}

// scrape reads /metrics, which must succeed and be consistent.
func (g *sluice) scrape() exposition {
	g.t.Helper()
	e, err := readExposition(g.must(http.StatusOK, http.MethodGet, "/metrics", "").body)
	if err != nil {
		g.t.Fatal(err)
	}
	return e
}
