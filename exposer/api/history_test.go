package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/route"

	"sluice/bus"
	"sluice/store"
)

// historyAPI serves the history of a group that a function tells.
func historyAPI(history HistorySource) http.Handler {
	r := route.New()
	New(store.New(store.Settings{}), Config{
		History: history, Stream: StreamSource{Known: func() bus.Known { return bus.Known{History: 7} }},
	}, promslog.NewNopLogger()).Register(r, func(_ string, h http.HandlerFunc) http.HandlerFunc { return h })
	return r
}

// pastEvent is a push in the history: families written as "name type labels value".
func pastEvent(t *testing.T, seq uint64, op store.Op, text string) bus.HistoryEntry {
	t.Helper()
	families, err := store.ParseText([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(int64(seq), 0)
	return bus.HistoryEntry{Sequence: seq, Time: at, Event: store.Event{Op: op, Key: keyOf(t, "/job/a"), PushTime: at.UnixNano(), Families: families, Origin: "http ::1"}}
}

func TestHistory(t *testing.T) {
	const a, b = "# TYPE a gauge\na{job=\"a\",n=\"1\"} %s\na{job=\"a\",n=\"2\"} 5\n", "# TYPE b counter\nb{job=\"a\"} 7\n"
	const h = "# TYPE h histogram\nh_bucket{job=\"a\",le=\"+Inf\"} 1\nh_sum{job=\"a\"} 1\nh_count{job=\"a\"} %d\n"
	refused := pastEvent(t, 4, store.OpFail, fmt.Sprintf(a, "3")+b+fmt.Sprintf(h, 2))
	refused.Event.Refusal = "why"
	events := []bus.HistoryEntry{
		pastEvent(t, 5, store.OpPost, "# TYPE a gauge\na{job=\"a\",n=\"0\"} 1\na{job=\"a\",n=\"1\"} 3\n# TYPE c gauge\nc{job=\"a\"} NaN\n"+fmt.Sprintf(h, 2)),
		refused,
		pastEvent(t, 3, store.OpPut, fmt.Sprintf(a, "3")+b+fmt.Sprintf(h, 2)),
		pastEvent(t, 2, store.OpPut, fmt.Sprintf(a, "2")+b+fmt.Sprintf(h, 1)),
		{Sequence: 1, Time: time.Unix(1, 0), Err: errors.New("damaged event: broken")},
	}
	api := historyAPI(func(_ context.Context, key store.Key, n int) ([]bus.HistoryEntry, uint64, error) {
		if key.Path() != "/job/a" {
			return nil, 0, nil
		}
		return events[:min(n, len(events))], 9, nil
	})
	nothing := `"added":[],"added_total":0,"removed":[],"removed_total":0,"changed":0`
	at := func(seq int) string {
		return fmt.Sprintf(`"sequence":%d,"time":"1970-01-01T00:00:0%dZ"`, seq, seq)
	}
	pushed := func(seq int) string {
		return at(seq) + fmt.Sprintf(`,"origin":"http ::1","push_time":"1970-01-01T00:00:0%dZ"`, seq)
	}
	entries := []string{
		`{` + pushed(5) + `,"op":"push","replaced":false,"families":3,"series":6,"added":["a{job=\"a\",n=\"0\"}","c"],"added_total":2,"removed":["a{job=\"a\",n=\"2\"}","b"],"removed_total":2,"changed":0,"truncated":false}`,
		`{` + pushed(4) + `,"op":"refusal","replaced":false,"families":3,"series":6,` + nothing + `,"refusal":"why","truncated":false}`,
		`{` + pushed(3) + `,"op":"push","replaced":true,"families":3,"series":6,"added":[],"added_total":0,"removed":[],"removed_total":0,"changed":2,"changes":[{"name":"a{job=\"a\",n=\"1\"}","before":"2","after":"3"},{"name":"h{job=\"a\"}"}],"truncated":false}`,
		`{` + pushed(2) + `,"op":"push","replaced":true,"families":3,"series":6,` + nothing + `,"truncated":true}`,
		`{` + at(1) + `,"op":"damaged","replaced":false,"families":0,"series":0,` + nothing + `,"refusal":"damaged event: broken","truncated":true}`,
	}
	whole := func(entries, values string) string {
		return `{"status":"success","data":{"group":"/job/a","kept":7,"total":9,"entries":[` + entries + `],"values":{"series":[` + values + `],"truncated":false}}}`
	}
	values := `{"name":"a{job=\"a\",n=\"1\"}","points":[["1970-01-01T00:00:02Z","2"],["1970-01-01T00:00:03Z","3"],["1970-01-01T00:00:05Z","3"]]},
		{"name":"a{job=\"a\",n=\"0\"}","points":[["1970-01-01T00:00:05Z","1"]]},{"name":"c{job=\"a\"}","points":[["1970-01-01T00:00:05Z","NaN"]]}`
	wantJSON(t, getJSON(t, api, "/history?group=/job/a"), whole(strings.Join(entries, ","), values))
	wantJSON(t, getJSON(t, api, "/history?group=/job/a&limit=1"), whole(entries[0],
		`{"name":"a{job=\"a\",n=\"0\"}","points":[["1970-01-01T00:00:05Z","1"]]},{"name":"a{job=\"a\",n=\"1\"}","points":[["1970-01-01T00:00:05Z","3"]]},{"name":"c{job=\"a\"}","points":[["1970-01-01T00:00:05Z","NaN"]]}`))
	wantJSON(t, getJSON(t, api, "/history?group=/job/none"), `{"status":"success","data":{"group":"/job/none","kept":7,"total":0,"entries":[],"values":{"series":[],"truncated":false}}}`)
	for _, query := range []string{"", "?group=x", "?group=/job/a&limit=0", "?group=/job/a&limit=101"} {
		w := httptest.NewRecorder()
		api.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/history"+query, nil))
		if w.Code != 400 {
			t.Errorf("%s: got %d, want 400", query, w.Code)
		}
	}
}

// The first push of a group is told from one whose event before is not kept.
func TestFirstPush(t *testing.T) {
	f := func(total uint64, want bool, events ...bus.HistoryEntry) {
		t.Helper()
		var got struct{ Data History }
		w := httptest.NewRecorder()
		historyAPI(func(_ context.Context, _ store.Key, n int) ([]bus.HistoryEntry, uint64, error) {
			return events[:min(n, len(events))], total, nil
		}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/history?group=/job/a", nil))
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		last := got.Data.Entries[len(got.Data.Entries)-1]
		if last.First != want || last.Truncated == want || (len(last.Added) == 2) != want {
			t.Errorf("%d of %d events: got %+v", len(events), total, last)
		}
	}
	push := pastEvent(t, 2, store.OpPost, "# TYPE a gauge\na{job=\"a\"} 1\n# TYPE b gauge\nb{job=\"a\"} 1\n")
	refusal := push
	refusal.Event.Op = store.OpFail
	f(1, true, push)
	f(6, true, refusal, refusal, refusal, refusal, refusal, push)
	f(7, false, refusal, refusal, refusal, refusal, refusal, refusal, push) // as many as are kept
	f(2, false, push)                                                       // one has not been read
	f(1, false, refusal)
}

// What a push brings is listed up to a bound.
func TestHistoryIsBounded(t *testing.T) {
	var text strings.Builder
	text.WriteString("# TYPE a gauge\n")
	for i := range 200 {
		fmt.Fprintf(&text, "a{job=\"a\",n=\"%03d\"} 1\n", i)
	}
	events := []bus.HistoryEntry{pastEvent(t, 2, store.OpPut, text.String()), pastEvent(t, 1, store.OpPut, "# TYPE a gauge\na{job=\"a\",n=\"000\"} 2\n")}
	w := httptest.NewRecorder()
	historyAPI(func(context.Context, store.Key, int) ([]bus.HistoryEntry, uint64, error) { return events, 2, nil }).
		ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/history?group=/job/a", nil))
	var got struct{ Data History }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	one := got.Data.Entries[0]
	if len(one.Changes) != 1 || len(one.Added) != maxNames || one.AddedTotal != 199 || one.Changed != 1 || len(got.Data.Values.Series) != maxSeries || !got.Data.Values.Truncated || len(got.Data.Values.Series[0].Points) != 2 {
		t.Errorf("got %d of %d added, %d changed, %d plots", len(one.Added), one.AddedTotal, one.Changed, len(got.Data.Values.Series))
	}
}

// Only so many read the stream at a time, and a stream that does not answer is
// told.
func TestHistoryIsBusy(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	api := historyAPI(func(context.Context, store.Key, int) ([]bus.HistoryEntry, uint64, error) {
		asked <- struct{}{}
		<-answer
		return nil, 0, errors.New("the stream is away")
	})
	codes := make(chan int, maxHistories)
	get := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		api.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/history?group=/job/a", nil))
		return w
	}
	for range maxHistories {
		go func() { codes <- get().Code }()
		<-asked
	}
	if w := get(); w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "too many") {
		t.Errorf("one more: got %d %s", w.Code, w.Body)
	}
	close(answer)
	for range maxHistories {
		if code := <-codes; code != 503 {
			t.Errorf("while the stream is away: got %d, want 503", code)
		}
	}
}
