package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

// configOf reads the flags as serve does, and starts nothing.
func configOf(args ...string) (*options, error) {
	o := &options{}
	app := &cli.App{Name: "sluice", Flags: o.flags(), Writer: io.Discard, ErrWriter: io.Discard,
		Action:         func(c *cli.Context) error { return o.finish() },
		ExitErrHandler: func(*cli.Context, error) {}}
	return o, app.Run(append([]string{"sluice"}, args...))
}

func TestFlagsOfGroups(t *testing.T) {
	for args, want := range map[string]struct {
		ttl, forget time.Duration
		rules       string
	}{
		"": {forget: time.Hour},
		"--group.ttl=never --group.forget-after=0":                    {},
		"--group.ttl=7d --group.forget-after=90s --group.rules=a.yml": {7 * 24 * time.Hour, 90 * time.Second, "a.yml"},
		"--group.ttl=1h30m": {ttl: 90 * time.Minute, forget: time.Hour},
	} {
		cfg, err := configOf(strings.Fields(args)...)
		if err != nil {
			t.Errorf("%s: %v", args, err)
		} else if cfg.gateway.GroupTTL != want.ttl || cfg.gateway.Committer.ForgetAfter != want.forget || cfg.gateway.GroupRules != want.rules {
			t.Errorf("%s: got %s, %s, %q", args, cfg.gateway.GroupTTL, cfg.gateway.Committer.ForgetAfter, cfg.gateway.GroupRules)
		}
	}
	for args, want := range map[string]string{
		"--group.ttl=soon":          `--group.ttl: time to live "soon"`,
		"--group.ttl=":              `--group.ttl: time to live ""`,
		"--group.ttl=0":             `--group.ttl: time to live "0": the shortest is 1s`,
		"--group.ttl=-1m":           `--group.ttl: time to live "-1m": the shortest is 1s`,
		"--group.ttl=10":            `--group.ttl: time to live "10"`,
		"--group.forget-after=-1s":  "--group.forget-after: must not be negative",
		"--group.forget-after=soon": "group.forget-after",
	} {
		if _, err := configOf(args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", args, err, want)
		}
	}
}

func TestGroupsByEnvironment(t *testing.T) {
	t.Setenv("SLUICE_GROUP_TTL", "2h")
	t.Setenv("SLUICE_GROUP_RULES", "b.yml")
	t.Setenv("SLUICE_GROUP_FORGET_AFTER", "3m")
	cfg, err := configOf()
	if err != nil || cfg.gateway.GroupTTL != 2*time.Hour || cfg.gateway.GroupRules != "b.yml" || cfg.gateway.Committer.ForgetAfter != 3*time.Minute {
		t.Errorf("got %+v, %v", cfg, err)
	}
	if cfg, err := configOf("--group.ttl=never"); err != nil || cfg.gateway.GroupTTL != 0 {
		t.Errorf("the flag does not come first: %+v, %v", cfg, err)
	}
}

// A start with a wrong file is refused in one line, with file and line, before
// anything is written.
func TestStartWithWrongRules(t *testing.T) {
	dir := t.TempDir()
	file, data := filepath.Join(dir, "rules.yml"), filepath.Join(dir, "data")
	if err := os.WriteFile(file, []byte("rules:\n- match: job=\"x\"\n  ttl: soon\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := run(ctx, []string{"sluice", "--group.rules=" + file, "--bus.data-dir=" + data, "--web.listen-address=127.0.0.1:0"}, io.Discard, io.Discard)
	if err == nil || !strings.HasPrefix(oneLine(err), "--group.rules: "+file+":3: rule 1: ttl: ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("the stream was made nevertheless (%v)", err)
	}
}
