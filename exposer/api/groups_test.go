package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/route"

	"sluice/store"
)

func TestGroups(t *testing.T) {
	s := withDead(t)
	a0 := `{"group":"/job/a/instance/0","labels":{"job":"a","instance":"0"},"state":"dead","up":false,"push_time":"2017-07-14T02:40:00Z","push_failure_time":"2017-07-14T02:40:01Z","last_refusal":"why","last_refusal_time":"2017-07-14T02:40:01Z","ttl_seconds":30,"expires":"2017-07-14T02:40:30Z","forgotten":"2017-07-14T02:41:30Z","families":0,"series":0,"pushers":[],"sequence":3}`
	a1 := `{"group":"/job/a/instance/1","labels":{"job":"a","instance":"1"},"state":"up","up":true,"push_time":"2017-07-14T02:40:00Z","families":1,"series":2,"pushers":[{"origin":"","time":"2017-07-14T02:40:00Z","pushes":1}],"sequence":1}`
	f := func(query, groups string, total, all int, rest string) {
		t.Helper()
		dead := min(all, 1)
		wantJSON(t, getJSON(t, apiOf(s, true, Address{}), "/groups"+query), fmt.Sprintf(`{"status":"success","data":{"ready":true,"groups":[%s],"total":%d,"counts":{"all":%d,"failing":0,"dead":%d,"never":0,"up":%d}%s}}`,
			groups, total, all, dead, all-dead, rest))
	}
	f("?match[]={job=\"a\"}", a0+","+a1, 2, 2, `,"offset":0`)
	f("?match[]={job=\"a\"}&limit=1", a0, 2, 2, `,"offset":0,"next":"/job/a/instance/0"`)
	f("?match[]={job=\"a\"}&limit=1&after=/job/a/instance/0", a1, 2, 2, `,"offset":0`)
	f("?match[]={job=\"a\"}&limit=1&offset=1", a1, 2, 2, `,"offset":1`)
	f("?match[]={job=\"a\"}&limit=1&sort=-path", a1, 2, 2, `,"offset":0`)
	f("?match[]={job=\"a\"}&dead=true", a0, 1, 2, `,"offset":0`)
	f("?match[]={job=\"a\"}&dead=false", a1, 1, 2, `,"offset":0`)
	f("?match[]={job=\"a\"}&state=up&search=INSTANCE", a1, 1, 2, `,"offset":0`)
	f("?match[]={job=\"a\"}&offset=3", "", 2, 2, `,"offset":3`)
	f("?match[]={job=\"none\"}", "", 0, 0, `,"offset":0`)
	for query, want := range map[string]string{
		"?limit=0": "limit", "?limit=1001": "limit", "?dead=maybe": "dead", "?match[]=up": "match[]", "?offset=-1": "offset", "?offset=99999999999999999999": "offset",
		"?state=down": "state", "?sort=size": "sort", "?sort=--path": "sort", "?sort=age&after=/job/a": "after", "?offset=1&after=/job/a": "after",
		"?search=~(": "search", "?search=" + strings.Repeat("a", 10<<10): "search", "?search=~" + strings.Repeat("x{999}", 20): "search", "?search=%ff": "search",
	} {
		w := httptest.NewRecorder()
		apiOf(s, true, Address{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/groups"+query, nil))
		if w.Code != 400 || !strings.Contains(w.Body.String(), "parameter "+want) || w.Body.Len() > 1000 {
			t.Errorf("%.60s: got %d %s, want 400", query, w.Code, w.Body)
		}
	}
	if got := getJSON(t, apiOf(s, false, Address{}), "/groups").(map[string]any)["data"].(map[string]any)["ready"]; got != false {
		t.Errorf("during the replay: got ready %v", got)
	}
}

// Groups of each kind, in each order.
func TestGroupsInOrder(t *testing.T) {
	s := store.New(store.Settings{})
	seq := uint64(0)
	apply := func(e store.Event, path, origin string) {
		seq++
		e.Key, e.Origin = keyOf(t, path), origin
		s.Apply(seq, e)
	}
	series := func(n int) []store.Family {
		var b strings.Builder
		b.WriteString("# TYPE m gauge\n")
		for i := range n {
			fmt.Fprintf(&b, "m{instance=\"\",job=\"x\",n=\"%02d\"} 1\n", i)
		}
		families, err := store.ParseText([]byte(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		return families
	}
	apply(store.Event{Op: store.OpPut, PushTime: 50e9, Families: series(3)}, "/job/a", "A")
	apply(store.Event{Op: store.OpPut, PushTime: 10e9, Families: series(9), Expires: 100e9}, "/job/b", "A")
	apply(store.Event{Op: store.OpFail, PushTime: 30e9, FailTime: 40e9, Families: series(5), Refusal: "contradicts"}, "/job/c", "A")
	apply(store.Event{Op: store.OpFail, FailTime: 40e9, Refusal: "never right"}, "/job/d", "A")
	apply(store.Event{Op: store.OpExpire, PushTime: 20e9, Expires: 25e9, Forget: 900e9}, "/job/e", "time to live")
	for _, origin := range []string{"A", "B", "A"} {
		apply(store.Event{Op: store.OpPut, PushTime: 60e9 + int64(seq), Families: series(1)}, "/job/f", origin)
	}
	noted := store.Refusal{Key: keyOf(t, "/job/f"), Time: 70e9, Message: "cannot be read"}
	stale := store.Refusal{Key: keyOf(t, "/job/a"), Time: 49e9, Message: "could not be read"}
	r := route.New()
	cfg := Config{Ready: func() bool { return true }, Refusals: func() []store.Refusal { return []store.Refusal{noted, stale} }}
	New(s, cfg, promslog.NewNopLogger()).Register(r, func(_ string, h http.HandlerFunc) http.HandlerFunc { return h })
	var got struct {
		Data struct {
			Groups []GroupSummary
			Counts Counts
			Total  int
		}
	}
	for query, want := range map[string]string{
		"":                            "a up, b up, c failing, d never, e dead, f failing",
		"sort=-path":                  "f failing, e dead, d never, c failing, b up, a up",
		"sort=state":                  "c failing, f failing, d never, e dead, a up, b up",
		"sort=-state":                 "a up, b up, e dead, d never, c failing, f failing",
		"sort=age":                    "f failing, a up, c failing, e dead, b up, d never",
		"sort=-age":                   "d never, b up, e dead, c failing, a up, f failing",
		"sort=series":                 "d never, e dead, f failing, a up, c failing, b up",
		"sort=-series":                "b up, c failing, a up, f failing, d never, e dead",
		"sort=expires":                "e dead, b up, a up, c failing, d never, f failing",
		"sort=-expires":               "b up, e dead, a up, c failing, d never, f failing",
		"state=failing":               "c failing, f failing",
		"state=dead":                  "e dead",
		"state=never":                 "d never",
		"state=up&sort=-path":         "b up, a up",
		"search=job=a":                "a up",
		"search=~=[ef]&sort=-age":     "e dead, f failing",
		"sort=state&offset=1&limit=2": "f failing, d never",
	} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/groups?"+query, nil))
		got.Data.Groups = nil
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, g := range got.Data.Groups {
			names = append(names, strings.TrimPrefix(g.Group, "/job/")+" "+string(g.State))
		}
		if have := strings.Join(names, ", "); have != want {
			t.Errorf("%s: got %s, want %s", query, have, want)
		}
		if !strings.Contains(query, "search") && got.Data.Counts != (Counts{All: 6, Failing: 2, Dead: 1, Never: 1, Up: 2}) {
			t.Errorf("%s: got %+v", query, got.Data.Counts)
		}
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/groups?search=job=f", nil))
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	f := got.Data.Groups[0]
	if !f.Contended || len(f.Pushers) != 2 || f.Pushers[0].Origin != "A" || f.Pushers[0].Pushes != 2 || f.LastRefusal != "cannot be read" || !f.RefusalTime.Equal(time.Unix(70, 0)) {
		t.Errorf("got %+v", f)
	}
}

// A search that takes too long is ended, and nobody waits for it.
func TestGroupsAreBounded(t *testing.T) {
	s := store.New(store.Settings{})
	value := strings.Repeat("a", 16<<10)
	for i := range 2000 {
		key, err := store.NewKey(fmt.Sprint(i), store.Label{Name: "instance", Value: value})
		if err != nil {
			t.Fatal(err)
		}
		s.Apply(uint64(i+1), store.Event{Op: store.OpPut, Key: key, PushTime: 1})
	}
	costly := strings.TrimSpace(strings.Repeat("~(a.?){90}(a.?){90}b ", 16))
	w := httptest.NewRecorder()
	start := time.Now()
	apiOf(s, true, Address{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/groups?search="+url.QueryEscape(costly), nil))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), `"errorType":"timeout"`) {
		t.Errorf("got %d %.200s after %s, want 503", w.Code, w.Body, time.Since(start))
	}
	t.Logf("ended after %s", time.Since(start))
}

// BenchmarkGroups is the first page of 50,000 groups.
func BenchmarkGroups(b *testing.B) {
	s := store.New(store.Settings{})
	for i := range 50_000 {
		key := keyOf(b, fmt.Sprintf("/job/job%d/instance/host%d.example.org:9100", i%10, i))
		var text strings.Builder
		for f := range 4 {
			fmt.Fprintf(&text, "# TYPE m%d gauge\n", f)
			for n := range 5 {
				fmt.Fprintf(&text, "m%d{instance=\"host%d.example.org:9100\",job=\"job%d\",n=\"%d\"} 1\n", f, i, i%10, n)
			}
		}
		families, err := store.ParseText([]byte(text.String()))
		if err != nil {
			b.Fatal(err)
		}
		e := store.Event{Op: store.OpPut, Key: key, PushTime: int64(i+1) * 1e9, Families: families, Expires: int64(i) * 1e9}
		if i%100 == 0 {
			e.FailTime = e.PushTime + 1
		}
		s.Apply(uint64(i+1), e)
	}
	api := apiOf(s, true, Address{})
	for _, query := range []string{"", "sort=state", "sort=state&search=host777", "sort=state&search=~host.*7.*org", "sort=-age", "sort=series", "offset=49900", "after=/job/job9/instance"} {
		b.Run(query, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				api.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/groups?"+query, nil))
				if w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
