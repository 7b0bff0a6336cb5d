package api

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/route"

	"sluice/bus"
	"sluice/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

// answersOf writes down what an API answers, as bytes on the wire: status,
// headers, body.
func answersOf(t *testing.T, name string, h http.Handler, paths ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, path := range paths {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Fprintf(&out, "=== %s %s\n%d\n", name, path, w.Code)
		var headers []string
		for key := range w.Header() {
			headers = append(headers, key)
		}
		sort.Strings(headers)
		for _, key := range headers {
			fmt.Fprintf(&out, "%s: %s\n", key, w.Header().Get(key))
		}
		out.WriteByte('\n')
		out.Write(w.Body.Bytes())
		out.WriteByte('\n')
	}
	return out.Bytes()
}

// goldenAPI is an API over a store whose other sources answer the same each time.
func goldenAPI(t *testing.T, s *store.Store, ready bool, status bus.Status, known bus.Known, clusterErr error) http.Handler {
	r := route.New()
	New(s, Config{
		Ready: func() bool { return ready },
		Refusals: func() []store.Refusal {
			return []store.Refusal{{Key: keyOf(t, "/job/x/instance/<b>"), Time: 2e9, Status: 413, Reason: "too_large", Message: "big <\n>", Origin: "http 1"}}
		},
		Address: Address{External: &url.URL{Scheme: "https", Host: "gw.example.org"}, Prefix: "/pg"},
		Status:  Status{Build: map[string]string{"version": "1", "a": "2"}, Flags: map[string]string{"z": "<>", "a": "b"}, Defaults: map[string]string{"a": "c"}, Start: time.Unix(1, 5).UTC()},
		Cluster: ClusterSource{
			Name: func() string { return map[bool]string{true: "c"}[clusterErr == nil] },
			Stream: func(context.Context) (*bus.StreamState, error) {
				if clusterErr != nil {
					return nil, clusterErr
				}
				return &bus.StreamState{Name: "SLUICE", Replicas: 3, Leader: "a", Last: 9, Copies: []bus.StreamCopy{
					{Server: "a", Leader: true, Current: true}, {Server: "b", Offline: true, Lag: 7, ActiveSeconds: 1.25},
				}}, nil
			},
			Gateways: func(context.Context) ([]bus.Gateway, error) {
				if clusterErr != nil {
					return nil, clusterErr
				}
				return []bus.Gateway{
					{ID: "A", Server: "a", Version: "1", Self: true, Ready: true, Connected: true, Applied: 9, Digest: 0xab, Settled: true,
						Started: time.Unix(1, 0).UTC(), Kept: []bus.KeptDigest{{Sequence: 1, Digest: 2}}},
					{ID: "B", Ready: true, Applied: 9, Digest: 0xcd, Settled: true},
				}, nil
			},
		},
		Stream: StreamSource{
			Status: func() bus.Status { return status }, Known: func() bus.Known { return known },
			NotReady: func() string { return status.Waiting },
		},
		History: func(_ context.Context, key store.Key, n int) ([]bus.HistoryEntry, uint64, error) {
			if clusterErr != nil {
				return nil, 0, clusterErr
			}
			families := func(text string) []store.Family {
				families, err := store.ParseText([]byte(text))
				if err != nil {
					panic(err)
				}
				return families
			}
			events := []bus.HistoryEntry{
				{Sequence: 4, Time: time.Unix(4, 0), Event: store.Event{Op: store.OpPut, Key: key, PushTime: 4e9, Origin: "http ::1",
					Families: families("# TYPE a gauge\na{job=\"a\",n=\"<1>\"} 2\n# TYPE c counter\nc{job=\"a\"} NaN\n")}},
				{Sequence: 3, Time: time.Unix(3, 0), Event: store.Event{Op: store.OpPost, Key: key, PushTime: 3e9,
					Families: families("# TYPE a gauge\na{job=\"a\",n=\"<1>\"} 1\n# TYPE b counter\nb{job=\"a\"} 1\n")}},
				{Sequence: 2, Time: time.Unix(2, 0), Event: store.Event{Op: store.OpFail, Key: key, FailTime: 2e9, Refusal: "why"}},
				{Sequence: 1, Time: time.Unix(1, 0), Err: errors.New("damaged event: broken")},
			}
			return events[:min(n, len(events))], 9, nil
		},
	}, promslog.NewNopLogger()).Register(r, func(_ string, h http.HandlerFunc) http.HandlerFunc { return h })
	return r
}

// The answers of the API are what other programs read: they stay the same, byte
// for byte, whatever is written anew behind them.
func TestAnswersStayTheSame(t *testing.T) {
	var got bytes.Buffer
	dead := withDead(t)
	status := bus.Status{Connected: true, Ready: true, Last: 9, Applied: 7, Damaged: 1, Holes: 2, Missing: 3, Batches: 4, Conflicts: 5}
	known := bus.Known{Bytes: 100, Events: 10, History: 7}
	got.Write(answersOf(t, "dead", goldenAPI(t, dead, true, status, known, nil),
		"/status", "/metrics", "/refusals", "/refusals?limit=1", "/refusals?limit=x", "/refusals?group=x",
		"/groups", "/groups?limit=1", "/groups?limit=1&after=/job/a/instance/0", "/groups?sort=-state&offset=1", "/groups?dead=true", "/groups?state=up&search=job=a",
		"/groups?match[]=up", "/groups?search=~(", "/groups?limit=0", "/groups?offset=-1", "/groups?dead=maybe", "/groups?state=down", "/groups?sort=size",
		"/groups?sort=age&after=/x", "/groups?offset=1&after=/x", "/groups?limit=0&search=~(&sort=x",
		"/jobs", "/jobs?sort=-late&limit=1&offset=1&search=job=a", "/jobs?sort=path",
		"/group?group=/job/a/instance/0", "/group?group=/job/none", "/group", "/group?group=/job/a&limit=x",
		"/history?group=/job/a", "/history?group=/job/a&limit=1", "/history?group=x", "/history?group=/job/a&limit=101",
		"/stream", "/targets", "/targets?match[]=job=\"a\"&shard=1/2", "/targets?shard=9", "/cluster", "/nothing"))
	got.Write(answersOf(t, "detailed", goldenAPI(t, detailed(t), true, status, known, nil),
		"/metrics", "/group?group=/job/a", "/group?group=/job/a&limit=1", "/groups"))
	status = bus.Status{Waiting: "for <a majority>", Replaying: true, ReplayDone: 1, ReplayTotal: 2}
	known = bus.Known{External: true, URL: "nats://a:4222"}
	got.Write(answersOf(t, "not ready", goldenAPI(t, store.New(store.Settings{}), false, status, known, errors.New("no <answer>")),
		"/metrics", "/groups", "/group?group=/job/a", "/history?group=/job/a", "/stream", "/targets", "/cluster"))
	got.WriteString("=== events\n")
	got.Write(eventsWritten(t))

	file := filepath.Join("testdata", "answers.golden")
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := bytes.Split(got.Bytes(), []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range max(len(gotLines), len(wantLines)) {
		if i >= len(gotLines) || i >= len(wantLines) || !bytes.Equal(gotLines[i], wantLines[i]) {
			t.Fatalf("line %d differs: got\n%s\nwant\n%s", i+1, line(gotLines, i), line(wantLines, i))
		}
	}
}

func line(lines [][]byte, i int) []byte {
	if i < len(lines) {
		return lines[i]
	}
	return []byte("nothing")
}

// eventsWritten are events as they are sent.
func eventsWritten(t *testing.T) []byte {
	live := NewBroadcaster()
	reader, err := live.watch()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.stop()
	key := keyOf(t, "/job/x/instance/<b>")
	families, err := store.ParseText([]byte("# TYPE m gauge\nm{instance=\"\",job=\"x\"} 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range []store.Event{
		{Op: store.OpPut, Key: key, PushTime: 1e9, Families: families, Origin: "http ::1"},
		{Op: store.OpFail, Key: key, FailTime: 2e9, Refusal: "line 1\nline 2"},
		{Op: store.OpExpire, Key: key, Expires: 3e9, Forget: 4e9, Origin: "time to live"},
	} {
		live.Event(uint64(i+1), &e)
	}
	live.Refusal(store.Refusal{Key: key, Time: 7e9, Message: "cannot be read", Origin: "http ::1"})
	text, _ := reader.collect(t.Context(), nil, nil, Filter{})
	return appendEvent(text, "rate", 0, reader.rate())
}
