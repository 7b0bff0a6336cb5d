package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// runScript runs one of the scripts in testdata as cron would. It must succeed and
// write nothing.
func runScript(t *testing.T, g *sluice, script string, variables ...string) {
	t.Helper()
	for _, name := range []string{"curl", "jq", "hostname"} { // which scripts call
		debian(t, name)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-eu", filepath.Join("testdata", script))
	cmd.Env = append(append(os.Environ(), "GATEWAY="+g.url, "HOME="+g.site.dir), variables...)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%s: %v: %s", script, err, out)
	}
}

// Scripts from tutorials push, replace and delete.
func TestCronPushesAndDeletes(t *testing.T) {
	g := newSite(t).start()
	host, err := exec.Command(debian(t, "hostname")).Output()
	if err != nil {
		t.Fatal(err)
	}
	backups := []string{
		`backup_bytes{instance="",job="backup",type="full"} 4096`,
		`backup_last_success{instance="` + strings.TrimSpace(string(host)) + `",job="backup"} 1.732462983e+09`,
	}
	examples := []string{
		`another_metric{instance="some_instance",job="some_job"} 2398.283`,
		`some_metric{instance="some_instance",job="some_job",label="val1"} 42`,
	}
	for range 2 { // cron comes again
		runScript(t, g, "cron-push.sh")
		e := g.scrape()
		if lines, _ := e.withoutTimes(); !slices.Equal(lines, slices.Sorted(slices.Values(slices.Concat(backups, examples)))) {
			t.Errorf("shown is\n%s", strings.Join(lines, "\n"))
		}
		if e.types["some_metric"] != "counter" || e.types["another_metric"] != "gauge" || e.types["backup_bytes"] != "untyped" {
			t.Errorf("the types are %v", e.types)
		}
		runScript(t, g, "cron-delete.sh")
		if lines, _ := g.scrape().withoutTimes(); !slices.Equal(lines, backups) {
			t.Errorf("after the clean-up there is\n%s", strings.Join(lines, "\n"))
		}
	}
}

// Clean-up scripts for Pushgateway find what they look for, in the JSON of the API and
// in the scrape.
func TestCronCleansUp(t *testing.T) {
	for script, left := range map[string][]string{
		// The script knows two labels only, so it deletes a group that does not exist.
		"cron-cleanup.sh": {`m{dc="eu",instance="i",job="a"} 3`},
		"cron-prune.sh":   nil,
	} {
		t.Run(script, func(t *testing.T) {
			g := newSite(t).start()
			for _, s := range []step{put("/job/a/instance/i", "m 1\n"), put("/job/b/instance/i", "m 2\n"), put("/job/a/instance/i/dc/eu", "m 3\n")} {
				g.must(s.code, s.method, s.path, s.body)
			}
			before, _ := g.scrape().withoutTimes()
			runScript(t, g, script, "AGE=3600")
			if lines, _ := g.scrape().withoutTimes(); !slices.Equal(lines, before) {
				t.Errorf("groups of this hour are gone: left is %q of %q", lines, before)
			}
			runScript(t, g, script, "AGE=-3600")
			if lines, _ := g.scrape().withoutTimes(); !slices.Equal(lines, left) {
				t.Errorf("left is %q, want %q", lines, left)
			}
		})
	}
}
