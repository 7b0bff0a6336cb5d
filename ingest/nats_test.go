package ingest

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"sluice/bus"
	"sluice/e2e/testkit"
)

func TestNATSRequests(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	conn := g.startService(t)
	f := func(subject string, header map[string]string, body string, code int, want string) {
		t.Helper()
		m := nats.NewMsg(subject)
		m.Data = []byte(body)
		for name, value := range header {
			m.Header.Set(name, value)
		}
		r, err := conn.RequestMsg(m, patience)
		if err != nil {
			t.Errorf("%s: %v", subject, err)
			return
		}
		var reply Reply
		if err := json.Unmarshal(r.Data, &reply); err != nil {
			t.Errorf("%s: %v in %s", subject, err, r.Data)
			return
		}
		if reply.Code != code || !strings.Contains(reply.Error, want) || (want == "") != (reply.Error == "") {
			t.Errorf("%s: got %s, want %d with %q", subject, r.Data, code, want)
		}
	}
	f("sluice.push.put.job.backup.instance.db1", nil, "a 1\n", 200, "")
	f("sluice.push.post.job.backup.instance.db1", nil, "b 2\n", 200, "")
	f("sluice.push.put.job.node.instance.10%2E0%2E0%2E1:9100", nil, "a 1\n", 200, "")
	f("sluice.push.put.job.x.path@base64.L3Zhci90bXA", nil, "a 1\n", 200, "")
	f("sluice.push.put.job@base64.YS9i", nil, "a 1\n", 200, "")
	f("sluice.push.put.job.x.a@base64.=", nil, "a 1\n", 200, "")
	f("sluice.push.put", map[string]string{"Sluice-Group": "/job/backup/instance/10.0.0.1:9100"}, "a 1\n", 200, "")
	f("sluice.push.put", map[string]string{"Sluice-Group": "/job@base64/YS9i/x/y%20z"}, "a 1\n", 200, "")
	f("sluice.push.put.job.zip", map[string]string{"Content-Encoding": "gzip"}, string(gzipped(t, []byte("a 1\n"))), 200, "")
	f("sluice.push.delete.job.backup.instance.db1", nil, "", 202, "")
	f("sluice.push.delete.job.never", nil, "", 202, "")

	f("sluice.push.put.job.x", nil, "a 1", 400, "unexpected end of input stream")
	f("sluice.push.put.job.x", nil, "a 1 1000\n", 400, "timestamps")
	f("sluice.push.put.job.y", nil, "# TYPE a gauge\na 1\n", 400, "a is a gauge in this push, but an untyped in group")
	f("sluice.push.put.job.x.a", nil, "a 1\n", 400, "odd number of tokens")
	f("sluice.push.put.job", nil, "a 1\n", 400, "does not begin with job.<job>")
	f("sluice.push.put.instance.x", nil, "a 1\n", 400, "does not begin with job.<job>")
	f("sluice.push.put.job.x.a.%zz", nil, "a 1\n", 400, "%zz")
	f("sluice.push.put", nil, "a 1\n", 400, "no grouping key")
	f("sluice.push.put", map[string]string{"Sluice-Group": "backup"}, "a 1\n", 400, "does not begin with /job/<job>")
	f("sluice.push.put.job.x", map[string]string{"Sluice-Group": "/job/y"}, "a 1\n", 400, "given twice")
	f("sluice.push.put.job.x", map[string]string{"Nats-TTL": "soon"}, "a 1\n", 400, "time to live")
	f("sluice.push.put.job.x", map[string]string{"Nats-TTL": "0"}, "a 1\n", 400, "the shortest is 1s")
	f("sluice.push.put.job.x.path@base64."+base64.StdEncoding.EncodeToString([]byte("~~~~")), nil, "a 1\n", 400, "standard alphabet")

	want := `a{a="",instance="",job="x"} 1
a{instance="",job="zip"} 1
a{instance="",job="a/b"} 1
a{instance="",job="a/b",x="y z"} 1
a{instance="10.0.0.1:9100",job="backup"} 1
a{instance="10.0.0.1:9100",job="node"} 1
a{instance="",job="x",path="/var/tmp"} 1
`
	if got := sortedLines(g.text()); got != sortedLines(want) {
		t.Errorf("got\n%s\nwant\n%s", got, sortedLines(want))
	}
}

// An answer must not become an event of the stream, or another request.
func TestNATSAnswersNobodyElse(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	conn := g.startService(t)
	heard, err := conn.SubscribeSync("sluice.log.>")
	if err != nil {
		t.Fatal(err)
	}
	for _, reply := range []string{"sluice.log.x", "sluice.push.put.job.y"} {
		if err := conn.PublishRequest("sluice.push.put.job.x", reply, []byte("a 1\n")); err != nil {
			t.Fatal(err)
		}
	}
	r, err := conn.Request("sluice.push.put.job.x", []byte("a 2\n"), patience)
	if err != nil || !strings.Contains(string(r.Data), "200") {
		t.Fatalf("%s, %v", r.Data, err)
	}
	// Pushes are settled in their order, and the last one is.
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	events := 0
	for ; ; events++ {
		m, err := heard.NextMsg(300 * time.Millisecond)
		if err != nil {
			break
		}
		if m.Subject == "sluice.log.x" {
			t.Errorf("the answer %s is in the stream", m.Data)
		}
	}
	if events != 3 {
		t.Errorf("%d events in the stream, not 3", events)
	}
	if got := sortedLines(g.text()); strings.Contains(got, `job="y"`) {
		t.Errorf("got %s", got)
	}
}

func TestNATSPublish(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter)
	conn := g.startService(t)
	if err := conn.Publish("sluice.push.put.job.quiet", []byte("a 1\n")); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the push is shown", func() bool { return g.text() == "a{instance=\"\",job=\"quiet\"} 1\n" })
}

func sortedLines(text string) string {
	lines := strings.SplitAfter(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// request sends one push and waits for its reply. Headers are name and value in
// turn.
func request(t *testing.T, conn *nats.Conn, subject, body string, header ...string) Reply {
	t.Helper()
	m := nats.NewMsg(subject)
	m.Data = []byte(body)
	for i := 0; i+1 < len(header); i += 2 {
		m.Header.Set(header[i], header[i+1])
	}
	r, err := conn.RequestMsg(m, patience)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	var reply Reply
	if err := json.Unmarshal(r.Data, &reply); err != nil {
		t.Fatalf("%s: %v in %s", subject, err, r.Data)
	}
	return reply
}
