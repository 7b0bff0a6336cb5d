package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The history of a group shows what the stream has kept, also after a restart.
func TestKeptPushesAreTold(t *testing.T) {
	s := newSite(t)
	g := s.start("--bus.history=5")
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/x", "# TYPE m gauge\nm{n=\"1\"} 1\nm{n=\"2\"} 2\n")
	g.must(http.StatusOK, http.MethodPost, "/metrics/job/x", "# TYPE m gauge\nm{n=\"1\"} 3\n") // drops a series
	g.must(http.StatusBadRequest, http.MethodPost, "/metrics/job/x", "m 1 1\n")
	tell := func(g *sluice) {
		t.Helper()
		var got struct {
			Data struct {
				Kept    int
				Entries []struct {
					Op      string
					Removed []string
					Refusal string
				}
				Values struct {
					Series []struct {
						Name   string
						Points [][2]string
					}
				}
			}
		}
		text := g.must(http.StatusOK, http.MethodGet, "/api/v1/history?group=/job/x", "").body
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		d := got.Data
		if d.Kept != 5 || len(d.Entries) != 3 || d.Entries[0].Op != "refusal" || !strings.Contains(d.Entries[0].Refusal, "timestamp") ||
			d.Entries[1].Op != "push" || !slices.Equal(d.Entries[1].Removed, []string{`m{instance="",job="x",n="2"}`}) {
			t.Errorf("got %s", text)
		}
		if first := d.Values.Series[0]; first.Name != `m{instance="",job="x",n="1"}` || first.Points[0][1]+" "+first.Points[1][1] != "1 3" {
			t.Errorf("got %+v", d.Values)
		}
	}
	tell(g)
	if code, err := g.Terminate(); err != nil || code != 0 {
		t.Fatalf("ended with %d: %v", code, err)
	}
	g = s.start("--bus.history=5")
	tell(g)
	g.must(http.StatusAccepted, http.MethodDelete, "/metrics/job/x", "")
	if text := g.must(http.StatusOK, http.MethodGet, "/api/v1/history?group=/job/x", "").body; !strings.Contains(text, `"op":"delete"`) || strings.Contains(text, `"op":"push"`) {
		t.Errorf("after the delete: got %s", text)
	}
}
