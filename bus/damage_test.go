package bus

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/bus/embed"
	"sluice/e2e/testkit"
)

// flip changes one byte of the event that contains text, in the files of the
// stream.
func flip(t *testing.T, dir, text string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "SLUICE", "msgs", "*.blk"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if i := bytes.Index(data, []byte(text)); i >= 0 {
			data[i+len(text)-1] ^= 0x10
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no block has %q", text)
}

func TestADamagedEventCostsItsGroupOnly(t *testing.T) {
	const groups = 20
	for _, c := range []struct {
		name    string
		damaged []int
	}{
		{"the first", []int{0}},
		{"one in the middle", []int{7}},
		{"some in a row", []int{3, 4, 5}},
		{"the last", []int{groups - 1}},
		{"the last ones", []int{groups - 3, groups - 2, groups - 1}},
		{"all", []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Config{Server: embed.Config{DataDir: t.TempDir(), Sync: embed.SyncInterval}}
			g := startGateway(t, cfg)
			for i := range groups {
				g.push(t, testkit.Put(fmt.Sprintf("/job/j%d", i), 1000+i))
			}
			g.stop()
			for _, i := range c.damaged {
				flip(t, cfg.Server.DataDir, fmt.Sprintf(`job="x"} %d`, 1000+i))
			}
			start := time.Now()
			g = startGateway(t, cfg)
			t.Logf("ready after %s: %+v", time.Since(start).Round(time.Millisecond), g.Status())
			for i := range groups {
				want := true
				for _, d := range c.damaged {
					want = want && d != i
				}
				if got := g.group(fmt.Sprintf("/job/j%d", i)) != ""; got != want {
					t.Errorf("group %d is there: %v, want %v", i, got, want)
				}
			}
			if s := g.Status(); s.Damaged != uint64(len(c.damaged)) || !strings.Contains(g.log.String(), "lost records") {
				t.Errorf("%d damaged, want %d", s.Damaged, len(c.damaged))
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			start = time.Now()
			if _, err := g.CatchUp(ctx); err != nil {
				t.Error(err)
			}
			g.push(t, testkit.Put("/job/new", 5))
			t.Logf("pushed after %s", time.Since(start).Round(time.Millisecond))
			if g.group("/job/new") == "" {
				t.Error("nothing can be pushed any more")
			}
		})
	}
}
