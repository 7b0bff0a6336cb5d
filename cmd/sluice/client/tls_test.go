package client

import (
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

func fileOf(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTLSAndCredentials(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user+":"+password != "u:p" {
			w.WriteHeader(401)
		}
	}))
	defer server.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	caFile := fileOf(t, "ca.pem", ca)
	settings := fileOf(t, "http.yml", "basic_auth: {username: u, password: p}\ntls_config: {ca_file: ca.pem}\n")
	if err := os.WriteFile(filepath.Join(filepath.Dir(settings), "ca.pem"), []byte(ca), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(cfg HTTPConfig, address, want string) {
		t.Helper()
		begin := time.Now()
		cfg.Timeout = ample
		err := clientWith(t, cfg, address).Change(t.Context(), push)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
		if time.Since(begin) > ample/2 {
			t.Errorf("it took %s", time.Since(begin))
		}
	}
	f(HTTPConfig{ConfigFile: settings}, server.URL, "") // which names ca.pem beside it
	f(HTTPConfig{TLSCA: caFile}, strings.Replace(server.URL, "://", "://u:p@", 1), "")
	f(HTTPConfig{TLSCA: caFile}, server.URL, "401 Unauthorized")
	f(HTTPConfig{ConfigFile: fileOf(t, "http.yml", "basic_auth: {username: u, password: p}\n"), TLSCA: caFile}, server.URL, "")
	// There is no use in trying these again.
	f(HTTPConfig{}, server.URL, "certificate signed by unknown authority")
	f(HTTPConfig{}, strings.Replace(server.URL, "https", "http", 1), "400 Client sent an HTTP request to an HTTPS server")
	f(HTTPConfig{ConfigFile: fileOf(t, "http.yml", "basic_auth: {username: u, password_file: absent}\n"), TLSCA: caFile}, server.URL, "absent: no such file")
	f(HTTPConfig{ConfigFile: fileOf(t, "http.yml", "\n"), TLSCA: caFile}, server.URL, "401")
}

// Two addresses of which one is not trusted: the other one is asked.
func TestUntrustedAddress(t *testing.T) {
	other := httptest.NewTLSServer(http.NotFoundHandler())
	defer other.Close()
	good := serverOf(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err := clientOf(t, ample, other.URL, good).Change(t.Context(), push); err != nil {
		t.Error(err)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	f := func(cfg HTTPConfig, want string) {
		t.Helper()
		if _, err := NewHTTP(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(HTTPConfig{ConfigFile: "/absent.yml"}, "/absent.yml")
	f(HTTPConfig{ConfigFile: fileOf(t, "http.yml", "basic: {}\n")}, "http.yml")
	f(HTTPConfig{ConfigFile: fileOf(t, "http.yml", "basic_auth: {username: u}\nbearer_token: x\n")}, "at most one of")
	f(HTTPConfig{TLSCert: "c.pem"}, "key")
	f(HTTPConfig{TLSCA: "/absent.pem"}, "/absent.pem")
}

func TestTLSOverNATS(t *testing.T) {
	certificates := httptest.NewTLSServer(http.NotFoundHandler())
	defer certificates.Close()
	caFile := fileOf(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificates.Certificate().Raw})))
	url := natsServer(t, func(o *server.Options) {
		o.TLS, o.TLSConfig, o.TLSTimeout = true, &tls.Config{Certificates: certificates.TLS.Certificates}, ample.Seconds()
	})
	gateway(t, url, "sluice.push.post", func(*nats.Msg) string { return `{"code":200}` }, nats.RootCAs(caFile))
	if err := natsClient(t, NATSConfig{URLs: url, TLSCA: caFile}).Change(t.Context(), push); err != nil {
		t.Error(err)
	}
	begin := time.Now()
	err := natsClient(t, NATSConfig{URLs: url}).Change(t.Context(), push)
	if err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") || time.Since(begin) > ample/2 {
		t.Errorf("got %v after %s", err, time.Since(begin))
	}
}
