package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// run runs a tool, which has to succeed and to say nothing that begins a
// complaint.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s (make tools installs it): %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// exposure is the worst that systemd-analyze may think of the unit, in tenths of
// its scale up to 10. It counts 1.3 with systemd 252.
const exposure = "15"

func TestSystemdUnits(t *testing.T) {
	unit, err := os.ReadFile("../systemd/sluice.service")
	if err != nil {
		t.Fatal(err)
	}
	const binary = "/usr/local/bin/sluice"
	if !strings.Contains(string(unit), "\nExecStart="+binary+" ") {
		t.Errorf("the unit does not start %s", binary)
	}
	// verify wants the program to be there, so another one stands in for it.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	service, socket := filepath.Join(dir, "sluice.service"), filepath.Join(dir, "sluice.socket")
	if err := os.WriteFile(service, []byte(strings.ReplaceAll(string(unit), binary, self)), 0o644); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../systemd/sluice.socket")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(socket, text, 0o644); err != nil {
		t.Fatal(err)
	}
	dropIn, err := os.ReadFile("../systemd/cluster.conf")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(service+".d", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(service+".d", "cluster.conf"), dropIn, 0o644); err != nil {
		t.Fatal(err)
	}
	// What verify only warns of ends with success, so it may say nothing of ours.
	for line := range strings.Lines(run(t, "systemd-analyze", "verify", "--man=no", service, socket)) {
		if strings.Contains(line, "sluice") || strings.Contains(line, dir) {
			t.Error(strings.TrimSpace(line))
		}
	}
	run(t, "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold="+exposure, service)
}

// Every rule has a case in which it fires, and one in which it does not.
func TestPrometheusRules(t *testing.T) {
	run(t, "promtool", "check", "rules", "../prometheus/alerts.yml")
	run(t, "promtool", "test", "rules", "../prometheus/alerts_test.yml", "../prometheus/habits_test.yml")
	rules, err := os.ReadFile("../prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	cases, err := os.ReadFile("../prometheus/alerts_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)- (?:alert|record): (\S+)`).FindAllStringSubmatch(string(rules), -1)
	if len(names) < 10 {
		t.Fatalf("found %d rules only", len(names))
	}
	for _, name := range names {
		fires := strings.Contains(string(cases), "alertname: "+name[1]+"\n    exp_alerts:\n")
		silent := strings.Contains(string(cases), "alertname: "+name[1]+"\n    exp_alerts: []\n")
		recorded := strings.Contains(string(cases), "labels: "+name[1]+"{")
		if !(fires && silent) && !recorded {
			t.Errorf("%s is not tested both ways", name[1])
		}
	}
}

func TestPrometheusConfiguration(t *testing.T) {
	run(t, "promtool", "check", "config", "../prometheus/prometheus.yml")
	run(t, "promtool", "check", "config", "../prometheus/scrape-groups.yml")
	run(t, "promtool", "check", "config", "../prometheus/cluster.yml")
	text, err := os.ReadFile("../prometheus/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"honor_labels: true", "metrics_path: /-/metrics"} {
		if strings.Count(string(text), want) != 1 {
			t.Errorf("%q does not stand there once", want)
		}
	}
}
