package ingest

import (
	"bytes"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/prototext"

	"sluice/bus"
	"sluice/e2e/testkit"
	"sluice/store"
)

// Names that become the same when a scraper has them escaped are refused with 400
// and named, in protobuf and in text, over HTTP and over NATS.
func TestNamesThatBecomeTheSameAreRefused(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter, func(_ *store.Settings, f *FrontConfig) { f.UTF8Names = true })
	conn := g.startService(t)
	protobuf := func(families ...string) string {
		var b bytes.Buffer
		for _, text := range families {
			family := &dto.MetricFamily{}
			if err := prototext.Unmarshal([]byte(text), family); err != nil {
				t.Fatal(err)
			}
			if _, err := protodelim.MarshalTo(&b, family); err != nil {
				t.Fatal(err)
			}
		}
		return b.String()
	}
	f := func(want string, path, body string, header ...string) {
		t.Helper()
		wantCode := 200
		if want != "" {
			wantCode, want = 400, "pushed metrics are invalid or inconsistent with existing metrics: "+want
		}
		code, text := g.do("POST", "/metrics"+path, body, header...)
		reply := request(t, conn, "sluice.push.post", body, append(header, "Sluice-Group", path)...)
		for _, got := range []Reply{{Code: code, Error: text}, reply} {
			first, _, _ := strings.Cut(strings.TrimSuffix(got.Error, "\n"), "\n")
			if got.Code != wantCode || first != want {
				t.Errorf("%s: got %d %q, want %d %q", path, got.Code, first, wantCode, want)
			}
			if want != "" {
				checkText(t, got.Error)
			}
		}
	}
	f(`labels "a-b" and "a.b" of m both become a_b when names are escaped (escaping=underscores)`, "/job/x",
		protobuf(`name:"m" type:GAUGE metric:{label:{name:"a-b" value:"1"} label:{name:"a.b" value:"2"} gauge:{value:1}}`), "Content-Type", protobufType)
	f(`labels "a-b" and "a.b" of m both become a_b when names are escaped (escaping=underscores)`, "/job/x", "m{\"a.b\"=\"1\",\"a-b\"=\"2\"} 1\n")
	f(`labels "a.b" and a_b of the grouping key both become a_b when names are escaped (escaping=underscores)`, "/job/x/U__a_2e_b/1/a_b/2", "m 1\n")
	f("", "/job/x", "{\"a.b\"} 1\n")
	f(`counter a_b and untyped "a.b" in group /job/x both become a_b when names are escaped (escaping=underscores)`, "/job/y",
		protobuf(`name:"a_b" type:COUNTER metric:{counter:{value:1}}`), "Content-Type", protobufType)
	f("", "/job/y", protobuf(`name:"a_c" type:COUNTER metric:{counter:{value:1}}`), "Content-Type", protobufType)
	if n := g.refused(reasonInconsistent, viaHTTP); n != 4 {
		t.Errorf("%v refusals are counted, want 4", n)
	}
	if got := g.store.Group(testkit.MustKey("/job/y")).Refusal(); !strings.Contains(got, `untyped "a.b"`) {
		t.Errorf("remembered is %q", got)
	}
}
