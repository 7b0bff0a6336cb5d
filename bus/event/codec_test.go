package event

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"sluice/e2e/testkit"
	"sluice/store"
)

func TestEventsSurviveTheStream(t *testing.T) {
	c := NewCodec("sluice")
	for name, want := range testkit.Events(t) {
		m, err := c.Encode(want)
		if err != nil {
			t.Fatal(name, err)
		}
		got, ok, err := c.Decode(m)
		if err != nil || !ok {
			t.Errorf("%s: %v, %v", name, ok, err)
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", name, got, want)
		}
	}
}

// fileName keeps a message in testdata, headers as they stand on the wire.
func fileName(version, name string) string {
	return filepath.Join("testdata", "v"+version+"-"+name+".event")
}

func dump(m *nats.Msg) string {
	var b strings.Builder
	b.WriteString(m.Subject + "\n")
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		fmt.Fprintf(&b, "%s: %s\n", name, m.Header[name][0])
	}
	b.WriteString("\n")
	b.Write(m.Data)
	return b.String()
}

func undump(text string) *nats.Msg {
	head, data, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	m := &nats.Msg{Subject: lines[0], Header: nats.Header{}, Data: []byte(data)}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		m.Header[name] = []string{value}
	}
	return m
}

// Events of version 1 are in streams of users: they must be read for ever, and
// their files must not be changed. SLUICE_WRITE_TESTDATA=1 writes missing ones.
func TestEventsOfEachVersionAreRead(t *testing.T) {
	c := NewCodec("sluice")
	for name, want := range testkit.Events(t) {
		file := fileName("1", name)
		data, err := os.ReadFile(file)
		if os.IsNotExist(err) && os.Getenv("SLUICE_WRITE_TESTDATA") != "" {
			m, err := c.Encode(want)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(dump(m)), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got, ok, err := c.Decode(undump(string(data)))
		if err != nil || !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, %v\nwant %+v", name, got, ok, err, want)
		}
		if m, err := c.Encode(want); err != nil || name != "proto" && dump(m) != string(data) {
			t.Errorf("%s is written differently now, which needs a new version: %v\n%s", name, err, dump(m))
		}
	}
}

func TestDamagesAreNamed(t *testing.T) {
	events := testkit.Events(t)
	f := func(name string, event string, damage func(m *nats.Msg), want string) {
		t.Helper()
		c := NewCodec("sluice")
		m, err := c.Encode(events[event])
		if err != nil {
			t.Fatal(err)
		}
		damage(m)
		if e, _, err := c.Decode(m); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 300 {
			t.Errorf("%s: got %+v, %v, want an error with %q", name, e, err, want)
		}
	}
	set := func(header, value string) func(*nats.Msg) {
		return func(m *nats.Msg) { m.Header[header] = []string{value} }
	}
	without := func(header string) func(*nats.Msg) { return func(m *nats.Msg) { delete(m.Header, header) } }
	payload := func(data string) func(*nats.Msg) { return func(m *nats.Msg) { m.Data = []byte(data) } }
	f("newer version", "put", set(headerVersion, "2"), `format version "2", and this Sluice knows version 1`)
	f("no version", "put", without(headerVersion), "no Sluice-Version")
	f("no headers", "put", func(m *nats.Msg) { m.Header = nil }, "no Sluice-Version")
	f("unknown operation", "put", set(headerOp, "merge"), `unknown operation "merge"`)
	f("no operation", "put", without(headerOp), `unknown operation ""`)
	f("expiry without times", "put", set(headerOp, "expire"), "expire with Sluice-Expires")
	f("state to be forgotten", "put", set(headerForget, "1"), "put with Sluice-Expires")
	f("odd expiry", "put", set(headerExpires, "soon"), "Sluice-Expires: \"soon\"")
	f("key of another group", "put", set(headerGroup, "/job/y"), `/job/y does not belong on subject "sluice.log.job=x"`)
	f("no key", "put", without(headerGroup), "Sluice-Group")
	f("no job", "put", set(headerGroup, "/instance/x"), "job name is required")
	f("wipe of a group", "put", set(headerOp, "wipe"), "wipe on the subject of a group")
	f("import of a group", "put", set(headerOp, "import"), "import on the subject of a group")
	f("group on the import's subject", "import", set(headerOp, "delete"), "Sluice-Group")
	f("group on the wipe's subject", "wipe", set(headerOp, "delete"), "Sluice-Group")
	f("other stream", "put", func(m *nats.Msg) { m.Subject = "other.log.job=x" }, "not one of the stream")
	f("push time", "put", set(headerPushTime, "yesterday"), "Sluice-Push-Time")
	f("failure time", "post", set(headerFailureTime, "1e9"), "Sluice-Failure-Time")
	f("family times", "post", set(headerFamilyTimes, "5"), "Sluice-Family-Times")
	f("time of no family", "post", set(headerFamilyTimes, "5=a,z"), `no family "z"`)
	f("content type", "put", set(headerContentType, "application/json"), `"application/json"`)
	f("no content type", "put", without(headerContentType), "content type")
	f("cut text", "put", payload("# TYPE a counter\na{instance=\"\",job=\"x\"} 1"), "line 2")
	f("bare sample", "put", payload("a 1\n"), "line 1")
	f("text for protobuf", "proto", payload("# TYPE a counter\n"), "payload")
	f("cut protobuf", "proto", func(m *nats.Msg) { m.Data = m.Data[:len(m.Data)-3] }, "payload")
	f("protobuf of no family", "proto", set(headerProtoFamilies, "zz"), `no family "zz"`)
	f("empty family", "proto", set(headerProtoFamilies, "g h l"), `family "empty" is empty`)
	f("families out of order", "proto", func(m *nats.Msg) { m.Data = append(m.Data, m.Data...) }, "follows")
}

func TestMarkersExpireGroupsThatAreKnown(t *testing.T) {
	c := NewCodec("sluice")
	marker := func(token string) (store.Event, bool) {
		e, ok, err := c.Decode(&nats.Msg{Subject: "sluice.log." + token, Header: nats.Header{headerMarker: {"MaxAge"}}})
		if err != nil {
			t.Fatal(err)
		}
		return e, ok
	}
	if e, ok := marker("job=x"); !ok || e.Op != store.OpExpire || e.Key.Path() != "/job/x" {
		t.Errorf("got %+v, %v", e, ok)
	}
	long := testkit.Put("/job/"+strings.Repeat("long", 60), 1)
	m, err := c.Encode(long)
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimPrefix(m.Subject, "sluice.log.")
	if e, ok := marker(token); ok {
		t.Errorf("got %+v of a group that nobody knows", e)
	}
	if _, _, err := c.Decode(m); err != nil {
		t.Fatal(err)
	}
	if e, ok := marker(token); !ok || e.Op != store.OpExpire || e.Key.Path() != long.Key.Path() {
		t.Errorf("got %+v, %v", e, ok)
	}
	if len(c.hashed) != 0 {
		t.Errorf("%d keys of groups that are gone", len(c.hashed))
	}
	for _, of := range []string{wipeToken, importToken} {
		if e, ok := marker(of); ok {
			t.Errorf("got %+v for the end of %s", e, of)
		}
	}
}

func FuzzDecode(f *testing.F) {
	c := NewCodec("sluice")
	for _, e := range testkit.Events(f) {
		m, err := c.Encode(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(dump(m))
	}
	f.Fuzz(func(t *testing.T, text string) {
		m := undump(text)
		e, ok, err := c.Decode(m)
		if err != nil || !ok || Header(m, headerMarker) != "" {
			return
		}
		again, err := c.Encode(e)
		if err != nil {
			t.Fatalf("cannot encode what was decoded: %v", err)
		}
		if got, ok, err := c.Decode(again); err != nil || !ok || !reflect.DeepEqual(got, e) {
			t.Fatalf("got %+v, %v, %v, want %+v", got, ok, err, e)
		}
	})
}

func TestRefusalHeader(t *testing.T) {
	for _, text := range []string{"", "plain", `"quoted" \ and`, "two\nlines\r\n", "ü\u2028\xff", strings.Repeat("ü", 5000)} {
		h := refusalHeader(text)
		if len(h) > maxRefusal || strings.ContainsFunc(h, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%.20q: got header %.100q", text, h)
		}
		if got := parseRefusal(h); got != text && (len(text) < 1000 || !strings.HasPrefix(text, got) || len(got) < 500) {
			t.Errorf("%.20q: got %.100q back", text, got)
		}
	}
	if got := parseRefusal(`odd " text`); got != `odd " text` {
		t.Errorf("got %q", got)
	}
}
