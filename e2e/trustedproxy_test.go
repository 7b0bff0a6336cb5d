package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sluice/e2e/testkit"
)

// Behind haproxy the origin of a push is the client: by both versions of the PROXY
// protocol and by X-Forwarded-For. The client's address differs from the proxy's.
func TestClientBehindHAProxy(t *testing.T) {
	s := newSite(t)
	g := s.start("--web.trusted-proxies=127.0.0.1", "--web.proxy-protocol")
	backends := map[string]string{
		"v1":     "mode tcp\n    server gateway %s send-proxy",
		"v2":     "mode tcp\n    server gateway %s send-proxy-v2",
		"header": "mode http\n    option forwardfor\n    server gateway %s",
	}
	config, addresses := "defaults\n    timeout connect 10s\n    timeout client 60s\n    timeout server 60s\n", map[string]string{}
	for name, backend := range backends {
		addresses[name] = testkit.FreeAddress(t)
		config += fmt.Sprintf("listen %s\n    bind %s\n    %s\n", name, addresses[name], fmt.Sprintf(backend, g.url[len("http://"):]))
	}
	s.record("haproxy.cfg", config)
	log, err := os.Create(filepath.Join(s.dir, "haproxy.log"))
	if err != nil {
		t.Fatal(err)
	}
	proxy := exec.Command(debian(t, "haproxy"), "-db", "-f", filepath.Join(s.dir, "haproxy.cfg"))
	proxy.Stdout, proxy.Stderr = log, log
	if err := proxy.Start(); err != nil {
		t.Fatalf("start haproxy: %v", err)
	}
	t.Cleanup(func() {
		proxy.Process.Kill()
		proxy.Wait()
		log.Close()
	})
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 7)}}).DialContext, DisableKeepAlives: true,
	}}
	for name, address := range addresses {
		testkit.Within(t, requestBound, "haproxy listens", func() bool {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
		request, err := http.NewRequest(http.MethodPut, "http://"+address+"/metrics/job/"+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: got %d", name, answer.StatusCode)
		}
		var groups struct {
			Data struct {
				Groups []struct{ Origin string }
			}
		}
		body := g.must(http.StatusOK, http.MethodGet, "/api/v1/groups?match[]=job=%22"+name+"%22", "").body
		if err := json.Unmarshal([]byte(body), &groups); err != nil || len(groups.Data.Groups) != 1 || groups.Data.Groups[0].Origin != "http 127.0.0.7" {
			t.Errorf("%s: %v, got %s, want origin http 127.0.0.7", name, err, body)
		}
	}
}
