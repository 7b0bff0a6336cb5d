package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// wholeCluster is what three gateways say when all is well.
const wholeCluster = `{"name":"sluice",
 "stream":{"name":"SLUICE","replicas":3,"leader":"node-a","last_sequence":123,"copies":[
  {"server":"node-a","leader":true,"current":true,"offline":false,"lag":0,"active_seconds":0},
  {"server":"node-b","leader":false,"current":true,"offline":false,"lag":0,"active_seconds":0.12},
  {"server":"node-c","leader":false,"current":true,"offline":false,"lag":7,"active_seconds":3.5}]},
 "gateways":[
  {"id":"A1","server":"node-a","version":"1.0.0","self":true,"ready":true,"connected":true,"applied_sequence":123,"digest":"0123456789abcdef","settled":true,"started":"2026-11-25T06:20:59.5Z"},
  {"id":"B2","server":"","version":"1.0.0","self":false,"ready":true,"connected":true,"applied_sequence":120,"digest":"fedcba9876543210","settled":false,"started":"2026-11-25T06:20:59Z"}],
 "members":{"connected":2,"size":2},"agreement":{"sequence":120,"agree":true,"gateways":2}}`

// clusterServer answers as a gateway's API does.
func clusterServer(t *testing.T, data string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.RequestURI != "/api/v1/cluster" {
			t.Errorf("got %s %s", r.Method, r.RequestURI)
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"status":"success","data":`+data+`}`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestClusterTable(t *testing.T) {
	got, _, err := sluice(t, "", "cluster", "--url", "127.0.0.1:1,"+clusterServer(t, wholeCluster))
	if err != nil {
		t.Error(err)
	}
	want := `cluster sluice, 2 of 2 members connected
stream SLUICE, leader node-a, replicas 3, last sequence 123
agreement 2 gateways have the same state at sequence 120

COPY LEADER CURRENT OFFLINE LAG ACTIVE
node-a yes yes no 0 0.0s ago
node-b no yes no 0 0.1s ago
node-c no yes no 7 3.5s ago

GATEWAY SERVER VERSION READY CONNECTED APPLIED DIGEST SETTLED STARTED
A1 (asked) node-a 1.0.0 yes yes 123 0123456789abcdef yes 2026-11-25T06:20:59Z
B2 - 1.0.0 yes yes 120 fedcba9876543210 no 2026-11-25T06:20:59Z
`
	if got = regexp.MustCompile(` +`).ReplaceAllString(got, " "); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What a gateway leaves out is not printed as if it were 0.
func TestClusterWithoutDigestAndActivity(t *testing.T) {
	f := func(old, new, want string) {
		t.Helper()
		got, _, err := sluice(t, "", "cluster", "--url", clusterServer(t, strings.Replace(wholeCluster, old, new, 1)))
		if err != nil {
			t.Error(err)
		}
		if got = regexp.MustCompile(` +`).ReplaceAllString(got, " "); !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwithout %q", got, want)
		}
	}
	f(`"digest":"0123456789abcdef"`, `"digest":null`, "yes 123 - yes 2026")
	f(`"digest":"0123456789abcdef",`, ``, "yes 123 - yes 2026")
	f(`"digest":"0123456789abcdef"`, `"digest":"0000000000000000"`, "yes 123 0000000000000000 yes 2026")
	f(`"active_seconds":0.12`, `"active_seconds":null`, "node-b no yes no 0 -\n")
	f(`,"active_seconds":0.12`, ``, "node-b no yes no 0 -\n")
}

func TestClusterJSON(t *testing.T) {
	got, _, err := sluice(t, "", "cluster", "--json", "--url", clusterServer(t, wholeCluster))
	if err != nil {
		t.Error(err)
	}
	var have, want any
	if err := json.Unmarshal([]byte(got), &have); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(wholeCluster), &want); err != nil {
		t.Fatal(err)
	}
	haveText, _ := json.Marshal(have)
	wantText, _ := json.Marshal(want)
	if string(haveText) != string(wantText) {
		t.Errorf("got %s", got)
	}
}

// It is printed whatever is missing, and fails where something is wrong.
func TestClusterTrouble(t *testing.T) {
	change := func(old, new string) string {
		t.Helper()
		if !strings.Contains(wholeCluster, old) {
			t.Fatalf("there is no %s", old)
		}
		return strings.Replace(wholeCluster, old, new, 1)
	}
	for _, c := range []struct{ name, data, shows, trouble string }{
		{"disagreement", change(`"agree":true`, `"agree":false`), "do NOT have the same state at sequence 120", "the gateways do not agree at sequence 120"},
		{"not known yet", change(`"agree":true`, `"agree":null`), "not known", ""},
		{"no agreement", `{"name":"sluice","stream":{"name":"SLUICE","replicas":1},"gateways":null,"agreement":null}`, "not known", ""},
		{"a copy offline", change(`"offline":false,"lag":7`, `"offline":true,"lag":7`), "yes", "the copy on node-c is offline"},
		{"a copy silent", change(`"active_seconds":3.5`, `"active_seconds":81.2`), "81.2s ago", "the copy on node-c has been silent for 81 s"},
		{"a copy behind", change(`"current":true,"offline":false,"lag":7`, `"current":false,"offline":false,"lag":7`), "no", "the copy on node-c is behind by 7 entries"},
		{"fewer copies than there must be", change(`{"server":"node-b","leader":false,"current":true,"offline":false,"lag":0,"active_seconds":0.12},`, ``), "node-c", "the stream has 2 of 3 copies"},
		{"fewer members", change(`"connected":2,"size":2`, `"connected":1,"size":2`), "1 of 2 members connected", "1 of 2 members connected"},
		{"fewer gateways", change(`"connected":2,"size":2`, `"connected":3,"size":3`), "3 of 3", "2 gateways answer, of 3 members"},
		{"a gateway of before", change(`"members":{"connected":2,"size":2},`, ``), "cluster sluice\n", ""},
		{"a gateway that is not ready", change(`"ready":true,"connected":true,"applied_sequence":120`, `"ready":false,"connected":true,"applied_sequence":120`), "", "the gateway B2 is not ready"},
		{"a gateway without the stream", change(`"connected":true,"applied_sequence":120`, `"connected":false,"applied_sequence":120`), "", "the gateway B2 cannot reach the stream"},
		{"no leader", change(`"leader":"node-a"`, `"leader":""`), "leader -", "the stream has no leader"},
		{"one copy, no leader told", `{"name":"","stream":{"name":"SLUICE","replicas":1,"leader":"","last_sequence":3,"copies":null}}`, "last sequence 3", ""},
		{"no stream", `{"name":"sluice","stream":null,"error":"no answer\nwithin 2 s","gateways":[]}`, "does not answer: no answer within 2 s", "the stream does not answer"},
		{"nulls", `{"name":null,"stream":{"name":null,"replicas":null,"leader":null,"last_sequence":null,"copies":[{"server":"a","lag":null,"active_seconds":null}]},"gateways":[{"id":"A","digest":null,"started":null}],"agreement":{"sequence":null,"agree":null,"gateways":null}}`, "A ", "the copy on a is behind; the gateway A is not ready; the gateway A cannot reach the stream"},
		{"nothing", `{}`, "does not answer", "the stream does not answer"},
		{"null", `null`, "does not answer", "the stream does not answer"},
		{"both", strings.Replace(change(`"agree":true`, `"agree":false`), `"offline":false`, `"offline":true`, 1), "", "the copy on node-a is offline; the gateways do not agree"},
		{"odd names", change(`"server":"node-b"`, `"server":"\u001b[2J"`), "?[2J", ""},
	} {
		for _, flag := range []string{"--json=false", "--json"} {
			got, _, err := sluice(t, "", "cluster", flag, "--url", clusterServer(t, c.data))
			if c.trouble == "" && err != nil || c.trouble != "" && (err == nil || !strings.Contains(err.Error(), c.trouble)) {
				t.Errorf("%s: got %v, want %q", c.name, err, c.trouble)
			}
			if flag != "--json" && !strings.Contains(regexp.MustCompile(` +`).ReplaceAllString(got, " "), c.shows) || got == "" {
				t.Errorf("%s: got\n%s", c.name, got)
			}
		}
	}
}

func TestClusterCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		`hello`:                           "cannot be read",
		``:                                "cannot be read",
		`{"status":"error","error":"no"}`: `status "error": no`,
		`{"status":"success","data":[]}`:  "cannot read the state of the cluster",
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }))
		refuses(t, want, "", "cluster", "--url", s.URL)
		s.Close()
	}
	s := httptest.NewServer(http.NotFoundHandler()) // a gateway of before
	defer s.Close()
	refuses(t, "404 page not found", "", "cluster", "--url", s.URL)
}
