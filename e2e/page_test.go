package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// scriptBound is how long a script that drives a browser may run.
const scriptBound = 4 * time.Minute

// pageSettings is the input of the scripts in node/page.
type pageSettings struct {
	URL      string `json:"url"`
	Chromium string `json:"chromium"`
	Folder   string `json:"folder"`            // of the test, for what a failure leaves
	Pictures string `json:"pictures"`          // where screenshots of the run are kept
	Groups   int    `json:"groups,omitempty"`  // how many have been pushed
	NATS     string `json:"nats,omitempty"`    // the built-in server's address
	Foreign  string `json:"foreign,omitempty"` // a page of another origin
	Release  string `json:"release,omitempty"` // where a POST lets a replay go on
	Outer    string `json:"outer,omitempty"`   // the gateway behind a proxy
	Tools    string `json:"tools,omitempty"`   // a folder with the programs that the page names
}

// inBrowser runs a script of node/page, which fails the test by its exit code.
func (g *sluice) inBrowser(script string, settings pageSettings) {
	g.t.Helper()
	path := func(parts ...string) string {
		absolute, err := filepath.Abs(filepath.Join(parts...))
		if err != nil {
			g.t.Fatal(err)
		}
		return absolute
	}
	settings.URL, settings.Chromium, settings.Folder = g.url, debian(g.t, "chromium"), g.site.dir
	settings.Pictures = path("..", "build", "page-screenshots")
	text, err := json.Marshal(settings)
	if err != nil {
		g.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(g.t.Context(), scriptBound)
	defer cancel()
	cmd := exec.CommandContext(ctx, debian(g.t, "node"), filepath.Join("node", "page", script+".js"))
	cmd.Env = append(os.Environ(), "PAGE_SETTINGS="+string(text),
		"NODE_PATH="+path("..", "build", "node", "node_modules"),
		// The browser's profile is in the folder of the test, which is removed.
		"TMPDIR="+g.site.dir, "HOME="+g.site.dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	g.t.Logf("%s, in %s:\n%s", script, time.Since(begun).Round(time.Millisecond), out)
	if err != nil {
		g.t.Errorf("%s: %v", script, err)
	}
}
