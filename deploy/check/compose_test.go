package check

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// loadCompose loads a file of ../compose as docker compose does.
func loadCompose(t *testing.T, name string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../compose/" + name})
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
	project := loadCompose(t, "compose.yaml")
	checkServices(t, project)
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

// checkServices checks that no service may do more than it has to, and that what
// is mounted is there.
func checkServices(t *testing.T, project *types.Project) {
	t.Helper()
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
}

func TestClusterCompose(t *testing.T) {
	project := loadCompose(t, "cluster.yaml")
	checkServices(t, project)
	peers := "sluice-1:6222,sluice-2:6222,sluice-3:6222"
	for address := range strings.SplitSeq(peers, ",") {
		name, _, _ := strings.Cut(address, ":")
		s, err := project.GetService(name)
		if err != nil {
			t.Fatal(err)
		}
		env := func(key string) string {
			if v := s.Environment[key]; v != nil {
				return *v
			}
			return ""
		}
		if env("SLUICE_CLUSTER_PEERS") != peers || env("SLUICE_CLUSTER_ADVERTISE") != address || env("SLUICE_CLUSTER_LISTEN") != ":6222" {
			t.Errorf("%s: %v", name, s.Environment)
		}
		if len(s.Secrets) != 1 || env("SLUICE_CLUSTER_SECRET_FILE") != "/run/secrets/"+s.Secrets[0].Source {
			t.Errorf("%s does not find its secret: %v", name, s.Secrets)
		}
		if len(s.Volumes) != 1 || s.Volumes[0].Target != "/data" || s.Volumes[0].Source != "data-"+strings.TrimPrefix(name, "sluice-") {
			t.Errorf("%s: volumes %v", name, s.Volumes)
		}
	}
}

func TestProxyConfiguration(t *testing.T) {
	run(t, "haproxy", "-c", "-f", "../compose/haproxy.cfg")
	text, err := os.ReadFile("../compose/haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"/-/ready?for=push", "/-/ready?for=scrape"} {
		if strings.Count(string(text), want) != 1 {
			t.Errorf("%q does not stand there once", want)
		}
	}
}
