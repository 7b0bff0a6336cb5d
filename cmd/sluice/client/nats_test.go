package client

import (
	"context"
	"errors"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// natsServer runs an embedded NATS server and returns its URL.
func natsServer(t *testing.T, change func(*server.Options)) string {
	t.Helper()
	return startNATS(t, change).ClientURL()
}

func startNATS(t *testing.T, change func(*server.Options)) *server.Server {
	t.Helper()
	opts := &server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, MaxPayload: 1 << 20}
	if change != nil {
		change(opts)
	}
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(ample) {
		t.Fatal("the NATS server does not start")
	}
	return s
}

// gateway answers requests on a subject; "" is no answer.
func gateway(t *testing.T, url, subject string, answer func(*nats.Msg) string, opts ...nats.Option) {
	t.Helper()
	conn, err := nats.Connect(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	if _, err := conn.Subscribe(subject, func(m *nats.Msg) {
		if text := answer(m); text != "" {
			m.Respond([]byte(text))
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
}

func natsClient(t *testing.T, cfg NATSConfig) *NATS {
	t.Helper()
	if cfg.Timeout == 0 {
		cfg.Timeout = ample
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "sluice"
	}
	n, err := NewNATS(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPushOverNATS(t *testing.T) {
	url := natsServer(t, nil)
	gateway(t, url, "pre.push.put", func(m *nats.Msg) string {
		want := nats.Header{"Sluice-Group": {"/job/b%20c"}, "Nats-TTL": {"1h"}, "Content-Type": {"a/b"}, "Content-Encoding": {"gzip"}}
		if !maps.EqualFunc(m.Header, want, func(a, b []string) bool { return a[0] == b[0] }) || string(m.Data) != "m 1\n" {
			t.Errorf("got %v, %q", m.Header, m.Data)
		}
		return `{"code":200}`
	})
	gateway(t, url, "pre.push.delete", func(m *nats.Msg) string {
		if len(m.Header) != 1 || len(m.Data) != 0 {
			t.Errorf("got %v, %q", m.Header, m.Data)
		}
		return `{"code":202}`
	})
	// A server that is not there is passed over, and a scheme is not needed.
	n := natsClient(t, NATSConfig{URLs: strings.TrimPrefix(deadAddress(t), "http://") + "," + strings.TrimPrefix(url, "nats://"), Prefix: "pre"})
	c := Change{Method: "put", Group: "/job/b%20c", TTL: "1h", ContentType: "a/b", ContentEncoding: "gzip", Body: []byte("m 1\n")}
	if err := n.Change(t.Context(), c); err != nil {
		t.Error(err)
	}
	if err := n.Change(t.Context(), Change{Method: "delete", Group: "/job/x"}); err != nil {
		t.Error(err)
	}
}

// Until there is a verdict it is asked again.
func TestNATSIsAskedAgain(t *testing.T) {
	for name, first := range map[string]string{"503": `{"code":503,"error":"replaying"}`, "no reply": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := natsServer(t, nil)
			var count atomic.Int64
			gateway(t, url, "sluice.push.post", func(*nats.Msg) string {
				if count.Add(1) == 1 {
					return first
				}
				return `{"code":200}`
			})
			timeout := ample
			if first == "" {
				timeout = 10 * time.Second // of which the first gets half
			}
			if err := natsClient(t, NATSConfig{URLs: url, Timeout: timeout}).Change(t.Context(), push); err != nil || count.Load() != 2 {
				t.Errorf("got %v after %d requests", err, count.Load())
			}
		})
	}
	t.Run("no gateway yet", func(t *testing.T) {
		t.Parallel()
		url := natsServer(t, nil)
		done := make(chan error, 1)
		go func() { done <- natsClient(t, NATSConfig{URLs: url}).Change(t.Context(), push) }()
		time.Sleep(300 * time.Millisecond) // so that the first request finds nobody
		gateway(t, url, "sluice.push.post", func(*nats.Msg) string { return `{"code":200}` })
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	// The connection breaks with its server, and is made anew with the next one.
	t.Run("another server", func(t *testing.T) {
		t.Parallel()
		s := startNATS(t, nil)
		asked := make(chan struct{}, 1)
		gateway(t, s.ClientURL(), "sluice.push.post", func(*nats.Msg) string { asked <- struct{}{}; return "" }, nats.NoReconnect())
		done := make(chan error, 1)
		go func() { done <- natsClient(t, NATSConfig{URLs: s.ClientURL()}).Change(t.Context(), push) }()
		<-asked
		port := s.Addr().(*net.TCPAddr).Port
		s.Shutdown()
		s.WaitForShutdown()
		again := natsServer(t, func(o *server.Options) { o.Port = port })
		gateway(t, again, "sluice.push.post", func(*nats.Msg) string { return `{"code":200}` })
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestVerdictsOverNATSAreFinal(t *testing.T) {
	for answer, want := range map[string]string{
		`{"code":400,"error":"bad\nline"}`:     "refused by a gateway over NATS: 400 bad\nline",
		`{"code":429,"error":"too many"}`:      "429 too many",
		`{"code":507,"error":"full"}`:          "507 full",
		`hello`:                                `not that of a gateway: "hello"`,
		`{"stream":"SLUICE","seq":7}`:          "not that of a gateway",
		`{"code":400,"error":"\u001b[31mred"}`: "400 ?[31mred",
	} {
		url := natsServer(t, nil)
		var count atomic.Int64
		gateway(t, url, "sluice.push.post", func(*nats.Msg) string { count.Add(1); return answer })
		if err := natsClient(t, NATSConfig{URLs: url}).Change(t.Context(), push); err == nil || !strings.Contains(err.Error(), want) || count.Load() != 1 {
			t.Errorf("%s: got %v after %d requests, want %q", answer, err, count.Load(), want)
		}
	}
	url := natsServer(t, nil)
	large := Change{Method: "put", Group: "/job/x", Body: make([]byte, 1<<20)}
	if err := natsClient(t, NATSConfig{URLs: url}).Change(t.Context(), large); err == nil || !strings.Contains(err.Error(), "has 1048576 bytes, the NATS server takes messages of at most 1048576") {
		t.Errorf("got %v", err)
	}
}

// The time is not passed, whatever the servers do.
func TestTimeOverNATSIsBounded(t *testing.T) {
	const timeout, slack = 2 * time.Second, 20 * time.Second
	silent := natsServer(t, nil)
	gateway(t, silent, "sluice.push.post", func(*nats.Msg) string { return "" })
	hanging := strings.TrimPrefix(hangingAddress(t), "http://")
	for name, c := range map[string]struct{ urls, want string }{
		"dead":              {strings.TrimPrefix(deadAddress(t), "http://"), "cannot connect"},
		"hanging":           {"nats://u:secret@" + hanging + "," + hanging, "cannot connect"},
		"no gateway":        {natsServer(t, nil), "no gateway takes requests on sluice.push.post"},
		"silent":            {silent, "safe to try again"},
		"not a NATS server": {strings.Replace(serverOf(t, nil), "http", "nats", 1), "cannot connect"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			err := natsClient(t, NATSConfig{URLs: c.urls, Timeout: timeout}).Change(t.Context(), push)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") || time.Since(begin) > timeout+slack {
				t.Errorf("got %v after %s", err, time.Since(begin))
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancelCause(t.Context())
		defer time.AfterFunc(200*time.Millisecond, func() { cancel(errors.New("enough")) }).Stop()
		begin := time.Now()
		err := natsClient(t, NATSConfig{URLs: silent}).Change(ctx, push)
		if err == nil || !strings.Contains(err.Error(), "interrupted: enough") || time.Since(begin) > ample/2 {
			t.Errorf("got %v after %s", err, time.Since(begin))
		}
	})
}

// Who may not push is told at once.
func TestRightsOverNATS(t *testing.T) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	url := natsServer(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "gateway", Password: "p"}, {Username: "reader", Password: "p", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{"sluice.push.>"}},
		}}}
		o.Nkeys = []*server.NkeyUser{{Nkey: public}}
	})
	gateway(t, url, "sluice.push.post", func(*nats.Msg) string { return `{"code":200}` }, nats.UserInfo("gateway", "p"))
	f := func(cfg NATSConfig, want string) {
		t.Helper()
		begin := time.Now()
		err := natsClient(t, cfg).Change(t.Context(), push)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) || time.Since(begin) > ample/2 {
			t.Errorf("got %v after %s, want %q", err, time.Since(begin), want)
		}
	}
	f(NATSConfig{URLs: url}, "Authorization Violation")
	f(NATSConfig{URLs: strings.Replace(url, "://", "://reader:p@", 1)}, `Permissions Violation for Publish to "sluice.push.post"`)
	f(NATSConfig{URLs: strings.Replace(url, "://", "://gateway:p@", 1)}, "")
	f(NATSConfig{URLs: url, NKey: fileOf(t, "seed", string(seed))}, "")

	f(NATSConfig{URLs: url, Creds: filepath.Join(t.TempDir(), "absent.creds")}, "absent.creds: no such file")
	if _, err := NewNATS(NATSConfig{NKey: filepath.Join(t.TempDir(), "absent")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
