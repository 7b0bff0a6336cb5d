package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// pages serves so many groups as the API does.
func pages(t *testing.T, total int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit, err := strconv.Atoi(r.FormValue("limit"))
		if err != nil || limit < 1 || limit > 1000 {
			t.Errorf("got %s", r.RequestURI)
		}
		first := 0
		fmt.Sscanf(r.FormValue("after"), "/job/%d", &first)
		var groups []string
		for i := first + 1; i <= min(total, first+limit); i++ {
			groups = append(groups, fmt.Sprintf(`{"group":"/job/%06d","up":false,"forgotten":"2026-11-25T06:20:59Z","new":1}`, i))
		}
		next := ""
		if first+limit < total {
			next = fmt.Sprintf(`,"next":"/job/%06d"`, first+limit)
		}
		fmt.Fprintf(w, `{"status":"success","data":{"groups":[%s],"total":%d%s}}`, strings.Join(groups, ","), total, next)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestGroupsPageByPage(t *testing.T) {
	url := pages(t, 2500)
	for limit, want := range map[int]int{0: 2500, 1: 1, 1000: 1000, 1001: 1001, 2500: 2500, 3000: 2500} {
		args := []string{"groups", "--url", url, "--limit", strconv.Itoa(limit)}
		table, notes, err := sluice(t, "", args...)
		if got := strings.Count(table, "  dead  "); err != nil || got != want || (notes == "") != (want == 2500) || strings.Count(table, "GROUP") != 1 {
			t.Errorf("--limit=%d: got %d, %q, %v", limit, got, notes, err)
		}
		text, _, err := sluice(t, "", append(args, "--json")...)
		if err != nil {
			t.Fatal(err)
		}
		var all struct {
			Groups []struct {
				Group string
				New   int // fields that we do not know are kept
			}
			Total int
		}
		if err := json.Unmarshal([]byte(text), &all); err != nil || len(all.Groups) != want || all.Total != 2500 ||
			all.Groups[want-1].Group != fmt.Sprintf("/job/%06d", want) || all.Groups[0].New != 1 {
			t.Errorf("--limit=%d: got %d of %d, %v", limit, len(all.Groups), all.Total, err)
		}
	}
}

// A list that never ends is no list.
func TestGroupsThatDoNotEnd(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"status":"success","data":{"groups":[],"total":5,"next":"/job/a"}}`)
	}))
	defer s.Close()
	_, _, err := sluice(t, "", "groups", "--url", s.URL)
	if err == nil || !strings.Contains(err.Error(), "comes after /job/a, but it does not") {
		t.Errorf("got %v", err)
	}
}
