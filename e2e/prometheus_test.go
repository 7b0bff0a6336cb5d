package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/e2e/testkit"
)

// prometheus is a running Prometheus that scrapes one Sluice every second.
type prometheus struct {
	t   *testing.T
	url string
}

func startPrometheus(s *site, target string) *prometheus {
	s.t.Helper()
	return configurePrometheus(s, fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- job_name: sluice
  honor_labels: true
  static_configs: [{targets: ["%s"]}]
`, target))
}

// configurePrometheus starts one with a configuration.
func configurePrometheus(s *site, config string) *prometheus {
	s.t.Helper()
	s.record("prometheus.yml", config)
	log, err := os.Create(filepath.Join(s.dir, "prometheus.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	address := testkit.FreeAddress(s.t)
	cmd := exec.Command(debian(s.t, "prometheus"),
		"--config.file="+filepath.Join(s.dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(s.dir, "prometheus"),
		"--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("start Prometheus: %v", err)
	}
	s.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		log.Close()
	})
	return &prometheus{t: s.t, url: "http://" + address}
}

// query returns the values of an instant query's result by instance.
func (p *prometheus) query(expression string) map[string]string {
	resp, err := http.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(expression))
	if err != nil {
		return nil // not listening yet
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode == http.StatusServiceUnavailable {
		return nil
	}
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any // time, value as text
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		p.t.Fatalf("query %s: %v in %s", expression, err, body)
	}
	values := map[string]string{}
	for _, r := range answer.Data.Result {
		values[r.Metric["instance"]] = fmt.Sprint(r.Value[1])
	}
	return values
}

// curl pushes as the README says and returns the status code.
func curl(t *testing.T, url, body string) string {
	t.Helper()
	cmd := exec.Command(debian(t, "curl"), "--silent", "--show-error", "--max-time", "20", "--output", os.DevNull,
		"--write-out", "%{http_code}", "--request", "PUT", "--data-binary", "@-", url)
	cmd.Stdin = strings.NewReader(body)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("curl: %v: %s", err, out)
	}
	return string(out)
}

// natsCommand runs the nats command line client and returns its output.
func natsCommand(s *site, server, stdin string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command(natsCLI(s.t), append([]string{"--server", server, "--timeout", "20s"}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir) // no settings of whoever runs this
	cmd.Stdin = strings.NewReader(stdin)
	var said strings.Builder // what it logs, which is no part of the reply
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("nats %s: %v: %s%s", strings.Join(args, " "), err, out, said.String())
	}
	return string(out)
}

func TestPrometheusSeesPushesAcrossACrash(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	address := testkit.FreeAddress(t)
	flags := []string{"--web.listen-address=" + address, "--bus.listen=127.0.0.1:0"}
	g := s.start(flags...)
	p := startPrometheus(s, address)

	if code := curl(t, g.url+groupPath("backup", "by-curl"), "# TYPE backup_bytes gauge\nbackup_bytes 4096\n"); code != "200" {
		t.Fatalf("push by curl: %s", code)
	}
	reply := natsCommand(s, g.natsURL(), "# TYPE backup_bytes gauge\nbackup_bytes 8192\n",
		"request", "--raw", "sluice.push.put.job.backup.instance.by-nats")
	var verdict struct{ Code int }
	if err := json.Unmarshal([]byte(reply), &verdict); err != nil || verdict.Code != http.StatusOK {
		t.Fatalf("push by nats: %q, %v", reply, err)
	}

	const bound = 30 * time.Second
	bytes := `backup_bytes{job="backup"}`
	answers := func() bool {
		have := p.query(bytes)
		return have["by-curl"] == "4096" && have["by-nats"] == "8192"
	}
	testkit.Within(t, bound, "Prometheus answers a query for both pushes", answers)
	before := g.scrape().of("job", "backup")

	g.kill()
	restarted := time.Now()
	g = s.start(flags...)
	after := g.scrape().of("job", "backup")
	if strings.Join(before, "\n") != strings.Join(after, "\n") {
		t.Errorf("before the crash:\n%s\nafter it:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
	for _, instance := range []string{"by-curl", "by-nats"} {
		if pushed, _ := g.scrape().value(series("push_time_seconds", "backup", instance)); pushed == 0 || pushed > restarted.Unix() {
			t.Errorf("push_time_seconds of %s is %d, restarted at %d", instance, pushed, restarted.Unix())
		}
	}

	// Prometheus answers for 5 minutes with samples from before the crash, so the query
	// asks for samples since then.
	since := fmt.Sprintf(`%s and timestamp(%s) > %d.%03d`, bytes, bytes, restarted.Unix(), restarted.Nanosecond()/1e6)
	testkit.Within(t, bound, "Prometheus answers a query from the replayed state", func() bool {
		have := p.query(since)
		return have["by-curl"] == "4096" && have["by-nats"] == "8192"
	})
	if up := p.query(`up{job="sluice"}`); up[address] != "1" {
		t.Errorf("up is %v", up)
	}
}
