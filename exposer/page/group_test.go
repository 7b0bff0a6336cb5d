package page

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/exposer/api"
)

const apiGroup = `{"group":"/job/api/instance/web1","labels":{"instance":"web1","job":"api"},"state":"up","up":true,
	"push_time":"2026-11-25T11:58:00Z","ttl_seconds":600,"expires":"2026-11-25T12:08:00Z","series":23,"origin":"http 192.0.2.1","sequence":206,
	"pushers":[{"origin":"http 192.0.2.1","time":"2026-11-25T11:50:00Z","pushes":6},{"origin":"nats me","time":"2026-11-25T11:58:00Z","pushes":1}],
	"families":[
	{"name":"last_success_timestamp_seconds","type":"gauge","help":"When.","push_time":"2026-11-25T11:00:00Z","metrics":[
	 {"labels":{"instance":"web1","job":"api","kind":"full"},"value":"1764068400"}]},
	{"name":"disk_bytes","type":"gauge","metrics":[{"labels":{"instance":"web1","job":"api"},"value":"3221225472"}]},
	{"name":"duration_seconds","type":"histogram","metrics":[{"labels":{"instance":"web1","job":"api","path":"/x"},"sum":"8","count":"4",
	 "buckets":[{"le":"0.1","count":"1"},{"le":"+Inf","count":"4"}]}]},
	{"name":"rpc_seconds","type":"summary","metrics":[{"labels":{},"sum":"81","count":"4012","quantiles":[{"quantile":"0.99","value":"0.17"}]}]}]}`

// A group shows its families as users of Prometheus know them.
func TestGroup(t *testing.T) {
	from := newFakeAPI()
	from.group = apiGroup
	s := newServer(t, from, Config{})
	answer, page := get(t, s.URL+"/?group=/job/api/instance/web1")
	if answer.StatusCode != http.StatusOK {
		t.Errorf("status %d", answer.StatusCode)
	}
	wants(t, page,
		`href="./?search=job=api"`, "2 min</time> ago", "10 min", "8 min</time> left", `width="20.0"`,
		"last_success_timestamp_seconds</code>", `<span class="tag">gauge</span>`, "When.", "pushed <time", "1 h</time> ago",
		`kind=</span>"full"`, `!instance=</span>"web1"`, "1764068400", "2025-11-25 11:00:00 UTC",
		"3 GiB", "3,221,225,472", "(-Inf, 0.1]: 1", "(0.1, &#43;Inf]: 3", "mean 2", "0.99", "0.17",
		"Several addresses have pushed", "!overwrite each other here", "http 192.0.2.1</code>", ", 6 pushes",
		"!The last push was refused")
	if from.askedLimit != 1000 {
		t.Errorf("asked for %d metrics", from.askedLimit)
	}

	from.group = strings.Replace(apiGroup, `"state":"up"`, `"state":"failing","last_refusal":"line 1\nthe cure","last_refusal_time":"2026-11-25T11:59:00Z","contended":true,"truncated":true`, 1)
	_, page = get(t, s.URL+"/?group=/job/api/instance/web1")
	wants(t, page, "The last push was refused</strong> <time", "1 min</time> ago", "line 1\nthe cure", "overwrite each other here", "4 of the group's metrics", "limit=10000")
}

// A group that has died while its pushes were refused does not look like one whose
// host has died.
func TestDeadBecauseRefused(t *testing.T) {
	from := newFakeAPI()
	f := func(refusedAt string, texts ...string) {
		t.Helper()
		one := `"labels":{"job":"x"},"state":"dead","push_time":"2026-11-25T10:00:00Z","expires":"2026-11-25T10:30:00Z","ttl_seconds":1800` + refusedAt
		from.group = `{"group":"/job/x",` + one + `,"families":[]}`
		from.groups = `{"ready":true,"total":1,"counts":{"all":1,"dead":1},"groups":[{"group":"/job/x",` + one + `}]}`
		s := newServer(t, from, Config{})
		for _, path := range []string{"/", "/?group=/job/x"} {
			_, page := get(t, s.URL+path)
			wants(t, page, texts...)
		}
	}
	const text = `"last_refusal":"pushed metrics are invalid or inconsistent with existing metrics: m is a counter in this push, but a gauge in group /job/first; n is\nCure.","last_refusal_time"`
	f(`,`+text+`:"2026-11-25T10:20:00Z"`, `dead refused">dead, refused</span>`, `href="./?group=/job/first"`, "m is a counter in this push", "refused", "1 h 40 min</time> ago")
	f(`,`+text+`:"2026-11-25T09:20:00Z"`, `state dead">dead</span>`, "!dead, refused", "!/job/first")
	f(``, `state dead">dead</span>`, "!dead, refused", "!data-testid=\"why\"")
}

// What refusals have in common does not hide in what they differ.
func TestReason(t *testing.T) {
	at, before := now, now.Add(-time.Hour)
	f := func(refusal, way, text string) {
		t.Helper()
		got := reasonOf(api.GroupSummary{State: api.StateFailing, PushTime: &before, LastRefusal: refusal, RefusalTime: &at})
		if got == nil || got.Way != way || got.Text != text || !got.Time.Equal(at) {
			t.Errorf("%s: got %+v", refusal, got)
		}
	}
	f("text format parsing error in line 1: no\nhelp", "", "text format parsing error in line 1: no")
	f(commonWords+"m is a counter in this push, but a gauge in group /job/a b/x/y\nCure", "/job/a b/x/y", "m is a counter in this push, but a gauge in group /job/a b/x/y")
	f(commonWords+"2 conflicts: m is a counter in this push, but a gauge in group /job@base64/YS9i; and 1 more", "/job@base64/YS9i", "2 conflicts: m is a counter in this push, but a gauge in group /job@base64/YS9i; and 1 more")
	f(commonWords+"gauge a.b and gauge a_b in group /job/x both become a_b when names are escaped (escaping=underscores)", "/job/x", "gauge a.b and gauge a_b in group /job/x both become a_b when names are escaped (escaping=underscores)")
	f(commonWords+"series m{a=\"b\"} is already in group /job/xxx...\nCure", "", "series m{a=\"b\"} is already in group /job/xxx...")
	f(commonWords+"the grouping labels {a.b=\"1\"} become the same as those of group /job/y/U__a_2d_b/1 when names are escaped (escaping=underscores)", "/job/y/U__a_2d_b/1", "the grouping labels {a.b=\"1\"} become the same as those of group /job/y/U__a_2d_b/1 when names are escaped (escaping=underscores)")
	f("", "", "")
	for _, state := range []api.State{api.StateUp, api.StateDead} {
		if got := reasonOf(api.GroupSummary{State: state, PushTime: &at, LastRefusal: "old", RefusalTime: &before}); got != nil {
			t.Errorf("%s: got %+v", state, got)
		}
	}
}

func TestGroupLines(t *testing.T) {
	from := newFakeAPI()
	from.group = apiGroup
	s := newServer(t, from, Config{})
	_, page := get(t, s.URL+"/?tab=push&group=/job/api/instance/web1")
	wants(t, page, "/metrics/job/api/instance/web1?ttl=10m&#39;</span>", "--group /job/api/instance/web1 --ttl 10m</code>", "curl -X DELETE <span data-base=\""+s.URL+"\">"+s.URL+"/metrics/job/api/instance/web1</span>", "takes no NATS clients", "!last_success_timestamp")
}

func TestAbsentGroup(t *testing.T) {
	answer, page := get(t, newServer(t, newFakeAPI(), Config{}).URL+"/?group=/job/absent")
	if answer.StatusCode != http.StatusNotFound {
		t.Errorf("status %d", answer.StatusCode)
	}
	wants(t, page, "There is no group /job/absent: it was deleted or forgotten, or never pushed.")
}

// The history says what each push has removed, added and changed.
func TestHistory(t *testing.T) {
	from := newFakeAPI()
	from.group = apiGroup
	from.history = `{"kept":3,"entries":[
		{"sequence":9,"time":"2026-11-25T11:58:00Z","op":"push","replaced":true,"origin":"nats me","families":1,"series":2,
		 "added":["m{instance=\"web1\",job=\"api\",k=\"new\"}"],"added_total":1,"removed":["old{job=\"api\"}"],"removed_total":70,"changed":1,"changes":[{"name":"m{job=\"api\",k=\"old\"}","before":"12345","after":"5"}]},
		{"sequence":6,"time":"2026-11-25T11:58:00Z","op":"push","families":2,"series":2,"added":["a","b"],"added_total":2,"first":true},
		{"sequence":8,"time":"2026-11-25T11:50:00Z","op":"refusal","refusal":"it was wrong"},
		{"sequence":7,"time":"2026-11-25T11:40:00Z","op":"push","families":1,"series":1,"truncated":true}],
		"values":{"series":[{"name":"m{job=\"api\"}","points":[["2026-11-25T11:40:00Z","1"],["2026-11-25T11:58:00Z","5"]]}],"truncated":true}}`
	s := newServer(t, from, Config{})
	_, page := get(t, s.URL+"/?tab=history&group=/job/api/instance/web1")
	wants(t, page, "push (put)", "−70 removed", "− old</li>", "+ m{k=&#34;new&#34;}</li>", "… and more", "+1 added", "1 changed", "<li>m{k=&#34;old&#34;} 12,345 → 5</li>", "it was wrong", "first push: 2 families", "+ b</li>",
		"The event before is not kept", `aria-label="m from 1 to 5"`, "Not all series are drawn", "!keeps the last event")
	from.history = `{"kept":1,"entries":[{"sequence":9,"time":"2026-11-25T11:58:00Z","op":"push"}],"values":{"series":[]}}`
	_, page = get(t, s.URL+"/?tab=history&group=/job/api/instance/web1")
	wants(t, page, "The stream keeps the last event of each group only")
	from.history = "!the stream does not answer"
	_, page = get(t, s.URL+"/?tab=history&group=/job/api/instance/web1")
	wants(t, page, "The history cannot be read: the stream does not answer")
}

func TestStreamAndStatus(t *testing.T) {
	from := newFakeAPI()
	from.stream = strings.Replace(from.stream, `"cluster":null`, `"url":"nats://a:4222","cluster":{"name":"sluice"}`, 1)
	s := newServer(t, from, Config{Metrics: "/metrics"})
	_, page := get(t, s.URL+"/stream")
	wants(t, page, "12,345", "3 MiB", "3,145,728 bytes", "the last event", "0123456789abcdef", "There is one gateway", "leader <code>node-a</code>")
	_, page = get(t, s.URL+"/stream?part=now")
	wants(t, page, "12,345", "!0123456789abcdef")
	from.status = strings.Replace(from.status, `"flags":`, `"flag_defaults":{"push.max-bytes":"1024","bus.url":""},"flags":`, 1)
	_, page = get(t, s.URL+"/status")
	wants(t, page, "16 MiB <span class=\"dim\">(<code>16,777,216</code> bytes)", "default 1024</span>", "default empty</span>", `<tr class="set"><th scope="row"><code>--push.max-bytes`, `<tr ><th scope="row"><code>bus.prefix`, "1.2.3", "honor_labels: true", "Sluice cannot know", "6 h</time> ago", "--push.max-bytes", "bus.prefix", `href="./metrics"`)
	from.cluster = strings.Replace(from.cluster, `"agree":true,"gateways":1`, `"agree":false,"gateways":3`, 1)
	_, page = get(t, s.URL+"/stream")
	wants(t, page, "differ</span> The states of 3 gateways are not the same")
	from.cluster = strings.Replace(from.cluster, `"agree":false`, `"agree":null`, 1)
	_, page = get(t, s.URL+"/stream")
	wants(t, page, "not known yet")
}
