package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/e2e/gateway"
	"sluice/e2e/testkit"
)

// startInPlace starts a sluice with the flags of a Pushgateway, without a command. Only
// the folder of its stream is added, because tests share one working directory.
func (s *site) startInPlace(address, file string) *sluice {
	s.t.Helper()
	s.client.CloseIdleConnections()
	s.starts++
	log, err := os.Create(filepath.Join(s.dir, fmt.Sprintf("sluice-%d.log", s.starts)))
	if err != nil {
		s.t.Fatal(err)
	}
	g, err := gateway.Start(gateway.Options{
		Binary: binary,
		Args:   append(commandLine(address, file), "--bus.data-dir="+filepath.Join(s.dir, "data")),
		Log:    log,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := g.Kill(); err != nil {
			s.t.Error(err)
		}
		log.Close()
		if strings.Contains(g.Log(), "DATA RACE") || strings.Contains(g.Log(), "panic: ") {
			s.t.Errorf("see %s", log.Name())
		}
	})
	in := &sluice{Gateway: g, site: s, t: s.t, url: "http://" + address}
	if err := g.WaitReady(s.t.Context(), s.client, in.url); err != nil {
		s.t.Fatal(err)
	}
	return in
}

// shown is what a gateway shows of its groups.
type shown struct {
	scrape []string
	api    []map[string]any
}

// shows reads the scrape and the API, without what always differs between two gateways:
// the families of the gateway itself, and the order of groups.
func (g *sluice) shows() shown {
	g.t.Helper()
	var answer struct{ Data []map[string]any }
	body := g.must(http.StatusOK, http.MethodGet, "/api/v1/metrics", "").body
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		g.t.Fatalf("%v in %s", err, body)
	}
	for _, group := range answer.Data {
		for _, name := range []string{"push_time_seconds", "push_failure_time_seconds"} {
			family := group[name].(map[string]any)
			metric := family["metrics"].([]any)[0].(map[string]any)
			if metric["value"] == "0" {
				// Pushgateway shows when the 0 was written, Sluice when the group was
				// changed last.
				delete(family, "time_stamp")
			}
		}
		for _, value := range group {
			sortMetrics(value)
			sameTimeZone(g.t, value)
		}
	}
	slices.SortFunc(answer.Data, func(a, b map[string]any) int {
		return strings.Compare(fmt.Sprint(a["labels"]), fmt.Sprint(b["labels"]))
	})
	return shown{g.scrape().pushed(), answer.Data}
}

// sortMetrics sorts the metrics of a family: Pushgateway shows them as pushed.
func sortMetrics(value any) {
	family, ok := value.(map[string]any)
	metrics, _ := family["metrics"].([]any)
	if !ok {
		return
	}
	slices.SortFunc(metrics, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
}

// sameTimeZone writes a family's time in UTC.
func sameTimeZone(t *testing.T, value any) {
	family, _ := value.(map[string]any)
	text, ok := family["time_stamp"].(string)
	if !ok {
		return
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	family["time_stamp"] = at.UTC().Format(time.RFC3339Nano)
}

// mustShow checks that the gateway shows what another one has shown.
func (g *sluice) mustShow(want shown) {
	g.t.Helper()
	got := g.shows()
	for _, line := range want.scrape {
		if !slices.Contains(got.scrape, line) {
			g.t.Errorf("the scrape lacks %s", line)
		}
	}
	for _, line := range got.scrape {
		if !slices.Contains(want.scrape, line) {
			g.t.Errorf("the scrape did not have %s", line)
		}
	}
	if len(got.api) != len(want.api) {
		g.t.Fatalf("the API has %d groups, want %d", len(got.api), len(want.api))
	}
	for i, group := range want.api {
		for name, value := range group {
			if !reflect.DeepEqual(got.api[i][name], value) {
				g.t.Errorf("group %v in the API: %s is\n%v\nwant\n%v", group["labels"], name, got.api[i][name], value)
			}
		}
		if len(got.api[i]) != len(group) {
			g.t.Errorf("group %v in the API has %d families, want %d", group["labels"], len(got.api[i])-2, len(group)-2)
		}
	}
}

// A Pushgateway is stopped, or killed after it has written its file. Sluice is started
// in its place with the same flags.
func TestSluiceReplacesPushgateway(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]syscall.Signal{"stopped": syscall.SIGTERM, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			file := filepath.Join(s.dir, "pushgateway.data")
			address := testkit.FreeAddress(t)
			p := startPushgateway(s, address, file)
			p.pushAllKinds()
			p.load()
			if signal == syscall.SIGKILL {
				p.waitWritten(file)
			}
			before := p.shows()
			p.end(signal)
			t.Logf("Pushgateway has shown %d series in %d groups", len(before.scrape), len(before.api))
			written := fingerprint(t, file)

			g := s.startInPlace(address, file)
			g.mustShow(before)
			for _, line := range []string{"imported the persistence file", "--persistence.interval has no effect"} {
				if !strings.Contains(g.Log(), line) {
					t.Errorf("the log does not say %q:\n%s", line, g.Log())
				}
			}
			// Later starts with the same flags go on from the stream.
			g.must(http.StatusOK, http.MethodPost, "/metrics/job/older", "second 3\n")
			g.must(http.StatusAccepted, http.MethodDelete, "/metrics/job/text", "")
			before = g.shows()
			if code, err := g.Terminate(); code != 0 || err != nil {
				t.Fatalf("code %d, %v:\n%s", code, err, g.Log())
			}
			g = s.startInPlace(address, file)
			g.mustShow(before)
			if strings.Contains(g.Log(), "imported the persistence file") {
				t.Errorf("imported again:\n%s", g.Log())
			}
			// A group that was deleted does not come back from the file.
			for _, group := range before.api {
				g.must(http.StatusAccepted, http.MethodDelete, groupURL(group["labels"].(map[string]any)), "")
			}
			g.kill()
			g = s.startInPlace(address, file)
			if left := g.scrape().pushed(); len(left) > 0 {
				t.Errorf("after all was deleted there is\n%s", strings.Join(left, "\n"))
			}
			if fingerprint(t, file) != written {
				t.Error("the persistence file was touched")
			}
		})
	}
}

// groupURL is the URL of a group with any labels.
func groupURL(labels map[string]any) string {
	encode := func(name string) string {
		value := labels[name].(string)
		if value == "" {
			return "/" + name + "@base64/="
		}
		return "/" + name + "@base64/" + base64.RawURLEncoding.EncodeToString([]byte(value))
	}
	url := "/metrics" + encode("job")
	for name := range labels {
		if name != "job" {
			url += encode(name)
		}
	}
	return url
}

// fingerprint is the content and the modification time of a file.
func fingerprint(t *testing.T, file string) string {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(info.ModTime(), info.Mode(), string(data))
}

// A file that cannot be imported ends the start before anything is written, and stays
// as it is.
func TestABrokenPersistenceFileIsRefused(t *testing.T) {
	s := newSite(t)
	good := filepath.Join(s.dir, "pushgateway.data")
	p := startPushgateway(s, testkit.FreeAddress(t), good)
	p.pushAllKinds()
	p.end(syscall.SIGTERM)
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(s.dir, "broken.data")
	flags := []string{"--web.listen-address=127.0.0.1:0", "--bus.data-dir=" + filepath.Join(s.dir, "data"), "--persistence.file=" + broken}
	for name, content := range map[string][]byte{
		"half": data[:len(data)/2], "empty": {}, "text": []byte("up 1\n"), "longer": append(slices.Clone(data), 0),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(broken, content, 0o600); err != nil {
				t.Fatal(err)
			}
			before := fingerprint(t, broken)
			g := s.run(flags...)
			code, err := g.Wait(startBound)
			if err != nil {
				t.Fatalf("%v:\n%s", err, g.Log())
			}
			t.Log(g.Log())
			if lines := strings.Count(g.Log(), "\n"); code != 1 || lines != 1 || !strings.Contains(g.Log(), broken) {
				t.Errorf("code %d and %d lines, want code 1 and one line that names the file:\n%s", code, lines, g.Log())
			}
			if fingerprint(t, broken) != before {
				t.Error("the file was touched")
			}
		})
	}
	// Nothing of it is in the stream, so the right file is still imported.
	if err := os.WriteFile(broken, data, 0o600); err != nil {
		t.Fatal(err)
	}
	g := s.start("--persistence.file=" + broken)
	if e := g.scrape(); len(e.of("job", "text")) == 0 {
		t.Errorf("nothing was imported:\n%s", g.Log())
	}
}

func TestAMissingPersistenceFileIsNoError(t *testing.T) {
	s := newSite(t)
	file := filepath.Join(s.dir, "missing.data")
	g := s.start("--persistence.file=" + file)
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/first", "first 1\n")
	if !strings.Contains(g.Log(), file) {
		t.Errorf("the log does not name the file:\n%s", g.Log())
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("somebody made the file: %v", err)
	}
}
