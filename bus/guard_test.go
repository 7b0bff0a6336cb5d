package bus

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// A start that is cut off leaves the stream in one of two places, or in both, and
// the next start has all of it.
func TestAStartThatWasCutOffLosesNothing(t *testing.T) {
	for name, cut := range map[string]func(t *testing.T, dir string){
		"before the files are kept": func(t *testing.T, dir string) {
			if err := os.MkdirAll(filepath.Join(dir, guardDir+".new", "$G", "streams", "SLUICE", "msgs"), 0o750); err != nil {
				t.Fatal(err)
			}
		},
		"while the server reads": func(t *testing.T, dir string) { keep(t, dir) },
		"after it has removed them": func(t *testing.T, dir string) {
			keep(t, dir)
			if err := os.RemoveAll(filepath.Join(dir, serverDir, "$G")); err != nil {
				t.Fatal(err)
			}
		},
		"while they are put back": func(t *testing.T, dir string) {
			keep(t, dir)
			if err := os.RemoveAll(filepath.Join(dir, serverDir, "$G", "streams", "SLUICE", "msgs")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{DataDir: t.TempDir(), Sync: SyncInterval}
			g := startGateway(t, cfg)
			g.push(t, put("/job/a", 1), put("/job/b", 2))
			last := g.store.Sequence()
			g.stop()
			cut(t, cfg.DataDir)
			g = startGateway(t, cfg)
			if !g.shows("/job/a", 1) || !g.shows("/job/b", 2) || g.store.Sequence() != last {
				t.Errorf("it has %d groups at %d, was at %d", g.store.Groups(), g.store.Sequence(), last)
			}
			g.push(t, put("/job/c", 3))
			left, err := filepath.Glob(filepath.Join(cfg.DataDir, guardDir+"*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left are %v, %v", left, err)
			}
		})
	}
}

// keep is what a start does before the server reads.
func keep(t *testing.T, dir string) {
	t.Helper()
	g, err := newGuard(dir, "SLUICE", slog.New(slog.DiscardHandler))
	if err != nil || !g.guarded() {
		t.Fatalf("nothing is kept: %v", err)
	}
}
