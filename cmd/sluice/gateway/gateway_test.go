package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"sluice/bus"
	"sluice/bus/embed"
	"sluice/e2e/testkit"
	"sluice/ingest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// configOf is a configuration of free ports and a temporary folder.
func configOf(t *testing.T) Config {
	t.Helper()
	return Config{
		ListenAddresses: []string{"127.0.0.1:0", "127.0.0.1:0"}, TelemetryPath: "/metrics", SelfMetrics: SelfTogether,
		EnableLifecycle: true, MaxConnections: 100, MaxHeaderBytes: 1 << 16, ReadTimeout: testkit.Patience, WriteTimeout: testkit.Patience,
		Bus: bus.Config{
			Prefix: "sluice", History: 1,
			Server: embed.Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0", Sync: embed.SyncInterval, MaxPayload: 8 << 20},
		},
		Committer: ingest.CommitterConfig{Wait: testkit.Patience, MaxWaiting: 100, MaxWaitingBytes: 1 << 28, ForgetAfter: time.Hour},
		Front: ingest.FrontConfig{
			MaxBytes: 1 << 20, MaxHeld: 1 << 28,
			Limits: ingest.Limits{Series: 1000, Labels: 100, LabelBytes: 1000, TextBytes: 8 << 20},
		},
	}
}

// running is a gateway that runs until stop has returned.
type running struct {
	*Gateway
	t     *testing.T
	log   *testkit.Log
	stop  context.CancelFunc
	ended chan error
}

// start opens a gateway and waits until it is ready.
func start(t *testing.T, cfg Config) *running {
	t.Helper()
	log := &testkit.Log{}
	g, err := New(t.Context(), cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{Gateway: g, t: t, log: log, stop: stop, ended: make(chan error, 1)}
	go func() { r.ended <- g.Run(ctx) }()
	t.Cleanup(func() { // also after a failure; a gateway that has ended does not mind
		stop()
		http.DefaultClient.CloseIdleConnections()
	})
	testkit.Eventually(t, "the gateway is ready", func() bool {
		status, _ := r.ask(http.MethodGet, cfg.Prefix()+"/-/ready", "")
		return status == http.StatusOK
	})
	return r
}

// end stops the gateway, and wants that to succeed.
func (r *running) end() {
	r.t.Helper()
	r.stop()
	r.wantEnded()
}

func (r *running) wantEnded() {
	r.t.Helper()
	select {
	case err := <-r.ended:
		if err != nil {
			r.t.Errorf("the gateway ended with %v\n%s", err, r.log)
		}
	case <-time.After(testkit.Patience):
		r.t.Fatalf("the gateway does not end\n%s", r.log)
	}
}

// ask sends a request to the first address.
func (r *running) ask(method, path, body string) (int, string) {
	r.t.Helper()
	return r.askAt(r.Addresses()[0], method, path, body)
}

func (r *running) askAt(address net.Addr, method, path, body string) (int, string) {
	r.t.Helper()
	request, err := http.NewRequest(method, "http://"+address.String()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// A gateway takes pushes on each of its addresses and over NATS, shows them, and
// still has them after a stop and a start.
func TestGateway(t *testing.T) {
	cfg := configOf(t)
	for run := 1; run <= 2; run++ {
		g := start(t, cfg)
		for i, address := range g.Addresses() {
			path := fmt.Sprintf("/metrics/job/http/run/%d/address/%d", run, i)
			if status, text := g.askAt(address, http.MethodPost, path, "m 1\n"); status != http.StatusOK {
				t.Errorf("%s: %d %s", path, status, text)
			}
		}
		conn, err := nats.Connect(g.ClientURL())
		if err != nil {
			t.Fatal(err)
		}
		message := nats.NewMsg("sluice.push.put")
		message.Header.Set("Sluice-Group", fmt.Sprintf("/job/nats/run/%d", run))
		message.Data = []byte("m 1\n")
		testkit.Eventually(t, "a push over NATS", func() bool {
			reply, err := conn.RequestMsg(message, testkit.Patience)
			return err == nil && strings.Contains(string(reply.Data), `"code":200`)
		})
		conn.Close()
		if _, text := g.ask(http.MethodGet, "/metrics", ""); strings.Count(text, "\nm{") != 3*run {
			t.Errorf("run %d: got\n%s", run, text)
		}
		g.end()
		if log := g.log.String(); !strings.Contains(log, "msg=stopped") || strings.Contains(log, "level=ERROR") {
			t.Errorf("run %d: the log is\n%s", run, log)
		}
	}
}

// A request ends the gateway as a signal does.
func TestQuitByRequest(t *testing.T) {
	g := start(t, configOf(t))
	if status, text := g.ask(http.MethodPost, "/-/quit", ""); status != http.StatusOK {
		t.Errorf("got %d %s", status, text)
	}
	g.wantEnded()
	if strings.Contains(g.log.String(), "SIGTERM") {
		t.Errorf("the log speaks of a signal:\n%s", g.log)
	}
}

// Who watches has no end of his own, and keeps no gateway from stopping.
func TestStopEndsWatchers(t *testing.T) {
	g := start(t, configOf(t))
	answer, err := http.Get("http://" + g.Addresses()[1].String() + "/api/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	g.end()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Errorf("the events are cut off: %v", err)
	}
}

// What cannot start leaves nothing open: no port, no server, no goroutine.
func TestNewThatFailsClosesAll(t *testing.T) {
	f := func(want string, change func(cfg *Config)) {
		t.Helper()
		cfg := configOf(t)
		change(&cfg)
		g, err := New(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) || g != nil {
			t.Errorf("got %v, want %s", err, want)
		}
		goleak.VerifyNone(t)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	f("--web.listen-address: cannot listen on "+taken.Addr().String(), func(cfg *Config) {
		cfg.ListenAddresses = append(cfg.ListenAddresses, taken.Addr().String())
	})
	f("--web.config.file: cannot use /absent", func(cfg *Config) { cfg.WebConfigFile = "/absent" })
	f("--group.rules: ", func(cfg *Config) { cfg.GroupRules = "/absent" })
	f(taken.Addr().String(), func(cfg *Config) { cfg.Bus.Server.Listen = taken.Addr().String() })
	file := filepath.Join(t.TempDir(), "persistence")
	if err := os.WriteFile(file, []byte("no gob"), 0o600); err != nil {
		t.Fatal(err)
	}
	f("cannot import --persistence.file ", func(cfg *Config) { cfg.PersistenceFile = file }) // after the stream has been opened
}

// --web.telemetry-path must leave every other path alone, else nothing could be
// scraped, or something else would be gone.
func TestTelemetryPathThatIsInUseIsRefused(t *testing.T) {
	for _, prefix := range []string{"", "/p"} {
		cfg := configOf(t)
		cfg.RoutePrefix = prefix
		g := start(t, cfg)
		for _, pattern := range g.patterns {
			path, ok := strings.CutPrefix(strings.NewReplacer(":", "", "*", "").Replace(pattern), prefix)
			if ok && path == cfg.TelemetryPath {
				continue
			}
			if ok && !taken(path) {
				t.Errorf("%s serves %s, and --web.telemetry-path may be %s", prefix, pattern, path)
			}
		}
		if len(g.patterns) < 20 {
			t.Errorf("got only %q", g.patterns)
		}
		g.end()
	}
	f := func(path, want string) {
		t.Helper()
		cfg := configOf(t)
		cfg.TelemetryPath = path
		_, err := New(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
	f("/api/v1/groups", "in use")
	f("/api/v1", "in use")
	f("/api/v1/what/comes/later", "in use")
	f("/group/job/x", "in use")
	f("/metrics/job/x", "in use")
	f("/metrics/../-/ready/", "in use")
	f("/-/later", "in use")
	f("/:job", "must not contain")
	f("/m/*rest", "must not contain")
	f("metrics", "does not begin with a slash")
}

func TestTelemetryPath(t *testing.T) {
	for _, path := range []string{"/scrape", "/api/v2/metrics", "/metrics/all"} {
		cfg := configOf(t)
		cfg.TelemetryPath = path
		g := start(t, cfg)
		if status, text := g.ask(http.MethodGet, path, ""); status != http.StatusOK || !strings.Contains(text, "# HELP go_info ") {
			t.Errorf("%s: %d %.100s", path, status, text)
		}
		g.end()
	}
}

// Pushgateway registers the refusal of GET without the route prefix, so /-/quit is
// 405 there, whatever the prefix is.
func TestQuitOutsideOfTheRoutePrefix(t *testing.T) {
	cfg := configOf(t)
	cfg.RoutePrefix = "/p"
	g := start(t, cfg)
	defer g.end()
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
		if status, text := g.ask(method, "/-/quit", ""); status != http.StatusMethodNotAllowed {
			t.Errorf("%s /-/quit: %d %s", method, status, text)
		}
	}
	if status, text := g.ask(http.MethodGet, "/p/-/quit", ""); status != http.StatusMethodNotAllowed {
		t.Errorf("GET /p/-/quit: %d %s", status, text)
	}
	if status, _ := g.ask(http.MethodGet, "/-/healthy", ""); status != http.StatusNotFound {
		t.Errorf("/-/healthy: %d", status)
	}
}

// With --web.config.file a probe without credentials is refused as all others are,
// unless the flag opens the two paths.
func TestProbesWithoutAuthentication(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.yml")
	const hash = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi" // no request has the password
	if err := os.WriteFile(file, []byte("basic_auth_users:\n  prober: "+hash+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, open := range []bool{false, true} {
		cfg := configOf(t)
		cfg.RoutePrefix, cfg.WebConfigFile, cfg.OpenProbes = "/p", file, open
		g, err := New(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		r := &running{Gateway: g, t: t, log: &testkit.Log{}, ended: make(chan error, 1)}
		var ctx context.Context
		ctx, r.stop = context.WithCancel(t.Context())
		go func() { r.ended <- g.Run(ctx) }()
		f := func(method, path string, want int) {
			t.Helper()
			if !open {
				want = http.StatusUnauthorized
			}
			if status, text := r.ask(method, path, ""); status != want {
				t.Errorf("open %t: %s %s: %d %s, want %d", open, method, path, status, text, want)
			}
		}
		f(http.MethodGet, "/p/-/healthy", http.StatusOK)
		f(http.MethodHead, "/p/-/healthy", http.StatusUnauthorized)
		testkit.Eventually(t, "ready", func() bool {
			status, _ := r.ask(http.MethodGet, "/p/-/ready?for=push", "")
			return status == http.StatusOK || !open && status == http.StatusUnauthorized
		})
		for _, path := range []string{"/p/-/metrics", "/p/metrics", "/-/healthy", "/p/-/healthy/", "/p/-/healthy/../metrics", "/p//-/ready", "/p/-/quit"} {
			f(http.MethodGet, path, http.StatusUnauthorized)
		}
		f(http.MethodPost, "/p/-/ready", http.StatusUnauthorized)
		r.end()
	}
	http.DefaultClient.CloseIdleConnections()
}

// A gateway that starts before its NATS is healthy and not ready, says for what it
// waits, and goes on when NATS is there.
func TestStartWaitsForNATS(t *testing.T) {
	cfg := configOf(t)
	address := testkit.FreeAddress(t)
	cfg.Bus.URL, cfg.Bus.Server, cfg.BusWait = "nats://"+address, embed.Config{MaxPayload: 1 << 20}, time.Hour
	cfg.ListenAddresses = []string{testkit.FreeAddress(t)}
	log := &testkit.Log{}
	r := &running{t: t, log: log, ended: make(chan error, 1)}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	t.Cleanup(stop)
	go func() {
		g, err := New(ctx, cfg, slog.New(slog.NewTextHandler(log, nil)))
		if err == nil {
			err = g.Run(ctx)
		}
		r.ended <- err
	}()
	at, err := net.ResolveTCPAddr("tcp", cfg.ListenAddresses[0])
	if err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the gateway waits", func() bool { return strings.Contains(log.String(), "waiting for it") })
	testkit.Eventually(t, "it listens", func() bool { return strings.Contains(log.String(), "Listening on") })
	for path, want := range map[string]int{"/-/healthy": 200, "/-/ready": 503, "/-/ready?for=scrape": 503, "/metrics": 503, "/api/v1/groups": 503, "/": 503} {
		status, text := r.askAt(at, http.MethodGet, path, "")
		if status != want || want == 503 && !strings.Contains(text, "waiting for NATS: cannot connect to NATS at nats://"+address) {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if status, text := r.askAt(at, http.MethodPost, "/metrics/job/x", "m 1\n"); status != 503 || !strings.HasPrefix(text, "not ready: waiting for NATS") {
		t.Errorf("a push: %d %s", status, text)
	}
	startNATS(t, address)
	testkit.Eventually(t, "the gateway is ready", func() bool {
		status, _ := r.askAt(at, http.MethodGet, "/-/ready", "")
		return status == http.StatusOK
	})
	if status, text := r.askAt(at, http.MethodPost, "/metrics/job/x", "m 1\n"); status != http.StatusOK {
		t.Errorf("a push: %d %s", status, text)
	}
	if strings.Count(log.String(), "waiting for it") != 1 {
		t.Errorf("the log is\n%s", log)
	}
	r.end()
	http.DefaultClient.CloseIdleConnections()
}

// startNATS runs a server with JetStream until the test ends.
func startNATS(t *testing.T, address string) {
	t.Helper()
	at, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.NewServer(&server.Options{Host: at.IP.String(), Port: at.Port, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true, MaxPayload: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(testkit.Patience) {
		t.Fatal("the NATS server does not start")
	}
}

// What waits for NATS ends by --bus.wait or a signal, and leaves nothing open.
func TestWaitingForNATSEnds(t *testing.T) {
	f := func(wait time.Duration, cancel bool, want string) {
		t.Helper()
		cfg := configOf(t)
		cfg.Bus.URL, cfg.Bus.Server, cfg.BusWait = "nats://"+testkit.FreeAddress(t), embed.Config{MaxPayload: 1 << 20}, wait
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		log := &testkit.Log{}
		ended := make(chan error, 1)
		go func() {
			_, err := New(ctx, cfg, slog.New(slog.NewTextHandler(log, nil)))
			ended <- err
		}()
		if cancel {
			testkit.Eventually(t, "it listens", func() bool { return strings.Contains(log.String(), "Listening on") })
			stop()
		}
		select {
		case err := <-ended:
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(log.String(), "waiting for it") != (wait > 0) {
				t.Errorf("got %v, want %s\n%s", err, want, log)
			}
		case <-time.After(testkit.Patience):
			t.Fatal("it does not end")
		}
		goleak.VerifyNone(t)
	}
	f(0, false, "cannot connect to NATS")
	f(1500*time.Millisecond, false, "waited 1.5s for NATS (--bus.wait): cannot connect to NATS")
	f(time.Hour, true, "stopped while waiting for NATS: context canceled")
}
