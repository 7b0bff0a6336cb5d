package bus

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"sluice/bus/embed"
	"sluice/e2e/testkit"
)

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestOpenNamesWhatStandsInTheWay(t *testing.T) {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	f := func(name string, cfg Config, want ...string) {
		t.Helper()
		if cfg.URL == "" && cfg.Server.DataDir == "" {
			cfg.Server.DataDir = t.TempDir()
		}
		cfg.ConnectTimeout = 2 * time.Second
		start := time.Now()
		b, err := Open(context.Background(), cfg, quiet, nil)
		if err == nil {
			t.Errorf("%s: no error", name)
			_ = b.Close(context.Background())
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: got %q, want it to name %q", name, err, w)
			}
		}
		if strings.Contains(err.Error(), "\n") || time.Since(start) > 10*time.Second {
			t.Errorf("%s: got %q after %s, want one line soon", name, err, time.Since(start))
		}
		t.Logf("%s: %s", name, err)
	}
	file := write(t, "")
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	used := Config{Server: embed.Config{DataDir: t.TempDir()}}
	startGateway(t, used)

	f("data directory is a file", Config{Server: embed.Config{DataDir: file}}, file)
	f("data directory below a file", Config{Server: embed.Config{DataDir: file + "/data"}}, file)
	f("data directory in use", used, used.Server.DataDir, "in use")
	f("address in use", Config{Server: embed.Config{Listen: busy.Addr().String()}}, busy.Addr().String(), "in use")
	f("address without a port", Config{Server: embed.Config{Listen: "localhost"}}, "--bus.listen", "localhost")
	f("address for everybody", Config{Server: embed.Config{Listen: "0.0.0.0:4222"}}, "0.0.0.0:4222", "--bus.allow-insecure-listen")
	f("address for everybody, short", Config{Server: embed.Config{Listen: ":4222"}}, "--bus.allow-insecure-listen")
	f("nobody there", Config{URL: "nats://127.0.0.1:1"}, "127.0.0.1:1")
	f("sync", Config{Server: embed.Config{Sync: "sometimes"}}, "sometimes")
	f("prefix", Config{Prefix: "a.b"}, "a.b")
	f("history", Config{History: 2_000_000}, "--bus.history")
	f("replicas", Config{Replicas: 7}, "--bus.replicas")
	f("replicas of one server", Config{Replicas: 3}, "SLUICE", "replicas")
	f("payload", Config{Server: embed.Config{MaxPayload: 64 << 20}}, "67108864")
	f("url and listen", Config{Server: embed.Config{Listen: "localhost:1"}, URL: "nats://localhost"}, "--bus.listen")
	f("creds and nkey", Config{URL: "nats://localhost", Creds: "a", NKey: "b"}, "--bus.nkey")
	f("no creds", Config{URL: "nats://localhost", Creds: file + ".absent"}, file+".absent")
	f("no nkey", Config{URL: "nats://localhost", NKey: file}, file)
	f("no configuration", Config{Server: embed.Config{ConfigFile: file + ".absent"}}, file+".absent")
	f("bad configuration", Config{Server: embed.Config{ConfigFile: write(t, "listen: {")}}, "file")
	f("configuration for everybody", Config{Server: embed.Config{ConfigFile: write(t, "listen: 0.0.0.0:4222")}}, "0.0.0.0:4222")
	f("leaf nodes for everybody", Config{Server: embed.Config{ConfigFile: write(t, "leafnodes { listen: 0.0.0.0:7422 }")}}, "0.0.0.0:7422")
	f("several accounts", Config{Server: embed.Config{ConfigFile: write(t, "accounts { A { jetstream: enabled }, B { jetstream: enabled } }")}}, "SLUICE")
	f("account without JetStream", Config{Server: embed.Config{ConfigFile: write(t, "accounts { A { } }")}}, "JetStream")
	f("callout", Config{Server: embed.Config{ConfigFile: write(t, "authorization { users: [{user: a, password: b}], auth_callout { issuer: AAB35RZ7HJSICG7D4IGPYO3CTQPWWGULJXZYD45QAWUKTXJYDI6EO7MV, auth_users: [a] } }")}}, "--bus.creds")

	s := startServer(t)
	plain := *s.opts
	plain.JetStream, plain.StoreDir, plain.Port = false, "", -1
	without := &natsServer{opts: &plain}
	without.start(t)
	defer without.halt()
	f("server without JetStream", Config{URL: without.ClientURL()}, "JetStream")

	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	unusable := func(name, want string, cfg jetstream.StreamConfig) {
		t.Helper()
		cfg.Name, cfg.Subjects = "SLUICE", []string{"sluice.log.*"}
		testkit.Eventually(t, "the server has forgotten the last one", func() bool {
			_, err := js.CreateStream(context.Background(), cfg)
			return err == nil
		})
		f(name, Config{URL: s.ClientURL()}, "stream SLUICE", want)
		if err := js.DeleteStream(context.Background(), "SLUICE"); err != nil {
			t.Fatal(name, err)
		}
	}
	unusable("stream in memory", "memory", jetstream.StreamConfig{Storage: jetstream.MemoryStorage})
	unusable("work queue", "work queue", jetstream.StreamConfig{Retention: jetstream.WorkQueuePolicy})
	unusable("stream that cannot be purged", "purges", jetstream.StreamConfig{DenyPurge: true})
	if _, err := js.CreateStream(context.Background(), jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"sluice.>"}}); err != nil {
		t.Fatal(err)
	}
	f("subjects of another stream", Config{URL: s.ClientURL()}, "stream SLUICE", "overlap")
}

func TestSettingsOfAStreamAreBroughtUpToDate(t *testing.T) {
	s := startServer(t)
	first := startGateway(t, Config{URL: s.ClientURL()})
	first.push(t, testkit.Put("/job/a", 1))
	info, err := first.streamInfo(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	cfg := info.Config
	cfg.Description, cfg.AllowAtomicPublish, cfg.MaxAge, cfg.Discard = "ours", false, time.Hour, jetstream.DiscardOld
	if _, err := first.js.UpdateStream(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	second := startGateway(t, Config{URL: s.ClientURL(), History: 5, MaxBytes: 1 << 20})
	if info, err = second.streamInfo(context.Background()); err != nil {
		t.Fatal(err)
	}
	c := info.Config
	if c.Description != "ours" || !c.AllowAtomicPublish || c.MaxAge != 0 || c.Discard != jetstream.DiscardNew ||
		c.MaxMsgsPerSubject != 5 || c.MaxBytes != 1<<20 || c.Duplicates != time.Second || !c.DenyDelete || c.Compression != jetstream.NoCompression {
		t.Errorf("got %+v", c)
	}
	if strings.Contains(first.log.String(), "changed the settings") || !strings.Contains(second.log.String(), "changed the settings") {
		t.Error("the log does not say who has changed the settings")
	}
	if second.group("/job/a") == "" {
		t.Error("the group is gone")
	}
}

func TestTheEmbeddedServerListensToWhomItShall(t *testing.T) {
	g := startGateway(t, Config{Server: embed.Config{DataDir: t.TempDir()}})
	if url := g.ClientURL(); url != "" {
		t.Errorf("it listens at %s", url)
	}
	g = startGateway(t, Config{Server: embed.Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0"}})
	nc, err := nats.Connect(g.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	g = startGateway(t, Config{Server: embed.Config{DataDir: t.TempDir(), Listen: "0.0.0.0:0", AllowInsecureListen: true}})
	if nc, err = nats.Connect(strings.Replace(g.ClientURL(), "0.0.0.0", "127.0.0.1", 1)); err != nil {
		t.Fatal(err)
	}
	nc.Close()
}

func TestServerConfigurationsLeaveSluiceItsAccount(t *testing.T) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := pair.Seed()
	public, _ := pair.PublicKey()
	f := func(name, text string, cfg Config, opts ...nats.Option) {
		t.Helper()
		cfg.Server.DataDir, cfg.Server.ConfigFile = t.TempDir(), write(t, text)
		g := startGateway(t, cfg)
		g.push(t, testkit.Put("/job/a", 1))
		if len(opts) == 0 {
			return
		}
		url := strings.Replace(g.ClientURL(), "0.0.0.0", "127.0.0.1", 1)
		nc, err := nats.Connect(url, opts...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		nc.Close()
		if nc, err := nats.Connect(url); err == nil {
			t.Errorf("%s: everybody is let in", name)
			nc.Close()
		}
	}
	user := nats.UserInfo("u", "p")
	f("nothing", "", Config{})
	f("limits", "max_connections: 10", Config{Server: embed.Config{Listen: "127.0.0.1:0"}})
	f("users", "listen: 0.0.0.0:-1, authorization { users: [{user: u, password: p}] }", Config{}, user)
	f("one user", "listen: 0.0.0.0:-1, authorization { user: u, password: p }", Config{}, user)
	f("token", "listen: 0.0.0.0:-1, authorization { token: secret }", Config{}, nats.Token("secret"))
	f("account", "listen: 127.0.0.1:-1, accounts { A { jetstream: enabled, users: [{user: u, password: p}] } }", Config{}, user)
	f("accounts", "listen: 127.0.0.1:-1, accounts { A { users: [{user: u, password: p}] }, SLUICE { jetstream: enabled } }", Config{}, user)
	f("nkey of ours", "listen: 127.0.0.1:-1, accounts { A { jetstream: enabled, users: [{nkey: "+public+"}] } }", Config{NKey: write(t, string(seed))},
		nats.Nkey(public, pair.Sign))
}

func TestAServerWithTLSIsStillOurs(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert := write(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	keyFile := write(t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	for _, verify := range []string{"", ", verify: true", ", verify_and_map: true"} {
		text := fmt.Sprintf("listen: 127.0.0.1:-1, tls { cert_file: %q, key_file: %q, ca_file: %q%s }, authorization { users: [{user: u, password: p}] }", cert, keyFile, cert, verify)
		g := startGateway(t, Config{Server: embed.Config{DataDir: t.TempDir(), ConfigFile: write(t, text)}})
		g.push(t, testkit.Put("/job/a", 1))
		// The same server is an external one for another gateway.
		if verify == "" {
			external := startGateway(t, Config{URL: strings.Replace(g.ClientURL(), "tls://", "tls://u:p@", 1), TLSCA: cert})
			external.push(t, testkit.Put("/job/b", 1))
		}
	}
}

func TestALockEndsWithItsBus(t *testing.T) {
	cfg := Config{Server: embed.Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0"}}
	for i := range 3 {
		g := startGateway(t, cfg)
		g.push(t, testkit.Put("/job/a", i))
		g.stop()
	}
}

func TestAfterCloseNobodyWaits(t *testing.T) {
	g := startGateway(t, Config{Server: embed.Config{DataDir: t.TempDir()}})
	waiting := make(chan error, 1)
	go func() { waiting <- g.Wait(context.Background(), 99) }()
	g.stop()
	if err := <-waiting; err != ErrClosed {
		t.Errorf("got %v", err)
	}
	if _, err := g.Append(context.Background(), 0, manyPuts(1, 0)); err == nil {
		t.Error("appended after Close")
	}
	if err := g.Close(context.Background()); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestMetricsSayWhatHasHappened(t *testing.T) {
	reg := prometheus.NewRegistry()
	b, err := Open(context.Background(), Config{Server: embed.Config{DataDir: t.TempDir()}}, slog.New(slog.NewTextHandler(io.Discard, nil)), reg)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.Background())
	if _, err := b.Append(context.Background(), 0, manyPuts(3, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Append(context.Background(), 0, manyPuts(1, 0)); err == nil {
		t.Fatal("no conflict")
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, mf := range families {
		// Sizes are the server's and the disk's, and the histogram is long.
		if name := mf.GetName(); name != "sluice_stream_bytes" && !strings.HasPrefix(name, "sluice_disk_") && name != "sluice_batch_events" {
			if _, err := expfmt.MetricFamilyToText(&got, mf); err != nil {
				t.Fatal(err)
			}
		}
	}
	const want = `# HELP sluice_batch_conflicts_total Batches that were refused, at least in part, because another gateway had been faster.
# TYPE sluice_batch_conflicts_total counter
sluice_batch_conflicts_total 1
# HELP sluice_batches_total Batches of events that were to be appended to the stream.
# TYPE sluice_batches_total counter
sluice_batches_total 2
# HELP sluice_bus_connected 1 if the NATS server is connected, else 0.
# TYPE sluice_bus_connected gauge
sluice_bus_connected 1
# HELP sluice_damaged_events_total Events of the stream that could not be read.
# TYPE sluice_damaged_events_total counter
sluice_damaged_events_total 0
# HELP sluice_replay_missing_events_total Events that the stream promised for a replay but did not deliver.
# TYPE sluice_replay_missing_events_total counter
sluice_replay_missing_events_total 0
# HELP sluice_replay_seconds Seconds that the last replay of the stream took.
# TYPE sluice_replay_seconds gauge
sluice_replay_seconds 0
# HELP sluice_replaying 1 if the stream has not been replayed yet, or is being replayed again, else 0.
# TYPE sluice_replaying gauge
sluice_replaying 1
# HELP sluice_stream_applied_sequence Sequence up to which the stream has been applied.
# TYPE sluice_stream_applied_sequence gauge
sluice_stream_applied_sequence 0
# HELP sluice_stream_copies Copies of the stream that there are to be, by its settings.
# TYPE sluice_stream_copies gauge
sluice_stream_copies 1
# HELP sluice_stream_copies_current Copies of the stream that have all of it, as it was a few seconds ago.
# TYPE sluice_stream_copies_current gauge
sluice_stream_copies_current 1
# HELP sluice_stream_holes_total Parts of the stream that could not be read.
# TYPE sluice_stream_holes_total counter
sluice_stream_holes_total 0
# HELP sluice_stream_interferences_total How often the stream was removed, purged, replaced or reconfigured by somebody else.
# TYPE sluice_stream_interferences_total counter
sluice_stream_interferences_total 0
# HELP sluice_stream_last_sequence Last sequence of the stream that is known.
# TYPE sluice_stream_last_sequence gauge
sluice_stream_last_sequence 3
# HELP sluice_stream_limit_bytes Bytes that the stream may have (--bus.max-bytes), 0 for no limit.
# TYPE sluice_stream_limit_bytes gauge
sluice_stream_limit_bytes 0
# HELP sluice_stream_lost_records Records that the embedded server's files have lost to damage on the disk, now or before an earlier start.
# TYPE sluice_stream_lost_records gauge
sluice_stream_lost_records 0
# HELP sluice_stream_restored_events_total Events that this gateway has written again since the stream had lost them.
# TYPE sluice_stream_restored_events_total counter
sluice_stream_restored_events_total 0
# HELP sluice_stream_restoring 1 while the stream, which was changed from outside, is being restored, else 0.
# TYPE sluice_stream_restoring gauge
sluice_stream_restoring 0
# HELP sluice_stream_unrestored_groups_total Groups that the stream had lost and that could not be written again.
# TYPE sluice_stream_unrestored_groups_total counter
sluice_stream_unrestored_groups_total 0
`
	if got.String() != want {
		t.Errorf("got\n%s", got.String())
	}
}
