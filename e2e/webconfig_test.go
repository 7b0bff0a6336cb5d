package e2e

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/push"
)

// Users of the tests. The hashes are of bcrypt with the least cost.
const (
	alice, alicePassword = "alice", "s3cret"
	bob, bobPassword     = "bob", `pass: wörd\`
	webUsers             = `
basic_auth_users:
  alice: $2a$04$I8Mrzxvu6jTurqoFg8.4nO7WzICvqEkLBbtoylcU/DvsF0vxOGN7y
  bob: $2a$04$0hbcdTbLch/wXEmO07fh1etuM3.45pRpne6bkbO82Fh207argx/W2
`
)

// webConfig writes a web configuration with this server certificate, and more
// lines, and returns the flag that names it.
func (s *site) webConfig(cert, key, more string) string {
	s.record("web.yml", fmt.Sprintf("tls_server_config:\n  cert_file: %s\n  key_file: %s\n%s", cert, key, more))
	return "--web.config.file=" + s.dir + "/web.yml"
}

// withUser is a URL that carries a user.
func withUser(address, user, password string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err) // an address of our own
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

// startSecured starts a gateway with TLS and basic authentication. Its URL contains the
// user alice, so that the site's own requests are accepted.
func startSecured(t *testing.T) (g *sluice, ca *authority, address string) {
	t.Helper()
	s := newSite(t)
	ca = newAuthority(s, "authority")
	cert, key := ca.issue("server")
	s.useTLS(ca.clientConfig(t))
	s.before = withUser("https://", alice, alicePassword)
	g = s.start(s.webConfig(cert, key, webUsers+`
http_server_config:
  headers:
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    Strict-Transport-Security: max-age=31536000
    Content-Security-Policy: frame-ancestors 'none'
`))
	return g, ca, strings.Replace(g.url, withUser("https://", alice, alicePassword), "https://", 1)
}

func TestOnlyUsersMayPushAndRead(t *testing.T) {
	g, _, address := startSecured(t)
	known := g.url
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/x", "m 1\n")
	requests := []step{put("/job/x", "m 2\n"), post("/job/x", "m 2\n"), del("/job/x"), get("/metrics"), get("/api/v1/metrics"), get("/api/v1/status"), get("/-/healthy"), get("/")}
	for name, stranger := range map[string]string{
		"nobody":                 address,
		"an unknown user":        withUser(address, "mallory", alicePassword),
		"a wrong password":       withUser(address, alice, "wrong"),
		"another's password":     withUser(address, bob, alicePassword),
		"no password":            withUser(address, alice, ""),
		"the user in upper case": withUser(address, "ALICE", alicePassword),
	} {
		g.url = stranger
		for _, s := range requests {
			a, err := g.do(s.method, s.path, s.body)
			if err != nil || a.code != http.StatusUnauthorized || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic") {
				t.Errorf("%s: %s %s: %d, %v, want 401", name, s.method, s.path, a.code, err)
			}
		}
	}
	g.url = known
	if lines, _ := g.scrape().withoutTimes(); !slices.Equal(lines, []string{"m" + jobX() + " 1"}) {
		t.Errorf("shown is %q", lines)
	}
	for _, user := range []string{known, withUser(address, bob, bobPassword)} {
		g.url = user
		for _, s := range requests {
			a := g.must(s.code, s.method, s.path, s.body)
			for name, want := range map[string]string{"X-Frame-Options": "deny", "X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "max-age=31536000", "Content-Security-Policy": "frame-ancestors 'none'"} {
				if have := a.header.Get(name); have != want {
					t.Errorf("%s %s: %s is %q, want %q", s.method, s.path, name, have, want)
				}
			}
		}
	}
	// The answer to a request without TLS says that TLS is needed.
	g.url = strings.Replace(address, "https:", "http:", 1)
	if a, err := g.do(http.MethodPut, "/metrics/job/x", "m 3\n"); err != nil || a.code != http.StatusBadRequest {
		t.Errorf("without TLS: %d, %v, want 400", a.code, err)
	}
}

// All client libraries push with a password over TLS.
func TestClientsPushWithAPassword(t *testing.T) {
	g, ca, address := startSecured(t)
	one := map[string]float64{"a": 1}
	settings := clientSettings{URL: address, User: bob, Password: bobPassword, CA: ca.file()}
	t.Run("prom-client", func(t *testing.T) {
		promClient(t).try(t, g, settings,
			clientCall{name: "push", Verb: "push", Job: "x", Metrics: one, says: "ok 200", shows: []string{"a" + jobX() + " 1"}},
			clientCall{name: "pushAdd", Verb: "pushAdd", Job: "x", Metrics: map[string]float64{"b": 2}, says: "ok 200", shows: []string{"a" + jobX() + " 1", "b" + jobX() + " 2"}},
			clientCall{name: "delete", Verb: "delete", Job: "x", says: "ok 202"})
		wrong := settings
		wrong.Password = "wrong"
		promClient(t).try(t, g, wrong, clientCall{name: "wrong password", Verb: "push", Job: "x", Metrics: one, says: "status 401"})
		untrusting := settings
		untrusting.CA = ""
		promClient(t).try(t, g, untrusting, clientCall{name: "no trust", Verb: "push", Job: "x", Metrics: one, says: "certificate"})
	})
	t.Run("prometheus_client", func(t *testing.T) {
		python := pythonClient()
		python.env = []string{"SSL_CERT_FILE=" + ca.file()} // basic_auth_handler has no setting of its own
		python.try(t, g, settings,
			clientCall{name: "push", Verb: "push", Job: "x", Metrics: one, says: "ok", shows: []string{"a" + jobX() + " 1"}},
			clientCall{name: "pushadd", Verb: "pushAdd", Job: "x", Metrics: map[string]float64{"b": 2}, says: "ok", shows: []string{"a" + jobX() + " 1", "b" + jobX() + " 2"}},
			clientCall{name: "delete", Verb: "delete", Job: "x", says: "ok"})
		wrong := settings
		wrong.Password = "wrong"
		python.try(t, g, wrong, clientCall{name: "wrong password", Verb: "push", Job: "x", Metrics: one, says: "401"})
		pythonClient().try(t, g, settings, clientCall{name: "no trust", Verb: "push", Job: "x", Metrics: one, says: "CERTIFICATE_VERIFY_FAILED"})
	})
	t.Run("client_golang", func(t *testing.T) {
		client := &http.Client{Timeout: requestBound, Transport: &http.Transport{TLSClientConfig: ca.clientConfig(t)}}
		for name, format := range pushFormats {
			pusher := push.New(address, "x").Client(client).BasicAuth(bob, bobPassword).Format(format).Collector(gaugeOf("a", 1))
			for _, use := range []func() error{pusher.Push, pusher.Add, pusher.Delete} {
				if err := use(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		pusher := push.New(address, "x").Client(client).BasicAuth(bob, "wrong").Collector(gaugeOf("a", 1))
		for _, use := range []func() error{pusher.Push, pusher.Add, pusher.Delete} {
			if err := use(); err == nil || !strings.Contains(err.Error(), "401") {
				t.Errorf("wrong password: %v", err)
			}
		}
	})
	t.Run("curl", func(t *testing.T) {
		user := bob + ":" + bobPassword
		for _, version := range []string{"--http1.1", "--http2"} {
			runCurl(t, "m 1\n", "--cacert", ca.file(), "--user", user, version, "--data-binary", "@-", address+"/metrics/job/x").is(t, "200")
			runCurl(t, "", "--cacert", ca.file(), "--user", user, version, "--request", "DELETE", address+"/metrics/job/x").is(t, "202")
			runCurl(t, "m 1\n", "--cacert", ca.file(), version, "--data-binary", "@-", address+"/metrics/job/x").is(t, "401")
		}
	})
}

// A client without a certificate of the authority is cut off in the handshake.
func TestMutualTLS(t *testing.T) {
	s := newSite(t)
	ca := newAuthority(s, "authority")
	cert, key := ca.issue("server")
	clientCert, clientKey := ca.issue("client")
	stranger := newAuthority(s, "stranger")
	strangerCert, strangerKey := stranger.issue("strange-client")
	s.useTLS(ca.clientConfig(t, clientCert, clientKey))
	g := s.start(s.webConfig(cert, key, "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: "+ca.file()+"\n"))

	one := map[string]float64{"a": 1}
	settings := clientSettings{URL: g.url, CA: ca.file(), Cert: clientCert, Key: clientKey}
	strange := clientSettings{URL: g.url, CA: ca.file(), Cert: strangerCert, Key: strangerKey}
	anonymous := clientSettings{URL: g.url, CA: ca.file()}
	shown := []string{"a" + jobX() + " 1"}
	t.Run("prom-client", func(t *testing.T) {
		promClient(t).try(t, g, settings, clientCall{name: "push", Verb: "push", Job: "x", Metrics: one, says: "ok 200", shows: shown})
		promClient(t).try(t, g, strange, clientCall{name: "strange certificate", Verb: "delete", Job: "x", fails: true, shows: shown})
		promClient(t).try(t, g, anonymous, clientCall{name: "no certificate", Verb: "delete", Job: "x", fails: true, shows: shown})
	})
	t.Run("prometheus_client", func(t *testing.T) {
		pythonClient().try(t, g, settings, clientCall{name: "push", Verb: "push", Job: "x", Metrics: one, says: "ok", shows: shown})
		pythonClient().try(t, g, strange, clientCall{name: "strange certificate", Verb: "delete", Job: "x", fails: true, shows: shown})
	})
	t.Run("client_golang", func(t *testing.T) {
		for name, config := range map[string]*tls.Config{"": ca.clientConfig(t, clientCert, clientKey), "strange": ca.clientConfig(t, strangerCert, strangerKey), "anonymous": ca.clientConfig(t)} {
			pusher := push.New(g.url, "x").Client(&http.Client{Timeout: requestBound, Transport: &http.Transport{TLSClientConfig: config}}).Collector(gaugeOf("a", 1))
			if err := pusher.Push(); (err == nil) != (name == "") {
				t.Errorf("%s client: %v", name, err)
			}
		}
	})
	t.Run("curl", func(t *testing.T) {
		runCurl(t, "a 1\n", "--cacert", ca.file(), "--cert", clientCert, "--key", clientKey, "--data-binary", "@-", g.url+"/metrics/job/x").is(t, "200")
		if c := runCurl(t, "", "--cacert", ca.file(), "--request", "DELETE", g.url+"/metrics/job/x"); c.exit == 0 {
			t.Errorf("no certificate: %+v", c)
		}
	})
}

func TestHTTP2CanBeSwitchedOff(t *testing.T) {
	for setting, want := range map[string]string{"": "HTTP/2.0", "http_server_config:\n  http2: true\n": "HTTP/2.0", "http_server_config:\n  http2: false\n": "HTTP/1.1"} {
		s := newSite(t)
		ca := newAuthority(s, "authority")
		cert, key := ca.issue("server")
		s.useTLS(ca.clientConfig(t))
		g := s.start(s.webConfig(cert, key, setting))
		resp, err := s.client.Get(g.url + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.Proto != want {
			t.Errorf("with %q Go's client speaks %s, want %s", setting, resp.Proto, want)
		}
		c := runCurl(t, "m 1\n", "--cacert", ca.file(), "--http2", "--data-binary", "@-", g.url+"/metrics/job/x")
		c.is(t, "200")
		if want := strings.TrimSuffix(strings.TrimPrefix(want, "HTTP/"), ".0"); c.version != want {
			t.Errorf("with %q curl speaks HTTP/%s, want %s", setting, c.version, want)
		}
	}
}

// Certificate and users can be replaced without a restart.
func TestWebConfigIsReadAgain(t *testing.T) {
	s := newSite(t)
	ca := newAuthority(s, "authority")
	cert, key := ca.issue("server")
	s.useTLS(ca.clientConfig(t))
	g := s.start(s.webConfig(cert, key, ""))
	serial := func() int64 {
		t.Helper()
		conn, err := tls.Dial("tcp", strings.TrimPrefix(g.url, "https://"), ca.clientConfig(t))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	before := serial()
	ca.issue("server") // into the same files
	if after := serial(); after == before {
		t.Errorf("the certificate is still that with number %d", after)
	}
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/x", "m 1\n")
	s.webConfig(cert, key, webUsers)
	g.must(http.StatusUnauthorized, http.MethodPut, "/metrics/job/x", "m 2\n")
	g.url = withUser(g.url, alice, alicePassword)
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/x", "m 3\n")
}

func TestABrokenWebConfigIsNamedInOneLine(t *testing.T) {
	s := newSite(t)
	ca := newAuthority(s, "authority")
	cert, key := ca.issue("server")
	_, otherKey := ca.issue("other")
	missing := s.dir + "/missing.pem"
	file := s.dir + "/web.yml"
	const certificate = "tls_server_config:\n  cert_file: %s\n  key_file: %s\n"
	for name, c := range map[string]struct{ content, says string }{
		"no YAML":                   {"tls_server_config: [", "web.yml"},
		"unknown field":             {"tls_server:\n", "tls_server"},
		"certificate missing":       {fmt.Sprintf(certificate, missing, key), missing},
		"key missing":               {fmt.Sprintf(certificate, cert, missing), missing},
		"key of another":            {fmt.Sprintf(certificate, cert, otherKey), "private key"},
		"certificate is none":       {fmt.Sprintf(certificate, file, key), "web.yml"},
		"authority missing":         {fmt.Sprintf(certificate, cert, key) + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: " + missing + "\n", missing},
		"unknown client_auth_type":  {fmt.Sprintf(certificate, cert, key) + "  client_auth_type: Sometimes\n", "Sometimes"},
		"authority without a use":   {fmt.Sprintf(certificate, cert, key) + "  client_ca_file: " + ca.file() + "\n", "web.yml"},
		"password without hash":     {"basic_auth_users:\n  alice: s3cret\n", "web.yml"},
		"header not to be set":      {"http_server_config:\n  headers:\n    X-Unknown: y\n", "X-Unknown"},
		"HTTP/2 neither on nor off": {"http_server_config:\n  http2: sometimes\n", "sometimes"},
		"a folder":                  {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s.record("web.yml", c.content)
			path := file
			if c.content == "" {
				path = s.dir
			}
			g := s.run("--web.listen-address=127.0.0.1:0", "--bus.data-dir="+s.dir+"/data-"+name, "--web.config.file="+path)
			code, err := g.Wait(startBound)
			if err != nil {
				t.Fatalf("%v:\n%s", err, g.Log())
			}
			t.Log(g.Log())
			if lines := strings.Count(g.Log(), "\n"); code != 1 || lines != 1 || !strings.Contains(g.Log(), path) || !strings.Contains(g.Log(), c.says) {
				t.Errorf("code %d and %d lines, want code 1 and one line that names %s and %s:\n%s", code, lines, path, c.says, g.Log())
			}
			if _, err := os.Stat(s.dir + "/data-" + name); err == nil {
				t.Error("the stream's folder was made all the same")
			}
		})
	}
}
