package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
)

// deleteSelected asks for the deletion of what selectors choose.
func (g *gateway) deleteSelected(tb testing.TB, dryRun bool, match ...string) (code int, deleted []string) {
	tb.Helper()
	query := url.Values{"match[]": match}
	if dryRun {
		query.Set("dry-run", "true")
	}
	w := httptest.NewRecorder()
	g.handler(w, httptest.NewRequest(http.MethodDelete, "/api/v1/groups?"+query.Encode(), nil))
	var answer struct {
		Status, Error string
		Data          struct {
			Count   int
			DryRun  bool `json:"dry_run"`
			Deleted []DeletedGroup
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		tb.Fatalf("%v in %s", err, w.Body)
	}
	if (w.Code == 200) != (answer.Status == "success") || (w.Code == 200) != (answer.Error == "") || answer.Data.Count != len(answer.Data.Deleted) || w.Code == 200 && answer.Data.DryRun != dryRun {
		tb.Errorf("got %d %s", w.Code, w.Body)
	}
	for _, one := range answer.Data.Deleted {
		if one.Labels["job"] == "" {
			tb.Errorf("group %s has labels %v", one.Group, one.Labels)
		}
		deleted = append(deleted, one.Group)
	}
	return w.Code, deleted
}

func TestDeleteSelected(t *testing.T) {
	g := startGateway(t)
	for _, path := range []string{"/job/x/instance/old-1", "/job/x/instance/old-2", "/job/x/instance/new", "/job/y/instance/old-1"} {
		g.push(t, path)
	}
	old := []string{"/job/x/instance/old-1", "/job/x/instance/old-2"}
	if code, got := g.deleteSelected(t, true, `{job="x",instance=~"old-.*"}`); code != 200 || !slices.Equal(got, old) || g.store.Groups() != 4 {
		t.Errorf("dry run: got %d %v, %d groups are left", code, got, g.store.Groups())
	}
	if code, got := g.deleteSelected(t, false, `{job="x",instance=~"old-.*"}`); code != 200 || !slices.Equal(got, old) || g.store.Groups() != 2 {
		t.Errorf("got %d %v, %d groups are left", code, got, g.store.Groups())
	}
	if code, got := g.deleteSelected(t, false, `{job="x",instance=~"old-.*"}`); code != 200 || len(got) != 0 {
		t.Errorf("again: got %d %v", code, got)
	}
	if code, got := g.deleteSelected(t, false, `{instance="new"}`, `{job="y"}`); code != 200 || len(got) != 2 || g.store.Groups() != 0 {
		t.Errorf("two selectors: got %d %v", code, got)
	}
}

// A search chooses, too, alone or of what selectors choose.
func TestDeleteSearched(t *testing.T) {
	g := startGateway(t)
	for _, path := range []string{"/job/x/instance/old-1", "/job/x/instance/new", "/job/y/instance/old-1", "/job/z/instance/old-2"} {
		g.push(t, path)
	}
	for _, c := range []struct {
		query string
		code  int
		left  int
	}{
		{"search=", 400, 4}, {"search=~", 400, 4}, {`search=""`, 400, 4}, {"search=job!=y", 400, 4}, {"search=~(", 400, 4},
		{"match[]={}&search=old", 400, 4}, {"search=old&dry-run=true", 200, 4},
		{`match[]={job="x"}&search=old`, 200, 3}, {"search=~old+instance~2", 200, 2}, {"search=old+job%3Dy", 200, 1},
	} {
		w := httptest.NewRecorder()
		g.handler(w, httptest.NewRequest(http.MethodDelete, "/api/v1/groups?"+c.query, nil))
		if w.Code != c.code || g.store.Groups() != c.left {
			t.Errorf("%s: got %d %s and %d groups left, want %d and %d", c.query, w.Code, w.Body, g.store.Groups(), c.code, c.left)
		}
	}
}

// What does not say which groups deletes none.
func TestDeleteSelectedNeedsASelector(t *testing.T) {
	g := startGateway(t)
	g.push(t, "/job/x")
	for _, match := range [][]string{nil, {""}, {"{}"}, {`{job=~".*"}`}, {`{job!="y"}`}, {`{job="x"}`, `{job=""}`}, {"up"}, {`{job="x"`}} {
		if code, _ := g.deleteSelected(t, false, match...); code != 400 {
			t.Errorf("%q: got %d, want 400", match, code)
		}
	}
	w := httptest.NewRecorder()
	g.handler(w, httptest.NewRequest(http.MethodDelete, `/api/v1/groups?match[]={job="x"}&dry-run=perhaps`, nil))
	if w.Code != 400 {
		t.Errorf("dry-run=perhaps: got %d", w.Code)
	}
	if g.store.Groups() != 1 {
		t.Error("a group is gone")
	}
}

// The answers stay the same, byte for byte.
func TestDeleteAnswers(t *testing.T) {
	g := startGateway(t)
	g.push(t, "/job/x/instance/1")
	g.push(t, "/job/x")
	check := func(query string, code int, retry, want string) {
		t.Helper()
		w := httptest.NewRecorder()
		g.handler(w, httptest.NewRequest(http.MethodDelete, "/api/v1/groups?"+query, nil))
		if got := w.Body.String(); w.Code != code || got != want+"\n" || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Retry-After") != retry {
			t.Errorf("%s: got %d %v\n%s, want %d %s\n%s", query, w.Code, w.Header(), got, code, retry, want)
		}
	}
	check("search=job=x&dry-run=true", 200, "", `{"data":{"count":2,"deleted":[{"group":"/job/x","labels":{"job":"x"}},{"group":"/job/x/instance/1","labels":{"instance":"1","job":"x"}}],"dry_run":true},"status":"success"}`)
	check("match[]={instance=\"1\"}", 200, "", `{"data":{"count":1,"deleted":[{"group":"/job/x/instance/1","labels":{"instance":"1","job":"x"}}],"dry_run":false},"status":"success"}`)
	check("search=none", 200, "", `{"data":{"count":0,"deleted":[],"dry_run":false},"status":"success"}`)
	check("search=job=x&dry-run=perhaps", 400, "", `{"error":"parameter dry-run: \"perhaps\" is neither true nor false","errorType":"bad_data","status":"error"}`)
	check("search=~(", 400, "", `{"error":"parameter search: cannot read the regular expression \"(\": missing closing )","errorType":"bad_data","status":"error"}`)
	check("", 400, "", `{"error":"parameter match[] is missing: say which groups, for example match[]={job=\"x\"}; all of them go by PUT /api/v1/admin/wipe","errorType":"bad_data","status":"error"}`)
	check("search=job!=x", 400, "", `{"error":"parameter search: it chooses groups by nothing that they have","errorType":"bad_data","status":"error"}`)
	check("match[]={}", 400, "", `{"error":"parameter match[]: {} chooses groups by nothing that they have: at least one label must not be allowed to be empty","errorType":"bad_data","status":"error"}`)
	g.cancel()
	<-g.ended
	check("search=job=x", 503, "1", `{"data":{"count":0,"deleted":[]},"error":"the gateway is stopping","errorType":"unavailable","status":"error"}`)
}
