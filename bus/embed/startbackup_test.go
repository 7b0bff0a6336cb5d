package embed

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A start that is cut off leaves the stream in one of two places, or in both, and
// the next start has all of it.
func TestAStartThatWasCutOffLosesNothing(t *testing.T) {
	for name, cut := range map[string]func(t *testing.T, dir string){
		"before the files are kept": func(t *testing.T, dir string) {
			if err := os.MkdirAll(filepath.Join(dir, backupDir+".new", "$G", "streams", "SLUICE", "msgs"), 0o750); err != nil {
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
			cfg := Config{DataDir: t.TempDir(), Stream: "SLUICE", Sync: SyncInterval}
			g, stop := start(t, cfg)
			publish(t, g, "a", "b")
			stop()
			cut(t, cfg.DataDir)
			g, _ = start(t, cfg)
			if got := stored(t, g); !slices.Equal(got, []string{"a", "b"}) {
				t.Errorf("it has %q", got)
			}
			publish(t, g, "c")
			left, err := filepath.Glob(filepath.Join(cfg.DataDir, backupDir+"*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left are %v, %v", left, err)
			}
		})
	}
}

// keep is what a start does before the server reads.
func keep(t *testing.T, dir string) {
	t.Helper()
	g, err := newStartBackup(dir, "SLUICE", slog.New(slog.DiscardHandler))
	if err != nil || !g.hasStreams() {
		t.Fatalf("nothing is kept: %v", err)
	}
}
