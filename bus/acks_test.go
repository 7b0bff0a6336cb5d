package bus

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go"
)

// Whoever may publish on the server may send an answer: one that belongs to no message
// of the round is ignored.
func TestForgedAnswersAreIgnored(t *testing.T) {
	server := startServer(t)
	g, err := openGateway(Config{URL: server.ClientURL()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	g.acks.begin(2)
	lost := make(chan struct{})
	for _, end := range []string{
		"1.-1", "1.2", "1.-9223372036854775808", "1.99999999999999999999", "1.x", "1.", "0.0", "2.0", "-1.0", "x.0", ".",
	} {
		if err := nc.Publish(g.acks.inbox+end, []byte(`{"stream":"SLUICE","seq":7}`)); err != nil {
			t.Fatal(err)
		}
	}
	for i, data := range []string{`{"stream":"SLUICE","seq":1}`, `{"stream":"SLUICE","seq":2}`} {
		if err := nc.Publish(g.acks.reply(i), []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	answers := g.acks.wait(t.Context(), lost)
	for i, a := range answers {
		if !a.known || a.refuse != nil || a.seq != uint64(i)+1 {
			t.Errorf("answer %d: got %s", i, a)
		}
	}
}
