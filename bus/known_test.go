package bus

import (
	"testing"

	"sluice/bus/embed"
	"sluice/e2e/testkit"
)

func TestRedactURL(t *testing.T) {
	for urls, want := range map[string]string{
		"":                                   "",
		"nats://127.0.0.1:4222":              "nats://127.0.0.1:4222",
		"localhost:4222":                     "localhost:4222",
		"nats://me:secret@nats1:4222":        "nats://nats1:4222",
		"tls://token@nats1, nats2:4222":      "tls://nats1,nats2:4222",
		"nats://me:sec@ret/x@nats1:4222":     "nats://nats1:4222",
		"me:secret@nats1":                    "nats1",
		"nats://me:secret@nats1:x%zz":        "nats://?",
		"ws://nats1:80/path?password=secret": "ws://nats1:80",
		"nats://me:secret,nats2":             "nats://?,nats2",
	} {
		if got := RedactURL(urls); got != want {
			t.Errorf("%s: got %s, want %s", urls, got, want)
		}
	}
}

// What is known of the stream is what the stream says, without a question.
func TestKnown(t *testing.T) {
	g := startGateway(t, Config{Server: embed.Config{DataDir: t.TempDir()}, History: 3})
	g.push(t, testkit.Put("/job/x", 1), testkit.Put("/job/x", 2), testkit.Put("/job/y", 3))
	if _, err := g.streamInfo(t.Context()); err != nil { // as is done every few seconds
		t.Fatal(err)
	}
	known := g.Known()
	if known.Events != 3 || known.Bytes < 300 || known.History != 3 || known.External || known.URL != "" {
		t.Errorf("got %+v", known)
	}
	server := startServer(t)
	external := startGateway(t, Config{URL: server.ClientURL()})
	if known := external.Known(); !known.External || known.URL != server.ClientURL() || known.History != 1 {
		t.Errorf("external: got %+v", known)
	}
}
