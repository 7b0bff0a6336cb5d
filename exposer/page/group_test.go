package page

import (
	"net/http"
	"strings"
	"testing"
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
		"3 GiB", "(-Inf, 0.1]: 1", "(0.1, &#43;Inf]: 3", "mean 2", "0.99", "0.17",
		"Several addresses have pushed", "!overwrite each other here", "http 192.0.2.1</code>", ", 6 pushes",
		"!The last push was refused")
	if from.askedLimit != 1000 {
		t.Errorf("asked for %d metrics", from.askedLimit)
	}

	from.group = strings.Replace(apiGroup, `"state":"up"`, `"state":"failing","last_refusal":"line 1\nthe cure","last_refusal_time":"2026-11-25T11:59:00Z","contended":true,"truncated":true`, 1)
	_, page = get(t, s.URL+"/?group=/job/api/instance/web1")
	wants(t, page, "The last push was refused</strong> <time", "1 min</time> ago", "line 1\nthe cure", "overwrite each other here", "4 of the group's metrics", "limit=10000")
}

func TestGroupLines(t *testing.T) {
	from := newFakeAPI()
	from.group = apiGroup
	s := newServer(t, from, Config{})
	_, page := get(t, s.URL+"/?tab=push&group=/job/api/instance/web1")
	wants(t, page, "curl -X DELETE <span data-base=\""+s.URL+"\">"+s.URL+"/metrics/job/api/instance/web1</span>", "takes no NATS clients", "!last_success_timestamp")
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
		 "added":["m{instance=\"web1\",job=\"api\",k=\"new\"}"],"added_total":1,"removed":["old{job=\"api\"}"],"removed_total":70,"changed":1},
		{"sequence":8,"time":"2026-11-25T11:50:00Z","op":"refusal","refusal":"it was wrong"},
		{"sequence":7,"time":"2026-11-25T11:40:00Z","op":"push","families":1,"series":1,"truncated":true}],
		"values":{"series":[{"name":"m{job=\"api\"}","points":[["2026-11-25T11:40:00Z","1"],["2026-11-25T11:58:00Z","5"]]}],"truncated":true}}`
	s := newServer(t, from, Config{})
	_, page := get(t, s.URL+"/?tab=history&group=/job/api/instance/web1")
	wants(t, page, "push (put)", "−70 removed", "− old</li>", "+ m{k=&#34;new&#34;}</li>", "… and more", "+1 added", "1 changed", "it was wrong",
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
	wants(t, page, "12,345", "3 MiB", "the last event", "0123456789abcdef", "There is one gateway", "leader <code>node-a</code>")
	_, page = get(t, s.URL+"/stream?part=now")
	wants(t, page, "12,345", "!0123456789abcdef")
	_, page = get(t, s.URL+"/status")
	wants(t, page, "1.2.3", "honor_labels: true", "Sluice cannot know", "6 h</time> ago", "--push.max-bytes", "16777216", "bus.prefix", `href="./metrics"`)
	from.cluster = strings.Replace(from.cluster, `"agree":true,"gateways":1`, `"agree":false,"gateways":3`, 1)
	_, page = get(t, s.URL+"/stream")
	wants(t, page, "differ</span> The states of 3 gateways are not the same")
	from.cluster = strings.Replace(from.cluster, `"agree":false`, `"agree":null`, 1)
	_, page = get(t, s.URL+"/stream")
	wants(t, page, "not known yet")
}
