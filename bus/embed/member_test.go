package embed

import (
	"os"
	"path/filepath"
	"testing"
)

// What a single gateway has stored is its own again if it leaves a cluster into
// which that has not come, and stays put away if it has.
func TestLeavingRestoresWhatWasNotMigrated(t *testing.T) {
	for name, key := range map[string]string{"not migrated": "", "half migrated": "sluice-bringing", "migrated": MigratedKey} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{DataDir: t.TempDir(), Stream: "SLUICE", Cluster: ClusterConfig{Listen: "127.0.0.1:6222", Name: "c"}}
			in := func(parts ...string) string { return filepath.Join(append([]string{cfg.DataDir}, parts...)...) }
			mark := func(path, text string) {
				t.Helper()
				if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
					t.Fatal(err)
				}
			}
			mark(in(serverDir, "$G", "streams", "SLUICE", "whose"), "single")
			if _, err := joinDir(cfg.DataDir, cfg.Cluster); err != nil {
				t.Fatal(err)
			}
			a, err := findStandalone(cfg.DataDir)
			if err != nil || a == nil {
				t.Fatalf("the data of the single gateway is %v, %v", a, err)
			}
			mark(in(serverDir, "$G", "streams", "SLUICE", "whose"), "member")
			settings := `{"metadata":{}}`
			if key != "" {
				settings = `{"metadata":{"` + key + `":"` + a.ID + `"}}`
			}
			mark(in(serverDir, "$G", "streams", "SLUICE", "meta.inf"), settings)

			cfg.Cluster = ClusterConfig{}
			if err := leaveDir(cfg); err == nil {
				t.Error("it leaves without --cluster.leave")
			}
			cfg.Cluster.Leave = true
			for range 2 { // as after a crash before the first start is complete
				if err := leaveDir(cfg); err != nil {
					t.Fatal(err)
				}
			}
			want := "single"
			if key == MigratedKey {
				want = "member"
			}
			if whose, err := os.ReadFile(in(serverDir, "$G", "streams", "SLUICE", "whose")); string(whose) != want {
				t.Errorf("it has the data of the %s, %v, want that of the %s", whose, err, want)
			}
		})
	}
}
