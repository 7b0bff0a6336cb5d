package embed

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"sluice/e2e/testkit"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// start starts a server, and returns what stops it before the test ends.
func start(t *testing.T, cfg Config) (s *Server, stop func()) {
	t.Helper()
	return startLogging(t, cfg, io.Discard)
}

// startLogging is start with a log.
func startLogging(t *testing.T, cfg Config, log io.Writer) (s *Server, stop func()) {
	t.Helper()
	s, err := Start(t.Context(), cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

// connect returns a connection to a server.
func connect(t *testing.T, s *Server) (jetstream.JetStream, func()) {
	t.Helper()
	nc, err := nats.Connect(nats.DefaultURL, append(s.Login(), nats.InProcessServer(s))...)
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js, nc.Close
}

// publish puts texts into the stream.
func publish(t *testing.T, s *Server, texts ...string) {
	t.Helper()
	js, done := connect(t, s)
	defer done()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	if _, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: s.Config().Stream, Subjects: []string{"test"}}); err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		m := &nats.Msg{Subject: "test", Header: nats.Header{"A": {"b"}}, Data: []byte(text)} // with headers, as events have
		if _, err := js.PublishMsg(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
}

// stored returns the texts that are in the stream.
func stored(t *testing.T, s *Server) (texts []string) {
	t.Helper()
	js, done := connect(t, s)
	defer done()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	stream, err := js.Stream(ctx, s.Config().Stream)
	for seq := uint64(1); err == nil && seq <= stream.CachedInfo().State.LastSeq; seq++ {
		var m *jetstream.RawStreamMsg
		if m, err = stream.GetMsg(ctx, seq); err == nil {
			texts = append(texts, string(m.Data))
		} else if errors.Is(err, jetstream.ErrMsgNotFound) {
			err = nil // it was lost
		}
	}
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Fatal(err)
	}
	return texts
}
