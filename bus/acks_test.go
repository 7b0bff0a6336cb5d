package bus

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"sluice/e2e/testkit"
)

// Whoever may publish on the server may send an answer: one that belongs to no message
// is ignored.
func TestForgedAnswersAreIgnored(t *testing.T) {
	server := startServer(t)
	g := startGateway(t, Config{URL: server.ClientURL()})
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	replies := make(chan string, 16)
	if _, err := nc.Subscribe("sluice.log.>", func(m *nats.Msg) { replies <- m.Reply }); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	g.push(t, testkit.Put("/job/a", 1))
	inbox := (<-replies)
	inbox = inbox[:strings.LastIndexByte(inbox, '.')+1]
	for _, end := range []string{"-1", "0", "1.-1", "1.0", "1.99999999999999999999", "2.-1", "2.7", "2.-9223372036854775808", "3.-1", "x", "......"} {
		for _, data := range []string{"", "?", `{"stream":"SLUICE","seq":7}`, `{"error":{"code":400,"err_code":10071}}`} {
			if err := nc.PublishMsg(&nats.Msg{Subject: inbox + end, Data: []byte(data)}); err != nil && !strings.Contains(end, "..") {
				t.Fatal(err)
			}
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if seqs := g.push(t, testkit.Put("/job/a", 2), testkit.Put("/job/b", 3)); len(seqs) != 2 || seqs[0] != 2 || seqs[1] != 3 {
		t.Errorf("got %d, want 2 and 3", seqs)
	}
}

// An answer with an index that no message of the round has is not taken for one.
func TestAnswersOutOfRangeAreIgnored(t *testing.T) {
	a := &acks{inbox: "inbox."}
	a.begin(2)
	send := func(end, data string) { a.receive(&nats.Msg{Subject: a.inbox + end, Data: []byte(data)}) }
	for _, end := range []string{"1.-1", "1.2", "1.-9223372036854775808", "1.x", "1.", "0.0", "2.0", "-1.0", "."} {
		send(end, `{"stream":"SLUICE","seq":7}`)
	}
	send("1.0", `{"stream":"SLUICE","seq":1}`)
	send("1.1", `{"stream":"SLUICE","seq":2}`)
	for i, got := range a.wait(t.Context(), nil) {
		if !got.known || got.refuse != nil || got.seq != uint64(i)+1 {
			t.Errorf("answer %d: got %s", i, got)
		}
	}
}
