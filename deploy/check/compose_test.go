package check

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// loadCompose loads ../compose/compose.yaml as docker compose does.
func loadCompose(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../compose/compose.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestCompose(t *testing.T) {
	project := loadCompose(t)
	for name, s := range project.Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s may do more than it has to", name)
		}
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(v.Source); err != nil || !v.ReadOnly {
				t.Errorf("%s mounts %s: %v, read-only %t", name, v.Source, err, v.ReadOnly)
			}
		}
	}
	sluice, err := project.GetService("sluice")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(sluice.Build.Context, sluice.Build.Dockerfile)); err != nil {
		t.Error(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if sluice.Build.Context != root {
		t.Errorf("built from %s", sluice.Build.Context)
	}
	if len(sluice.Volumes) != 1 || sluice.Volumes[0].Target != "/data" || len(sluice.Ports) != 1 || sluice.Ports[0].Target != 9091 {
		t.Errorf("volumes %v, ports %v", sluice.Volumes, sluice.Ports)
	}
	if own := sluice.Environment["SLUICE_WEB_OWN_METRICS"]; own == nil || *own != "separate" {
		t.Error("own metrics are scraped twice")
	}
}
