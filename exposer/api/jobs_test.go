package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"

	"sluice/store"
)

// withJobs has jobs with groups in all states, at the time 100 s.
func withJobs(t *testing.T) *API {
	s := store.New(store.Settings{})
	seq := uint64(0)
	apply := func(path string, e store.Event) {
		seq++
		e.Key = keyOf(t, path)
		s.Apply(seq, e)
	}
	families, err := store.ParseText([]byte("# TYPE m gauge\nm{instance=\"\",job=\"x\",n=\"1\"} 1\nm{instance=\"\",job=\"x\",n=\"2\"} 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		apply(fmt.Sprintf("/job/well/instance/%d", i), store.Event{Op: store.OpPut, PushTime: 90e9, Expires: 110e9, Families: families})
	}
	apply("/job/late/instance/0", store.Event{Op: store.OpPut, PushTime: 10e9, Expires: 130e9})
	apply("/job/late/instance/1", store.Event{Op: store.OpPut, PushTime: 30e9, Expires: 150e9}) // not yet
	apply("/job/bad/instance/0", store.Event{Op: store.OpFail, PushTime: 10e9, FailTime: 40e9, Expires: 70e9, Families: families, Refusal: "no"})
	apply("/job/bad/instance/1", store.Event{Op: store.OpFail, FailTime: 40e9, Refusal: "no"})
	apply("/job/bad/instance/2", store.Event{Op: store.OpExpire, PushTime: 20e9, Expires: 25e9, Forget: 900e9})
	apply("/job/gone", store.Event{Op: store.OpExpire, PushTime: 20e9, Expires: 25e9, Forget: 900e9})
	apply("/job/a%2Fb/instance/0", store.Event{Op: store.OpPut, PushTime: 50e9})
	a := New(s, Config{Ready: func() bool { return true }, Refusals: func() []store.Refusal { return nil }}, promslog.NewNopLogger())
	a.now = func() time.Time { return time.Unix(100, 0) }
	return a
}

func TestJobs(t *testing.T) {
	a := withJobs(t)
	f := func(sort, search string, limit, offset int, want ...string) {
		t.Helper()
		filter, err := ParseFilter(nil, search)
		if err != nil {
			t.Fatal(err)
		}
		list, err := a.Jobs(t.Context(), JobsRequest{Filter: filter, Sort: sort, Limit: limit, Offset: offset})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, j := range list.Jobs {
			got = append(got, fmt.Sprintf("%s %d/%d/%d/%d/%d late %d series %d", j.Job, j.Groups.All, j.Groups.Up, j.Groups.Failing, j.Groups.Dead, j.Groups.Never, j.Late, j.Series))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s %s:\n%s\nwant\n%s", sort, search, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	slash, bad, gone := "a%2Fb 1/1/0/0/0 late 0 series 0", "bad 3/0/1/1/1 late 1 series 2", "gone 1/0/0/1/0 late 0 series 0"
	late, well := "late 2/2/0/0/0 late 1 series 0", "well 3/3/0/0/0 late 0 series 6"
	f("", "", 0, 0, slash, bad, gone, late, well)
	f("-job", "", 0, 0, well, late, gone, bad, slash)
	f("state", "", 0, 0, bad, gone, late, slash, well)
	f("age", "", 0, 0, well, slash, late, bad, gone)
	f("-groups", "", 0, 0, bad, well, late, slash, gone)
	f("-dead", "", 2, 0, bad, gone)
	f("-late", "", 2, 1, late, slash)
	f("-series", "", 1, 0, well)
	f("-failing", "", 1, 0, bad)
	f("", "instance=0 job~a", 0, 0, slash, "bad 1/0/1/0/0 late 1 series 2", "late 1/1/0/0/0 late 1 series 0")
	f("", "nothing", 0, 0)
	f("", "", 0, 7)

	list, err := a.Jobs(t.Context(), JobsRequest{Limit: 1})
	if err != nil || list.Total != 5 || list.Counts != (Counts{All: 10, Failing: 1, Dead: 2, Never: 1, Up: 6}) || *list.Jobs[0].PushTime != time.Unix(50, 0).UTC() {
		t.Errorf("got %+v, %v", list, err)
	}
	for _, query := range []string{"?sort=size", "?limit=0", "?limit=1001", "?offset=-1", "?search=~(", "?match[]=up"} {
		w := httptest.NewRecorder()
		a.serveJobs(w, httptest.NewRequest(http.MethodGet, "/jobs"+query, nil))
		if name, _, _ := strings.Cut(query[1:], "="); w.Code != 400 || !strings.Contains(w.Body.String(), "parameter "+name) {
			t.Errorf("%s: got %d %s", query, w.Code, w.Body)
		}
	}
}

// BenchmarkJobs counts 100,000 groups of 1,000 jobs.
func BenchmarkJobs(b *testing.B) {
	s := store.New(store.Settings{})
	for i := range 100_000 {
		key, err := store.ParseKey(fmt.Sprintf("/job/job%03d/instance/host%05d", i%1000, i))
		if err != nil {
			b.Fatal(err)
		}
		s.Apply(uint64(i+1), store.Event{Op: store.OpPut, Key: key, PushTime: 1e9})
	}
	a := New(s, Config{Ready: func() bool { return true }, Refusals: func() []store.Refusal { return nil }}, promslog.NewNopLogger())
	for b.Loop() {
		if list, err := a.Jobs(b.Context(), JobsRequest{Sort: "state", Limit: 50}); err != nil || list.Total != 1000 {
			b.Fatal(list.Total, err)
		}
	}
}
