package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/route"

	"sluice/exposer"
	"sluice/store"
	"sluice/store/search"
)

// patience bounds every wait of the tests. It is long, since it only matters when
// something is broken.
const patience = 30 * time.Second

// eventsAPI serves the events of a live over a real connection.
func eventsAPI(t *testing.T, live *Broadcaster) *httptest.Server {
	t.Helper()
	r := route.New()
	cfg := Config{Ready: func() bool { return true }, Refusals: func() []store.Refusal { return nil }, Events: live}
	New(store.New(store.Settings{}), cfg, promslog.NewNopLogger()).Register(r, exposer.NewSelfMetrics().Instrument)
	server := httptest.NewUnstartedServer(r)
	server.Config.RegisterOnShutdown(live.Close)
	server.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.Config.Shutdown(ctx); err != nil {
			t.Errorf("shutdown with readers: %v", err)
		}
		server.Close()
	})
	return server
}

// sent is an event as a browser gets it.
type sent struct {
	id, kind string
	data     map[string]any
}

// watch reads events until the test ends or the server ends them.
func watch(t *testing.T, url string) <-chan sent {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("got %d with %v", response.StatusCode, response.Header)
	}
	events := make(chan sent, 10_000)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(events)
		defer response.Body.Close()
		var e sent
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id = value
			case "event":
				e.kind = value
			case "data":
				if err := json.Unmarshal([]byte(value), &e.data); err != nil {
					t.Errorf("%v in %s", err, value)
				}
			case "":
				if e.kind != "" {
					events <- e
				}
				e = sent{}
			}
		}
	})
	t.Cleanup(func() { cancel(); reading.Wait() })
	return events
}

// nextEvent returns the next event but rates.
func nextEvent(t *testing.T, events <-chan sent) sent {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatal("the events have ended")
			}
			if e.kind != "rate" {
				return e
			}
		case <-timeout:
			t.Fatal("no event")
		}
	}
}

// What the stream has is told in the words of people.
func TestLiveKinds(t *testing.T) {
	live := NewBroadcaster()
	events := watch(t, eventsAPI(t, live).URL+"/events")
	key := keyOf(t, "/job/x/instance/<b>")
	families, err := store.ParseText([]byte("# TYPE m gauge\nm{instance=\"\",job=\"x\"} 1\nm{instance=\"\",job=\"x\",n=\"1\"} 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	const byTime = "time to live"
	const labels = `"labels":{"job":"x","instance":"<b>"},"group":"/job/x/instance@base64/PGI-"`
	for i, c := range []struct {
		event      store.Event
		kind, want string
	}{
		{store.Event{Op: store.OpPut, Key: key, PushTime: 1e9, Families: families, Origin: "http ::1"}, "push", labels + `,"time":"1970-01-01T00:00:01Z","origin":"http ::1","families":1,"series":2,"replaced":true`},
		{store.Event{Op: store.OpPost, Key: key, PushTime: 1e9, Families: families}, "push", labels + `,"time":"1970-01-01T00:00:01Z","families":1,"series":2,"replaced":false`},
		{store.Event{Op: store.OpFail, Key: key, FailTime: 2e9, Refusal: "line 1\nline 2"}, "refusal", labels + `,"time":"1970-01-01T00:00:02Z","families":0,"series":0,"replaced":false,"message":"line 1\nline 2"`},
		{store.Event{Op: store.OpExpire, Key: key, Expires: 3e9, Forget: 4e9, Origin: byTime}, "expire", labels + `,"time":"1970-01-01T00:00:03Z","origin":"time to live","families":0,"series":0,"replaced":false`},
		{store.Event{Op: store.OpExpire, Key: key, Expires: 3e9, Forget: 4e9, FailTime: 5e9, Refusal: "no", Origin: "nats"}, "refusal", labels + `,"time":"1970-01-01T00:00:05Z","origin":"nats","families":0,"series":0,"replaced":false,"message":"no"`},
		{store.Event{Op: store.OpExpire, Key: key, Expires: 3e9, Origin: "nats MaxAge"}, "expire", labels + `,"time":"1970-01-01T00:00:03Z","origin":"nats MaxAge","families":0,"series":0,"replaced":false`},
		{store.Event{Op: store.OpDelete, Key: key}, "delete", labels + `,"families":0,"series":0,"replaced":false`},
		{store.Event{Op: store.OpDelete, Key: key, Origin: byTime}, "forget", labels + `,"origin":"time to live","families":0,"series":0,"replaced":false`},
		{store.Event{Op: store.OpWipe, Origin: "http ::1"}, "wipe", `"origin":"http ::1","families":0,"series":0,"replaced":false`},
		{store.Event{Op: store.OpImport}, "import", `"families":0,"series":0,"replaced":false,"message":"begun"`},
		{store.Event{Op: store.OpImported}, "import", `"families":0,"series":0,"replaced":false,"message":"complete"`},
	} {
		live.Event(uint64(i+1), &c.event)
		e := nextEvent(t, events)
		if e.kind != c.kind || e.id != fmt.Sprint(i+1) || e.data["sequence"] != float64(i+1) {
			t.Errorf("%s: got %+v, want %s", c.event.Op, e, c.kind)
		}
		delete(e.data, "sequence")
		if !strings.Contains(c.want, `"time"`) {
			delete(e.data, "time") // now
		}
		wantJSON(t, any(e.data), "{"+c.want+"}")
	}
	live.Refusal(store.Refusal{Key: key, Time: 7e9, Message: "cannot be read", Origin: "http ::1"})
	e := nextEvent(t, events)
	if e.kind != "refusal" || e.id != "" || e.data["sequence"] != nil || e.data["message"] != "cannot be read" {
		t.Errorf("a refusal that is not in the stream: got %+v", e)
	}
}

// Each reader gets the groups that it asks for; the rate is of all.
func TestLiveFilter(t *testing.T) {
	live := NewBroadcaster()
	server := eventsAPI(t, live)
	for _, query := range []string{"match[]=up", "search=~(", "search=" + strings.Repeat("a", 10<<10)} {
		response, err := http.Get(server.URL + "/events?" + query)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 400 {
			t.Errorf("%.40s: got %d, want 400", query, response.StatusCode)
		}
	}
	matched := watch(t, server.URL+`/events?match[]={job="b"}`)
	searched := watch(t, server.URL+"/events?search=job%3Db")
	for i, path := range []string{"/job/a", "/job/b", "/job/a", "/job/b"} {
		live.Event(uint64(i+1), &store.Event{Op: store.OpPut, Key: keyOf(t, path), PushTime: 1})
	}
	for _, events := range []<-chan sent{matched, searched} {
		if first, second := nextEvent(t, events), nextEvent(t, events); first.id != "2" || second.id != "4" {
			t.Errorf("got %v and %v, want 2 and 4", first, second)
		}
	}
	pushes := 0.0
	for timeout := time.After(patience); pushes < 4; {
		select {
		case e := <-matched:
			if e.kind == "rate" {
				pushes += e.data["pushes"].(float64)
			}
		case <-timeout:
			t.Fatal("no rates")
		}
	}
	if pushes != 4 {
		t.Errorf("the rates say %v pushes, want 4", pushes)
	}
}

// While nobody reads nothing is kept, and what was kept for readers goes with the
// last of them.
func TestLiveWithoutReaders(t *testing.T) {
	live := NewBroadcaster()
	event := &store.Event{Op: store.OpPut, Key: keyOf(t, "/job/a")}
	kept := func() bool { return live.ring != [eventRing]*broadcast{} }
	live.Event(1, event)
	if kept() || live.next != 0 {
		t.Error("an event is kept for nobody")
	}
	if n := testing.AllocsPerRun(100, func() { live.Event(1, event) }); n != 0 {
		t.Errorf("an event for nobody takes %v allocations", n)
	}
	reader, err := live.watch()
	if err != nil {
		t.Fatal(err)
	}
	live.Event(2, event)
	if !kept() {
		t.Error("an event is not kept for its reader")
	}
	reader.stop()
	if kept() {
		t.Error("an event is kept for a reader that has left")
	}
}

// Over HTTP/2, too, readers get what happens, and end with the server.
func TestLiveOverHTTP2(t *testing.T) {
	live := NewBroadcaster()
	r := route.New()
	cfg := Config{Ready: func() bool { return true }, Refusals: func() []store.Refusal { return nil }, Events: live}
	New(store.New(store.Settings{}), cfg, promslog.NewNopLogger()).Register(r, exposer.NewSelfMetrics().Instrument)
	server := httptest.NewUnstartedServer(r)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	response, err := server.Client().Get(server.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.ProtoMajor != 2 {
		t.Fatalf("got %s", response.Proto)
	}
	live.Event(7, &store.Event{Op: store.OpPut, Key: keyOf(t, "/job/a"), PushTime: 1})
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() && lines.Text() != "id: 7" {
	}
	if lines.Text() != "id: 7" {
		t.Fatalf("no event: %v", lines.Err())
	}
	live.Close()
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the end: %v", err)
	}
}

// A costly filter does not hold up the end.
func TestLiveEndsASearch(t *testing.T) {
	live := NewBroadcaster()
	reader, err := live.watch()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.stop()
	key, err := store.NewKey("x", store.Label{Name: "instance", Value: strings.Repeat("a", 16<<10)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range eventRing { // hours of work
		live.Event(uint64(i+1), &store.Event{Op: store.OpPut, Key: key})
	}
	costly, err := search.Parse(strings.TrimSpace(strings.Repeat("~(a.?){90}(a.?){90}b ", 16)))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		reader.collect(t.Context(), nil, nil, Filter{search: costly})
	}()
	live.Close()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the search goes on")
	}
}

// There are only so many readers.
func TestLiveIsFull(t *testing.T) {
	live := NewBroadcaster()
	server := eventsAPI(t, live)
	for range maxWatchers - 1 {
		if _, err := live.watch(); err != nil {
			t.Fatal(err)
		}
	}
	watch(t, server.URL+"/events")
	response, err := http.Get(server.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 503 || response.Header.Get("Retry-After") == "" {
		t.Errorf("one more reader: got %d", response.StatusCode)
	}
}

// A reader that comes too late is told how much it has lost, and gets the last of
// what there is. What makes events does not wait for it.
func TestLiveLoses(t *testing.T) {
	live := NewBroadcaster()
	reader, err := live.watch()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.stop()
	const n = 3 * eventRing
	for i := range n {
		live.Event(uint64(i+1), &store.Event{Op: store.OpPut, Key: keyOf(t, fmt.Sprintf("/job/%d", i%2))})
	}
	text, _ := reader.collect(t.Context(), nil, nil, Filter{})
	first, rest, _ := strings.Cut(string(text), "\n\n")
	if want := fmt.Sprintf("event: lost\ndata: {\"events\":%d}", n-watchBatch); first != want || strings.Count(rest, "event: push") != watchBatch {
		t.Errorf("got %s and %d events", first, strings.Count(rest, "event: push"))
	}
	if !strings.Contains(rest, fmt.Sprintf("id: %d\n", n)) {
		t.Error("the last event is not among those that are left")
	}
	if text, _ := reader.collect(t.Context(), nil, nil, Filter{}); len(text) != 0 {
		t.Errorf("a second time: got %.100s", text)
	}
}

// A connection that is never read holds up nobody: neither the events nor the end.
func TestLiveNeverRead(t *testing.T) {
	live := NewBroadcaster()
	server := eventsAPI(t, live)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(1024); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); live.watchers.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no reader")
		}
	}
	other := watch(t, server.URL+"/events")
	event := &store.Event{Op: store.OpFail, Key: keyOf(t, "/job/a"), Refusal: strings.Repeat("x", 4096)}
	for i := range 5 * eventRing {
		live.Event(uint64(i+1), event)
	}
	for nextEvent(t, other).id != fmt.Sprint(5*eventRing) {
	}
}

// stuckWriter takes nothing until its deadline is near.
type stuckWriter struct {
	http.ResponseWriter
	began   chan struct{}
	expired chan struct{}
	once    sync.Once
}

func (w *stuckWriter) SetWriteDeadline(at time.Time) error {
	if !at.IsZero() && time.Until(at) < writeTime/2 {
		w.once.Do(func() { close(w.expired) })
	}
	return nil
}

func (w *stuckWriter) Write([]byte) (int, error) {
	close(w.began)
	<-w.expired
	return 0, os.ErrDeadlineExceeded
}

// The end does not wait for a write that is under way.
func TestLiveEndsAWrite(t *testing.T) {
	live := NewBroadcaster()
	w := &stuckWriter{ResponseWriter: httptest.NewRecorder(), began: make(chan struct{}), expired: make(chan struct{})}
	out := newEventWriter(w, live.closed)
	result := make(chan error, 1)
	go func() { result <- out.write([]byte("x")) }()
	<-w.began
	live.Close()
	select {
	case err := <-result:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the write goes on")
	}
	if err := out.write([]byte("y")); !errors.Is(err, errClosed) {
		t.Errorf("afterwards: got %v", err)
	}
	out.end()
	if _, err := live.watch(); !errors.Is(err, errClosed) {
		t.Errorf("a new reader: got %v", err)
	}
}

// BenchmarkLive is what an event costs while nobody, or somebody, reads.
func BenchmarkLive(b *testing.B) {
	families, err := store.ParseText([]byte("# TYPE m gauge\nm{instance=\"\",job=\"x\"} 1\nm{instance=\"\",job=\"x\",n=\"1\"} 2\n"))
	if err != nil {
		b.Fatal(err)
	}
	event := &store.Event{Op: store.OpPut, Key: keyOf(b, "/job/a"), PushTime: 1, Families: families}
	for _, readers := range []int{0, 1} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			live := NewBroadcaster()
			for range readers {
				if _, err := live.watch(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for i := range b.N {
				live.Event(uint64(i), event)
			}
		})
	}
}
