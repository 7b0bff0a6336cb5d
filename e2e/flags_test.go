package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sluice/e2e/gateway"
	"sluice/e2e/testkit"
)

// at returns the same gateway at another address or below a prefix.
func (g *sluice) at(url string) *sluice {
	other := *g
	other.url = url
	return &other
}

func TestSeveralAddressesShowOneState(t *testing.T) {
	s := newSite(t)
	addresses := []string{testkit.FreeAddress(t), testkit.FreeAddress(t), strings.Replace(testkit.FreeAddress(t), "127.0.0.1", "localhost", 1)}
	flags := []string{"--bus.data-dir=" + filepath.Join(s.dir, "data")}
	for _, address := range addresses {
		flags = append(flags, "--web.listen-address="+address)
	}
	g := s.run(flags...)
	g.url = s.before + addresses[0]
	if err := g.WaitReady(t.Context(), s.client, g.url); err != nil {
		t.Fatal(err)
	}
	for i, address := range addresses {
		g.at(s.before+address).must(http.StatusOK, http.MethodPut, "/metrics/job/x/instance/i"+strconv.Itoa(i), "m 1\n")
	}
	for _, address := range addresses {
		if lines, _ := g.at(s.before + address).scrape().withoutTimes(); len(lines) != len(addresses) {
			t.Errorf("at %s there is %q", address, lines)
		}
	}
	if code, err := g.Terminate(); code != 0 || err != nil {
		t.Errorf("exit code %d, %v", code, err)
	}
	for _, address := range addresses {
		if _, err := g.at(s.before+address).do(http.MethodGet, "/-/healthy", ""); err == nil {
			t.Errorf("%s is still served", address)
		}
	}
}

// systemd opens the port and passes it on with the first connection. That connection is
// answered, too.
func TestTheSocketOfSystemdIsServed(t *testing.T) {
	s := newSite(t)
	address := testkit.FreeAddress(t)
	log, err := os.Create(filepath.Join(s.dir, "systemd.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	process, err := gateway.Start(gateway.Options{
		Binary: "systemd-socket-activate",
		Args:   []string{"--listen=" + address, binary, "serve", "--web.systemd-socket", "--bus.data-dir=" + filepath.Join(s.dir, "data")},
		Log:    log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Kill() })
	g := &sluice{Gateway: process, site: s, t: t, url: s.before + address}
	if err := g.WaitReady(t.Context(), s.client, g.url); err != nil {
		t.Fatal(err)
	}
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/x", "m 1\n")
	if lines, _ := g.scrape().withoutTimes(); !slices.Equal(lines, []string{"m" + jobX() + " 1"}) {
		t.Errorf("shown is %q", lines)
	}
	if code, err := g.Terminate(); code != 0 || err != nil {
		t.Errorf("exit code %d, %v:\n%s", code, err, g.Log())
	}
}

func TestASystemdSocketThatIsNotThereIsNamed(t *testing.T) {
	s := newSite(t)
	g := s.run("--web.systemd-socket", "--bus.data-dir="+filepath.Join(s.dir, "data"))
	code, err := g.Wait(startBound)
	if err != nil || code != 1 || !strings.Contains(g.Log(), "socket") {
		t.Errorf("code %d, %v:\n%s", code, err, g.Log())
	}
}

// All paths move below the prefix, and none is left outside.
func TestPrefixes(t *testing.T) {
	for _, c := range []struct {
		name, below string
		flags       []string
	}{
		{"route prefix", "/pg", []string{"--web.route-prefix=/pg"}},
		{"route prefix with slashes around it", "/pg", []string{"--web.route-prefix=pg/"}},
		{"route prefix of two words", "/a/b", []string{"--web.route-prefix=/a/b"}},
		{"external URL", "/ext/gw", []string{"--web.external-url=http://gw.example.org/ext/gw/"}},
		{"external URL behind a proxy that takes the prefix away", "", []string{"--web.external-url=http://gw.example.org/outer", "--web.route-prefix=/"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			g := s.launch(append(c.flags, "--web.enable-lifecycle", "--web.enable-admin-api")...)
			outside := *g
			g.url += c.below
			if err := g.WaitReady(t.Context(), s.client, g.url); err != nil {
				t.Fatal(err)
			}
			requests := []step{put("/job/x", "m 1\n"), post("/job/x", "m 1\n"), put("/job@base64/eA", "m 1\n"), get("/metrics"), get("/api/v1/metrics"), get("/api/v1/status"),
				get("/"), get("/status"), get("/-/healthy"), get("/-/ready"), del("/job/x"), {method: http.MethodPut, path: "/api/v1/admin/wipe", code: http.StatusAccepted}}
			for _, s := range requests {
				g.must(s.code, s.method, s.path, s.body)
				if c.below != "" {
					outside.must(http.StatusNotFound, s.method, s.path, s.body)
				}
			}
			if lines, _ := g.scrape().withoutTimes(); len(lines) > 0 {
				t.Errorf("after the wipe there is %q", lines)
			}
			g.must(http.StatusOK, http.MethodPut, "/-/quit", "")
			if code, err := g.Wait(requestBound); code != 0 || err != nil {
				t.Errorf("exit code %d, %v after the request to quit", code, err)
			}
		})
	}
}

// The telemetry path does not change the path of pushes (PGW#73).
func TestTelemetryPath(t *testing.T) {
	g := newSite(t).start("--web.telemetry-path=/scrape")
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/x", "m 1\n")
	if a := g.must(http.StatusOK, http.MethodGet, "/scrape", ""); !strings.Contains(a.body, "\nm"+jobX()+" 1\n") {
		t.Error("the push is not shown")
	}
	g.must(http.StatusNotFound, http.MethodGet, "/metrics", "")
}

// Requests that end the process or delete everything need a flag.
func TestLifecycleAndAdminHaveToBeAllowed(t *testing.T) {
	s := newSite(t)
	g := s.start()
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/x", "m 1\n")
	for _, method := range []string{http.MethodPut, http.MethodPost} {
		g.must(http.StatusForbidden, method, "/-/quit", "")
	}
	g.must(http.StatusMethodNotAllowed, http.MethodGet, "/-/quit", "")
	g.must(http.StatusNotFound, http.MethodPut, "/api/v1/admin/wipe", "")
	if lines, _ := g.scrape().withoutTimes(); len(lines) != 1 {
		t.Errorf("shown is %q", lines)
	}
	g.kill()

	g = s.start("--web.enable-lifecycle", "--web.enable-admin-api")
	g.must(http.StatusMethodNotAllowed, http.MethodGet, "/-/quit", "")
	g.must(http.StatusMethodNotAllowed, http.MethodPost, "/api/v1/admin/wipe", "")
	if lines, _ := g.scrape().withoutTimes(); len(lines) != 1 {
		t.Errorf("shown is %q after the restart", lines)
	}
	g.must(http.StatusAccepted, http.MethodPut, "/api/v1/admin/wipe", "")
	if lines, _ := g.scrape().withoutTimes(); len(lines) != 0 {
		t.Errorf("shown is %q after the wipe", lines)
	}
	g.must(http.StatusOK, http.MethodPost, "/-/quit", "")
	if code, err := g.Wait(requestBound); code != 0 || err != nil || strings.Contains(g.Log(), "level=ERROR") {
		t.Errorf("exit code %d, %v after the request to quit:\n%s", code, err, g.Log())
	}
}

// Scripts read the push time as a number in a string, beside the labels of the group
// (segmentfault.com/a/1190000041442728).
func TestTheShapeOfTheAPI(t *testing.T) {
	g := newSite(t).start()
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/a/instance/i", "# HELP m text\n# TYPE m gauge\nm{l=\"v\"} 1\n")
	var answer struct {
		Status string
		Data   []struct {
			Labels            map[string]string
			LastPushSucceeded bool   `json:"last_push_successful"`
			PushTime          family `json:"push_time_seconds"`
			FailureTime       family `json:"push_failure_time_seconds"`
			M                 family
		}
	}
	if err := json.Unmarshal([]byte(g.must(http.StatusOK, http.MethodGet, "/api/v1/metrics", "").body), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Status != "success" || len(answer.Data) != 1 {
		t.Fatalf("the answer is %+v", answer)
	}
	group := answer.Data[0]
	key := map[string]string{"job": "a", "instance": "i"}
	if !group.LastPushSucceeded || !maps.Equal(group.Labels, key) {
		t.Errorf("the group is %+v", group)
	}
	for name, f := range map[string]family{"push_time_seconds": group.PushTime, "push_failure_time_seconds": group.FailureTime} {
		if len(f.Metrics) != 1 || !maps.Equal(f.Metrics[0].Labels, key) {
			t.Errorf("%s is %+v", name, f)
			continue
		}
		if value, err := strconv.ParseFloat(f.Metrics[0].Value, 64); err != nil || (value > 0) != (name == "push_time_seconds") {
			t.Errorf("%s is %s, %v", name, f.Metrics[0].Value, err)
		}
	}
	m := group.M
	if m.Type != "GAUGE" || m.Help != "text" || len(m.Metrics) != 1 || m.Metrics[0].Value != "1" || m.Metrics[0].Labels["l"] != "v" {
		t.Errorf("m is %+v", m)
	}
}

// A family is a family in the answer of the API.
type family struct {
	Type, Help string
	Metrics    []struct {
		Labels map[string]string
		Value  string
	}
}
