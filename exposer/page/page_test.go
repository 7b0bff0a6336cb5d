package page

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/route"

	"sluice/exposer/api"
)

// get returns the answer and its body.
func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// wants checks for texts that a page must have, and with "!" before them must
// not.
func wants(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		unwanted, no := strings.CutPrefix(text, "!")
		switch {
		case no && strings.Contains(page, unwanted):
			t.Errorf("the page has %q\n%s", unwanted, page)
		case !no && !strings.Contains(page, text):
			t.Errorf("the page lacks %q\n%s", text, page)
		}
	}
}

const twoGroups = `{"ready":true,"total":120,"offset":0,"counts":{"all":120,"failing":1,"dead":1,"never":0,"up":118},"groups":[
	{"group":"/job/backup/instance/db1","labels":{"instance":"db1","job":"backup"},"state":"failing","up":true,
	 "push_time":"2026-11-25T11:57:00Z","push_failure_time":"2026-11-25T11:59:00Z","last_refusal":"text format parsing error in line 1\nhelp below",
	 "expires":"2026-11-25T12:07:00Z","ttl_seconds":600,"families":2,"series":1234,"origin":"http 192.0.2.1","sequence":7},
	{"group":"/job/old/instance@base64/YSBi","labels":{"instance":"a b","job":"old"},"state":"dead","up":false,
	 "push_time":"2026-11-25T10:00:00Z","expires":"2026-11-25T11:00:00Z","forgotten":"2026-11-25T12:30:00Z","ttl_seconds":3600,"families":0,"series":0,"sequence":9}]}`

// Without a script the first screen says who has pushed, when, and what fails.
func TestGroupsWithoutScript(t *testing.T) {
	from := newFakeAPI()
	from.groups = twoGroups
	s := newServer(t, from, Config{})
	answer, page := get(t, s.URL+"/?search=job~.")
	if got := answer.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	wants(t, page,
		`href="./?group=/job/backup/instance/db1"`, `backup</span>`, `3 min</time> ago`, "1,234",
		"text format parsing error in line 1</p>", "refused <time", "1 min</time> ago", "http 192.0.2.1",
		`href="./?group=/job/old/instance@base64/YSBi"`, "forgotten in <time", "30 min</time>",
		"Failing <b>1</b>", "All <b>120</b>", "1–2 of 120", `rel="next" href="./?offset=2&amp;search=job~.`,
		`href="./?search=job~.&amp;sort=age"`, `aria-sort="ascending"`,
		`<rect class="part" width="30.0"`, `value="job~."`, "!delete-shown", "!style=", "!id=\"wipe\"")
	if want := groupsRequest(t, "job~.", api.GroupsRequest{Sort: "state"}); !reflect.DeepEqual(from.askedGroups, want) {
		t.Errorf("asked for %+v", from.askedGroups)
	}
}

// groupsRequest is what the page asks for, with a search and its other parts.
func groupsRequest(t *testing.T, search string, q api.GroupsRequest) api.GroupsRequest {
	t.Helper()
	filter, err := api.ParseFilter(nil, search)
	if err != nil {
		t.Fatal(err)
	}
	q.Filter, q.Limit = filter, 50
	return q
}

// The view by job counts the groups of each, and leads to them.
func TestJobsWithoutScript(t *testing.T) {
	from := newFakeAPI()
	from.jobs = `{"ready":true,"total":120,"offset":0,"counts":{"all":12345,"failing":5,"dead":1,"never":0,"up":12339},"jobs":[
		{"job":"nightly backup","groups":{"all":1234,"failing":5,"dead":1,"never":0,"up":1228},"late":7,"series":99000,"push_time":"2026-11-25T11:57:00Z"},
		{"job":"new","groups":{"all":1,"failing":0,"dead":0,"never":1,"up":0},"late":0,"series":0}]}`
	s := newServer(t, from, Config{Prefix: "/pg"})
	_, page := get(t, s.URL+"/pg/?by=job&search=region=eu")
	wants(t, page, "120 jobs, 12,345 groups", "nightly backup</span>", "1,234<span", "99,000<span", "3 min</time> ago", "never</td>",
		`href="./?search=region=eu&#43;job=%22nightly`, "&amp;state=failing\"", "&amp;sort=expires\"", "5<span class=\"unit\"> failing",
		`href="./?search=region=eu" `, `href="./?by=job&amp;search=region=eu" aria-current="true"`, `aria-sort="ascending"`,
		`href="./?by=job&amp;search=region=eu&amp;sort=-late"`, `<input type="hidden" name="by" value="job">`,
		"1–2 of 120", `rel="next" href="./?by=job&amp;offset=2&amp;search=region=eu"`, `max="3" value="1"`, "!style=")
	filter, err := api.ParseFilter(nil, "region=eu")
	if err != nil {
		t.Fatal(err)
	}
	if want := (api.JobsRequest{Filter: filter, Sort: "state", Limit: 50}); !reflect.DeepEqual(from.askedJobs, want) {
		t.Errorf("asked for %+v", from.askedJobs)
	}
	_, page = get(t, s.URL+"/pg/?by=job&page=3&sort=-dead&search=~%28")
	wants(t, page, "missing closing )")
	get(t, s.URL+"/pg/?by=job&page=3&sort=-dead")
	if from.askedJobs.Offset != 100 || from.askedJobs.Sort != "-dead" {
		t.Errorf("asked for %+v", from.askedJobs)
	}
	from.jobs = "!parameter sort: it is none"
	_, page = get(t, s.URL+"/pg/?by=job&sort=x")
	wants(t, page, "parameter sort: it is none")
	from.jobs = newFakeAPI().jobs
	_, page = get(t, s.URL+"/pg/?by=job")
	wants(t, page, "There are no jobs")
	_, page = get(t, s.URL+"/pg/?by=job&search=x")
	wants(t, page, "No job matches")
}

// A page that is no more is the last one.
func TestPages(t *testing.T) {
	f := func(query string, want int) {
		t.Helper()
		asked, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := offsetOf(asked); got != want {
			t.Errorf("%s: got %d, want %d", query, got, want)
		}
	}
	f("", 0)
	f("offset=120", 120)
	f("page=1", 0)
	f("page=201&offset=3", 10_000)
	f("page=0", 0)
	f("page=-7", 0)
	f("page=x&offset=50", 50)
	f("page=999999999999", 1<<30/perPage*perPage-perPage)
	for total, want := range map[int]int{0: 0, 1: 0, 50: 0, 51: 50, 120: 100} {
		if got := lastOffset(total); got != want {
			t.Errorf("%d rows: the last page begins at %d, want %d", total, got, want)
		}
	}
	from := newFakeAPI()
	from.groups = strings.Replace(from.groups, `"all":0`, `"all":120`, 1)
	get(t, newServer(t, from, Config{}).URL+"/?page=77")
	if from.askedGroups.Offset != 100 {
		t.Errorf("asked for %+v", from.askedGroups)
	}
}

func TestGroupsParameters(t *testing.T) {
	f := func(query, search string, q api.GroupsRequest) {
		t.Helper()
		from := newFakeAPI()
		get(t, newServer(t, from, Config{}).URL+"/"+query)
		if want := groupsRequest(t, search, q); !reflect.DeepEqual(from.askedGroups, want) {
			t.Errorf("%s: asked for %+v, want %+v", query, from.askedGroups, want)
		}
	}
	f("", "", api.GroupsRequest{Sort: "state"})
	f("?sort=-age&state=dead", "", api.GroupsRequest{Sort: "-age", State: api.StateDead})
	f("?offset=100&search=+a++b+", "a  b", api.GroupsRequest{Sort: "state", Offset: 100})
	f("?offset=-3", "", api.GroupsRequest{Sort: "state"})
}

// A search that cannot be read leaves the page as it is, and says why.
func TestBadSearch(t *testing.T) {
	f := func(groups, query string, texts ...string) {
		t.Helper()
		from := newFakeAPI()
		from.groups = groups
		answer, page := get(t, newServer(t, from, Config{}).URL+"/"+query)
		if answer.StatusCode != http.StatusOK {
			t.Errorf("status %d", answer.StatusCode)
		}
		wants(t, page, append(texts, "!There are no groups")...)
	}
	f(newFakeAPI().groups, "?search=~%28", "parameter search: ", "missing closing )", `value="~("`)
	f("!parameter sort: it is none", "?sort=x", "parameter sort: it is none")
}

// Who has pushed nothing yet is shown how.
func TestEmpty(t *testing.T) {
	s := newServer(t, newFakeAPI(), Config{Prefix: "/pg"})
	_, page := get(t, s.URL+"/pg/")
	wants(t, page, "There are no groups", "curl --data-binary @- ", strings.TrimPrefix(s.URL, "http://")+"/pg/metrics/job/demo/instance/laptop")
}

// What changes many groups is offered with the admin API only, and where
// the search alone chooses what is shown, and asks for something.
func TestDeleteShown(t *testing.T) {
	f := func(admin bool, query string, texts ...string) {
		t.Helper()
		from := newFakeAPI()
		from.groups = twoGroups
		if admin {
			from.status = strings.Replace(from.status, `api":"false"`, `api":"true"`, 1)
		}
		_, page := get(t, newServer(t, from, Config{}).URL+"/"+query)
		wants(t, page, texts...)
	}
	f(false, "?search=job=backup", "!id=\"delete-shown\"", "!id=\"wipe\"")
	f(true, "", "!id=\"delete-shown\"", "id=\"wipe\"")
	f(true, "?search=job=backup", "Delete all 120 shown", `data-search="job=backup"`, "!id=\"wipe\"")
	f(true, "?search=backup", "id=\"delete-shown\"")
	f(true, "?search=job!=backup", "!id=\"delete-shown\"")
	f(true, "?search=job=backup&state=dead", "!id=\"delete-shown\"")
}

const hostile = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`

// Labels, help, units, refusals and origins of anybody stay texts.
func TestHostileTexts(t *testing.T) {
	text := func(s string) string {
		quoted, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(quoted)
	}
	from := newFakeAPI()
	labels := `{"job":` + text(hostile) + `,` + text(hostile) + `:"x"}`
	one := `{"group":` + text("/job/"+hostile) + `,"labels":` + labels + `,"state":"failing","push_failure_time":"2026-11-25T11:59:00Z","last_refusal":` + text(hostile) +
		`,"origin":` + text(hostile) + `,"pushers":[{"origin":` + text(hostile) + `,"time":"2026-11-25T11:59:00Z","pushes":3}]`
	from.groups = `{"ready":true,"total":1,"counts":{"all":1,"failing":1},"groups":[` + one + `}]}`
	from.group = one + `,"families":[{"name":` + text(hostile) + `,"type":` + text(hostile) + `,"help":` + text(hostile) + `,"unit":` + text(hostile) +
		`,"metrics":[{"labels":` + labels + `,"value":` + text(hostile) + `},{"labels":{},"sum":"1","count":"2","buckets":[{"le":` + text(hostile) + `,"count":"2"}]},
		 {"labels":{},"quantiles":[{"quantile":` + text(hostile) + `,"value":` + text(hostile) + `}],"sum":"1","count":"2"}]}]}`
	from.history = `{"kept":3,"entries":[{"sequence":3,"time":"2026-11-25T11:59:00Z","op":` + text(hostile) + `,"origin":` + text(hostile) + `,"refusal":` + text(hostile) +
		`,"added":[` + text(hostile) + `],"removed":[` + text(hostile) + `],"added_total":1,"removed_total":1,"changed":1},{"sequence":2,"time":"2026-11-25T11:58:00Z","op":"put"}],
		"values":{"series":[{"name":` + text(hostile) + `,"points":[["2026-11-25T11:58:00Z","1"],["2026-11-25T11:59:00Z",` + text(hostile) + `]]}]}}`
	from.status = `{"build_information":{"version":` + text(hostile) + `},"start_time":"2026-11-25T06:00:00Z","flags":{` + text(hostile) + `:` + text(hostile) + `,"bus.prefix":` + text(hostile) + `,"bus.listen":` + text(hostile+":4222") + `}}`
	from.stream = strings.Replace(from.stream, `"server":"embedded"`, `"server":`+text(hostile)+`,"url":`+text(hostile), 1)
	from.stream = strings.Replace(from.stream, `"waiting":""`, `"waiting":`+text(hostile), 1)
	from.stream = strings.Replace(from.stream, `"ready":true`, `"ready":false`, 1)
	from.cluster = strings.ReplaceAll(from.cluster, `"node-a"`, text(hostile))
	from.jobs = `{"ready":true,"total":1,"counts":{"all":1},"jobs":[{"job":` + text(hostile) + `,"groups":{"all":1,"up":1}}]}`
	s := newServer(t, from, Config{})
	group := url.QueryEscape("/job/" + hostile)
	for _, path := range []string{
		"/?search=" + url.QueryEscape(hostile), "/?sort=" + url.QueryEscape(hostile), "/?state=" + url.QueryEscape(hostile),
		"/?group=" + group, "/?tab=history&group=" + group, "/?tab=push&group=" + group, "/?tab=" + url.QueryEscape(hostile) + "&group=" + group,
		"/live?search=" + url.QueryEscape(hostile), "/stream", "/status", "/?by=job", "/?by=job&sort=" + url.QueryEscape(hostile), "/?by=job&search=" + url.QueryEscape(hostile),
	} {
		answer, page := get(t, s.URL+path)
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", path, answer.StatusCode)
		}
		wants(t, page, "!<script>", "!<img src=x", "!ZgotmplZ")
	}
	from.group = ""
	answer, page := get(t, s.URL+"/?group="+group)
	if answer.StatusCode != http.StatusNotFound {
		t.Errorf("status %d", answer.StatusCode)
	}
	wants(t, page, "!<script>", "!<img src=x", "There is no group /job/&lt;script&gt;")
}

// No page has a script, a style or a handler in it, and its policy allows none.
func TestPolicy(t *testing.T) {
	from := newFakeAPI()
	from.groups = twoGroups
	s := newServer(t, from, Config{})
	inline := regexp.MustCompile(`(?i)<style|style=|\son\w+=|<script>|javascript:|https?://[^"<]*\.(js|css)`)
	for _, path := range []string{"/", "/?by=job", "/live", "/stream", "/status", "/?group=/job/absent"} {
		answer, page := get(t, s.URL+path)
		want := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
		if got := answer.Header.Get("Content-Security-Policy"); got != want {
			t.Errorf("%s: policy %q", path, got)
		}
		for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
			if got := answer.Header.Get(header); got != want {
				t.Errorf("%s: %s: %q", path, header, got)
			}
		}
		if found := inline.FindString(page); found != "" {
			t.Errorf("%s has %q", path, found)
		}
	}
}

// All that a page links to is relative, so that it works below any prefix.
func TestRelative(t *testing.T) {
	from := newFakeAPI()
	from.groups = twoGroups
	s := newServer(t, from, Config{Prefix: "/some/prefix"})
	links := regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)
	for _, path := range []string{"/", "/?by=job", "/live", "/stream", "/status"} {
		_, page := get(t, s.URL+"/some/prefix"+path)
		found := links.FindAllStringSubmatch(page, -1)
		if len(found) < 8 {
			t.Fatalf("%s has %d links", path, len(found))
		}
		for _, link := range found {
			switch {
			case strings.HasPrefix(link[1], "./"), strings.HasPrefix(link[1], "#"):
			case strings.HasPrefix(link[1], "static/"):
				if answer, _ := get(t, s.URL+"/some/prefix/"+link[1]); answer.StatusCode != http.StatusOK {
					t.Errorf("%s: status %d", link[1], answer.StatusCode)
				}
			default:
				t.Errorf("%s: link %s is not relative", path, link[1])
			}
		}
	}
}

// While the stream is replayed the page answers, shows how far it is, and comes
// again by itself without a script.
func TestReplay(t *testing.T) {
	from := newFakeAPI()
	from.stream = `{"ready":false,"connected":true,"waiting":"replaying the stream: 2500 of 10000 events","replaying":{"done":2500,"total":10000},"sequence":10000,"applied":2500,"lag":7500,"server":"embedded"}`
	s := newServer(t, from, Config{})
	for _, path := range []string{"/", "/live", "/stream", "/status"} {
		answer, page := get(t, s.URL+path)
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", path, answer.StatusCode)
		}
		wants(t, page, "replaying the stream.", "!2500 of", "2,500 of 10,000 events", `<progress max="100" value="25.0"`, `http-equiv="refresh"`)
	}
}

// A stream that cannot be reached is said on all pages.
func TestNotConnected(t *testing.T) {
	from := newFakeAPI()
	from.stream = strings.Replace(from.stream, `"connected":true`, `"connected":false`, 1)
	_, page := get(t, newServer(t, from, Config{}).URL+"/")
	wants(t, page, "the stream cannot be reached")
}

func TestStatic(t *testing.T) {
	s := newServer(t, newFakeAPI(), Config{})
	_, page := get(t, s.URL+"/")
	path := regexp.MustCompile(`static/\w+/page\.js`).FindString(page)
	f := func(path string, code int, media, cache string) {
		t.Helper()
		answer, _ := get(t, s.URL+"/"+path)
		if answer.StatusCode != code || code == http.StatusOK && (answer.Header.Get("Content-Type") != media || answer.Header.Get("Cache-Control") != cache) {
			t.Errorf("%s: status %d, headers %v", path, answer.StatusCode, answer.Header)
		}
	}
	f(path, http.StatusOK, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable")
	f(strings.Replace(path, "page.js", "page.css", 1), http.StatusOK, "text/css; charset=utf-8", "public, max-age=31536000, immutable")
	f("static/000000000000/icon.svg", http.StatusOK, "image/svg+xml", "no-cache")
	f("static/000000000000/absent.js", http.StatusNotFound, "", "")
	f("static/", http.StatusNotFound, "", "")
	f("static/000000000000/../../page.go", http.StatusNotFound, "", "")
}

// A client that closes its side of the connection behind its request, as nc -N
// does, gets its page (RFC 9112, section 9.6).
func TestHalfClosedClientsGetTheirPage(t *testing.T) {
	from := newFakeAPI()
	p, err := New(Config{API: hurried{from}}, promslog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	r := route.New()
	p.Register(r, "", func(_ string, h http.HandlerFunc) http.HandlerFunc { return h })
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		<-req.Context().Done() // net/http has seen that the client closed its side
		r.ServeHTTP(w, req)
	}))
	t.Cleanup(s.Close)
	f := func(path, status, text string) {
		t.Helper()
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil {
			t.Error(err)
		}
		if got := string(answer); !strings.HasPrefix(got, "HTTP/1.1 "+status) || !strings.Contains(got, text) {
			t.Errorf("%s: got %s", path, got)
		}
	}
	f("/", "200 ", "There are no groups")
	f("/stream", "200 ", "0123456789abcdef")
	f("/?group=/job/absent", "404 ", "There is no group")
}

// hurried is an API that gives up with its context.
type hurried struct{ *fakeAPI }

func (h hurried) Groups(ctx context.Context, q api.GroupsRequest) (api.GroupList, error) {
	if err := ctx.Err(); err != nil {
		return api.GroupList{}, err
	}
	return h.fakeAPI.Groups(ctx, q)
}
